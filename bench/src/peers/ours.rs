//! Our own server, `mymail serve`. It logs as it does by itself, to a file.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, Command, Stdio};

use anyhow::Context;

use super::{DOMAIN, MailServer, USER, free_address, users};
use crate::processes::{Processes, output_of};
use crate::workshop::Workshop;

pub(crate) struct Ours {
    program: PathBuf,
    folder: PathBuf,
    smtp: SocketAddr,
    pop3: SocketAddr,
    /// Empty if it has none.
    password: String,
    processes: Processes,
    /// Held open: the server may say something.
    _stdout: BufReader<ChildStdout>,
}

impl Ours {
    /// A new one, with an empty mailbox for each user.
    pub(crate) fn start(program: &Path, workshop: &Workshop) -> anyhow::Result<Self> {
        let mut ours = Self::open(program, &Self::make_folder(workshop)?)?;
        ours.add_users()?;
        Ok(ours)
    }

    /// A folder for one, with its configuration and no store.
    pub(crate) fn make_folder(workshop: &Workshop) -> anyhow::Result<PathBuf> {
        let folder = workshop.make("ours")?;
        fs::write(folder.join("mymail.toml"), configuration(&folder, free_address()?, free_address()?))?;
        Ok(folder)
    }

    /// One that keeps its mail in the database at this URL, and has no user of its own.
    pub(crate) fn on_postgresql(program: &Path, workshop: &Workshop, url: &str) -> anyhow::Result<Self> {
        let folder = Self::make_folder(workshop)?;
        let mut file = File::options().append(true).open(folder.join("mymail.toml"))?;
        write!(file, "[store]\nengine = \"postgres\"\nurl = \"{url}\"\n")?;
        Self::open(program, &folder)
    }

    /// Runs one in a folder until it says that it is ready.
    pub(crate) fn open(program: &Path, folder: &Path) -> anyhow::Result<Self> {
        let log = File::options().create(true).append(true).open(folder.join("log"))?;
        let mut command = Command::new(program);
        command.arg("serve").arg("--config").arg(folder.join("mymail.toml"));
        command.env_remove("RUST_LOG").stdout(Stdio::piped()).stderr(log);
        let mut processes = Processes::start(&mut command)?;
        let stdout = processes.main().stdout.take().context("the server has no standard output")?;
        let mut stdout = BufReader::new(stdout);
        let mut listener = |protocol: &str| {
            let mut line = String::new();
            stdout.read_line(&mut line)?;
            let address = line.strip_prefix(&format!("listening {protocol} "));
            let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
            anyhow::Ok(address.with_context(|| format!("mymail does not start: {}", log()))?.trim().parse()?)
        };
        let (smtp, pop3) = (listener("smtp")?, listener("pop3")?);
        let (program, folder) = (program.to_owned(), folder.to_owned());
        Ok(Self { program, folder, smtp, pop3, password: String::new(), processes, _stdout: stdout })
    }

    /// Makes the accounts.
    fn add_users(&mut self) -> anyhow::Result<()> {
        for user in users() {
            let mut command = Command::new(&self.program);
            command.args(["admin", "add", &user, "--data"]).arg(self.folder.join("data"));
            let password = output_of(&mut command)?;
            if user == USER {
                self.password = password.trim().to_owned();
            }
        }
        Ok(())
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
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
        self.processes.stop()?;
        workshop.bury(&self.folder.join("data"))?;
        *self = Self::open(&self.program, &self.folder)?;
        self.add_users()
    }

    fn finish(&self) -> anyhow::Result<bool> {
        Ok(false)
    }
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
