//! `mymail admin`: what the operator does while the server runs.

mod accounts;
mod output;
mod registration;
mod socket;

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::common::{Home, Server};

/// Exit codes, as docs/interface.md promises them.
const DONE: i32 = 0;
const USAGE: i32 = 64;
const DATA: i32 = 65;
const NO_USER: i32 = 67;
const UNAVAILABLE: i32 = 69;
const CANT_CREATE: i32 = 73;
const NO_PERMISSION: i32 = 77;

/// A server that its operator looks after.
struct Operated {
    server: Server,
    pop3: String,
    home: Home,
    data: PathBuf,
}

/// How a command ended.
#[derive(Debug)]
struct Outcome {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Outcome {
    /// Standard output of a command that must have succeeded.
    fn done(self) -> String {
        assert_eq!(self.code, DONE, "{self:?}");
        self.stdout
    }

    /// The objects that such a command printed, one a line.
    fn objects(self) -> Vec<Value> {
        self.done().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

impl Operated {
    fn new(config: &str) -> Self {
        Self::with_data(config, "data")
    }

    fn with_data(config: &str, data: &str) -> Self {
        let home = Home::new();
        fs::write(home.path("config.toml"), config).unwrap();
        let data = home.path(data);
        let (server, pop3) = start(&home, &data);
        Self { server, pop3, home, data }
    }

    /// Runs `mymail admin` with this on standard input.
    fn admin_reading(&self, arguments: &[&str], input: &str) -> Outcome {
        admin(&self.home, &self.data, arguments, input)
    }

    fn admin(&self, arguments: &[&str]) -> Outcome {
        self.admin_reading(arguments, "")
    }

    /// Makes an account; its password.
    fn add(&self, name: &str) -> String {
        self.admin(&["add", name]).done().trim_end().to_owned()
    }

    /// The only object that the command prints.
    fn object(&self, arguments: &[&str]) -> Value {
        let mut objects = self.admin(&[arguments, &["--json"]].concat()).objects();
        assert_eq!(objects.len(), 1, "{objects:?}");
        objects.remove(0)
    }

    /// What is said on its socket, in answer to this.
    fn socket(&self, request: &str) -> io::Result<String> {
        let mut stream = UnixStream::connect(self.data.join("admin"))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    /// Everything that it wrote into its data folder and its log.
    fn traces(&self) -> Vec<u8> {
        let mut traces = fs::read(self.home.path("log")).unwrap();
        for entry in fs::read_dir(&self.data).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_file() {
                traces.extend(fs::read(entry.path()).unwrap());
            }
        }
        traces
    }

    /// The server's answers to a POP3 session.
    fn pop3(&self, commands: &[&str]) -> Vec<String> {
        let mut stream = TcpStream::connect(&self.pop3).unwrap();
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut line = || {
            let mut line = String::new();
            reader.read_line(&mut line).unwrap();
            line
        };
        assert!(line().starts_with("+OK"));
        let mut answers = Vec::new();
        for command in commands {
            stream.write_all(format!("{command}\r\n").as_bytes()).unwrap();
            answers.push(line().trim_end().to_owned());
        }
        answers
    }
}

fn start(home: &Home, data: &Path) -> (Server, String) {
    let mut command = home.command(&["serve", "--config", "config.toml", "--data"]);
    let log = fs::File::options().append(true).create(true).open(home.path("log")).unwrap();
    command.arg(data).args(["--listen", "smtp=127.0.0.1:0", "--listen", "pop3=127.0.0.1:0"]);
    let mut server = Server::start(command.env("RUST_LOG", "trace").stderr(log));
    let pop3 = server.next_listener();
    (server, pop3)
}

fn admin(home: &Home, data: &Path, arguments: &[&str], input: &str) -> Outcome {
    let mut command = home.command(&["admin", "--data"]);
    command.arg(data).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // Who does not read its input may close it before all is written.
    child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
    let output = child.wait_with_output().unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|octets| String::from_utf8(octets).unwrap());
    Outcome { code: output.status.code().unwrap(), stdout, stderr }
}

fn contains(octets: &[u8], text: &str) -> bool {
    octets.windows(text.len()).any(|window| window == text.as_bytes())
}
