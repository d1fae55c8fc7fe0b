//! What it takes to type: a home of one's own, a server, and the outcome of a command.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A user's home, gone afterwards.
pub(crate) struct Home {
    folder: TempDir,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) octets: Vec<u8>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Outcome {
    /// Standard output of a command that must have succeeded.
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, 0, "{}\n{}", self.stdout, self.stderr);
        self.stdout
    }
}

/// A running `mymail serve`, stopped afterwards.
pub(crate) struct Server {
    pub(crate) address: String,
    process: Child,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// A home and a server.
    pub(crate) fn with_server() -> (Self, Server) {
        let home = Self::new();
        let data = home.path("data");
        let process = home
            .command(&["serve", "--listen", "smtp=127.0.0.1:0", "--data", data.to_str().unwrap()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut server = Server { address: String::new(), process };
        let mut line = String::new();
        BufReader::new(server.process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening smtp ").and_then(|rest| rest.strip_suffix('\n'));
        server.address = address.unwrap_or_else(|| panic!("the server says {line:?}")).to_owned();
        (home, server)
    }

    /// A home with these accounts on a server, the first the default one.
    pub(crate) fn with_accounts(names: &[&str]) -> (Self, Server) {
        let (home, server) = Self::with_server();
        for name in names {
            home.run(&["register", name, "--server", &server.address], "").done();
        }
        (home, server)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program with arguments, in this home and nowhere else.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mymail"));
        command
            .args(arguments)
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_DATA_HOME", self.path("share"))
            .env("XDG_STATE_HOME", self.path("state"))
            .stdin(Stdio::null());
        command
    }

    /// Runs the program with this standard input.
    pub(crate) fn run(&self, arguments: &[&str], input: &str) -> Outcome {
        self.run_with_octets(arguments, input.as_bytes())
    }

    pub(crate) fn run_with_octets(&self, arguments: &[&str], input: &[u8]) -> Outcome {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        // Who does not read its input may close it before all is written.
        child.stdin.take().unwrap().write_all(input).ok();
        let output = child.wait_with_output().unwrap();
        Outcome {
            code: output.status.code().unwrap(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            octets: output.stdout,
        }
    }

    /// Adds an account to the accounts file, which then has this mode.
    pub(crate) fn write_account(&self, address: &str, server: &str, mode: u32) {
        let path = self.path("config/mymail/accounts.toml");
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = OpenOptions::new().append(true).create(true).mode(mode).open(&path).unwrap();
        writeln!(file, "[[account]]\naddress = \"{address}\"\nserver = \"{server}\"\npassword = \"secret\"").unwrap();
        file.set_permissions(fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// The octets of base64, line ends passed over.
pub(crate) fn decode_base64(text: &str) -> Vec<u8> {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.decode(text.replace("\r\n", "")).unwrap()
}
