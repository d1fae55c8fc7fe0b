//! What the tests of the program share: a user's home, and a server that runs in it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use tempfile::TempDir;

/// A user's home, gone afterwards.
pub(crate) struct Home {
    folder: TempDir,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
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
            .env("RUST_LOG", "warn")
            .env("HOME", self.folder.path())
            .env("XDG_CONFIG_HOME", self.path("config"))
            .env("XDG_DATA_HOME", self.path("share"))
            .env("XDG_STATE_HOME", self.path("state"))
            .stdin(Stdio::null());
        command
    }
}

/// A running `mymail serve`, ended afterwards.
pub(crate) struct Server {
    /// Where its only, or first, listener is.
    pub(crate) address: String,
    pub(crate) process: Child,
    pub(crate) stdout: BufReader<ChildStdout>,
}

impl Server {
    /// Runs this command until it says that it is ready.
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut server = Self::spawn(command);
        server.address = server.next_listener();
        server
    }

    /// Runs this command, which is not ready then.
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        Self { address: String::new(), process, stdout }
    }

    /// The address of the next listener that it tells of.
    pub(crate) fn next_listener(&mut self) -> String {
        self.listener().unwrap_or_else(|line| panic!("the server says {line:?}"))
    }

    /// The address of the next listener that it tells of, or what it says instead: nothing if it has ended.
    pub(crate) fn listener(&mut self) -> Result<String, String> {
        let mut line = String::new();
        self.stdout.read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening ").and_then(|rest| rest.strip_suffix('\n')?.split_once(' '));
        address.map(|(_protocol, address)| address.to_owned()).ok_or(line)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}
