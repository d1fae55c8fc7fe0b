//! What it takes to run a command: a home with accounts in it, and the outcome.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::Stdio;

use crate::common::{Home, Server};

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

impl Home {
    /// A home and a server.
    pub(crate) fn with_server() -> (Self, Server) {
        let home = Self::new();
        let data = home.path("data");
        let arguments = ["serve", "--listen", "smtp=127.0.0.1:0", "--data", data.to_str().unwrap()];
        let server = Server::start(&mut home.command(&arguments));
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

    /// A file that only its owner may read.
    pub(crate) fn write_private(&self, path: &Path, text: &str) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
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
