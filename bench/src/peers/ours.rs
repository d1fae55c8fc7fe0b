//! Our own server, `mymail serve`. It logs as it does by itself, to a file.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};

use anyhow::{Context, ensure};

use super::{DOMAIN, MailServer, USER, free_address, users};
use crate::processes::{Processes, output_of};
use crate::workshop::Workshop;

pub(crate) struct Ours {
    program: PathBuf,
    folder: PathBuf,
    smtp: SocketAddr,
    pop3: SocketAddr,
    password: String,
    processes: Processes,
    /// Held open: the server may say something.
    _stdout: BufReader<ChildStdout>,
}

impl Ours {
    /// A new one, with an empty mailbox for each user.
    pub(crate) fn start(program: &Path, workshop: &Workshop) -> anyhow::Result<Self> {
        let folder = workshop.make("ours")?;
        let (smtp, pop3) = (free_address()?, free_address()?);
        fs::write(folder.join("mymail.toml"), configuration(&folder, smtp, pop3))?;
        let (processes, stdout) = serve(program, &folder)?;
        let program = program.to_owned();
        let mut ours = Self { program, folder, smtp, pop3, password: String::new(), processes, _stdout: stdout };
        ours.add_users()?;
        Ok(ours)
    }

    /// Makes the accounts.
    fn add_users(&mut self) -> anyhow::Result<()> {
        for user in users() {
            let password = self.admin(&["add", &user])?;
            if user == USER {
                self.password = password;
            }
        }
        Ok(())
    }

    fn admin(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new(&self.program);
        command.arg("admin").args(arguments).arg("--data").arg(self.folder.join("data"));
        Ok(output_of(&mut command)?.trim().to_owned())
    }

    /// Ends it in order; the store stays.
    pub(crate) fn stop(&mut self) -> anyhow::Result<()> {
        self.processes.stop()
    }

    /// Starts it anew, with the store that is there.
    pub(crate) fn start_again(&mut self) -> anyhow::Result<()> {
        (self.processes, self._stdout) = serve(&self.program, &self.folder)?;
        Ok(())
    }

    pub(crate) fn pop3(&self) -> SocketAddr {
        self.pop3
    }

    /// The password of [`USER`].
    pub(crate) fn password(&self) -> &str {
        &self.password
    }
}

impl MailServer for Ours {
    fn name(&self) -> &'static str {
        "mymail"
    }

    fn smtp(&self) -> SocketAddr {
        self.smtp
    }

    fn processes(&self) -> &Processes {
        &self.processes
    }

    fn empty(&mut self, workshop: &Workshop) -> anyhow::Result<()> {
        self.stop()?;
        workshop.bury(&self.folder.join("data"))?;
        self.start_again()?;
        self.add_users()
    }

    fn finish(&self) -> anyhow::Result<bool> {
        Ok(false)
    }
}

/// Runs the server until it says that it is ready.
fn serve(program: &Path, folder: &Path) -> anyhow::Result<(Processes, BufReader<ChildStdout>)> {
    let log = File::options().create(true).append(true).open(folder.join("log"))?;
    let mut command = Command::new(program);
    command.arg("serve").arg("--config").arg(folder.join("mymail.toml"));
    command.env_remove("RUST_LOG").stdout(Stdio::piped()).stderr(log);
    let mut processes = Processes::start(&mut command)?;
    let mut stdout = BufReader::new(processes.main().stdout.take().context("the server has no standard output")?);
    let mut line = String::new();
    stdout.read_line(&mut line)?;
    let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
    ensure!(line.starts_with("listening "), "mymail does not start: {}", log());
    Ok((processes, stdout))
}

/// Limits are where no load reaches them.
fn configuration(folder: &Path, smtp: SocketAddr, pop3: SocketAddr) -> String {
    let data = folder.join("data");
    format!(
        "hostname = \"{DOMAIN}\"\n\
         data = {data:?}\n\
         [[listen]]\n\
         protocol = \"smtp\"\n\
         address = \"{smtp}\"\n\
         from_outside = true\n\
         [[listen]]\n\
         protocol = \"pop3\"\n\
         address = \"{pop3}\"\n\
         [registration]\n\
         per_peer_per_hour = 1000000000\n\
         [limits]\n\
         mailbox_size = \"1 TiB\"\n\
         mailbox_messages = 1000000000\n\
         transactions = 999999\n\
         connections = 100000\n\
         connections_per_peer = 100000\n"
    )
}
