//! Dovecot, which reads Maildirs by POP3.
//!
//! It is configured as Debian has it, but that a login process serves many connections ("high-performance mode" in its
//! documentation) instead of one.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::Command;

use anyhow::ensure;
use tempfile::TempDir;

use super::{USER, free_address, id, listening};
use crate::processes::Processes;
use crate::workshop::Workshop;

pub(crate) const PASSWORD: &str = "correct-horse-battery-staple";
/// The most connections that have not logged in.
const CLIENTS_MAX: u32 = 12_000;

pub(crate) struct Dovecot {
    pub(crate) pop3: SocketAddr,
    folder: PathBuf,
    owner: (u32, u32),
    processes: Processes,
    /// For its sockets, whose paths must not be long.
    _sockets: TempDir,
}

impl Dovecot {
    pub(crate) fn start(workshop: &Workshop) -> anyhow::Result<Self> {
        ensure!(rustix::process::getuid().is_root(), "Dovecot starts only as root");
        let (pop3, folder, sockets) = (free_address()?, workshop.make("dovecot")?, tempfile::tempdir()?);
        fs::write(folder.join("passwords"), format!("{USER}:{{PLAIN}}{PASSWORD}\n"))?;
        let base = sockets.path().join("dovecot");
        let config = format!(
            "base_dir = {base}\n\
             state_dir = {base}/state\n\
             log_path = {folder}/log\n\
             protocols = pop3\n\
             listen = 127.0.0.1\n\
             ssl = no\n\
             disable_plaintext_auth = no\n\
             auth_mechanisms = plain\n\
             first_valid_uid = 1\n\
             mail_location = maildir:{folder}/mail/%n\n\
             passdb {{\n driver = passwd-file\n args = {folder}/passwords\n}}\n\
             userdb {{\n driver = static\n args = uid=postfix gid=postfix home={folder}/mail/%n\n}}\n\
             service pop3-login {{\n\
             service_count = 0\n\
             client_limit = {CLIENTS_MAX}\n\
             inet_listener pop3 {{\n port = {port}\n}}\n\
             }}\n\
             service anvil {{\n client_limit = {CLIENTS_MAX}\n}}\n\
             service auth {{\n client_limit = {CLIENTS_MAX}\n}}\n",
            base = base.display(),
            folder = folder.display(),
            port = pop3.port(),
        );
        let file = folder.join("dovecot.conf");
        fs::write(&file, config)?;
        let said = File::create(folder.join("said"))?;
        let mut command = Command::new("dovecot");
        command.args(["-F", "-c"]).arg(&file).stdout(said.try_clone()?).stderr(said);
        let mut processes = Processes::start(&mut command)?;
        listening(pop3, &mut processes)?;
        let dovecot = Self { pop3, folder, owner: (id("-u")?, id("-g")?), processes, _sockets: sockets };
        dovecot.make_mailbox()?;
        Ok(dovecot)
    }

    pub(crate) fn processes(&self) -> &Processes {
        &self.processes
    }

    /// Puts the mailbox aside and makes another one with so many messages of a KiB, as its own delivery would name them.
    pub(crate) fn fill(&self, workshop: &Workshop, messages: u32) -> anyhow::Result<()> {
        let mail = self.folder.join("mail");
        workshop.bury(&mail)?;
        self.make_mailbox()?;
        let line = format!("{}\n", "X".repeat(63));
        let message = format!(
            "From: <a@source.example>\nTo: <{USER}@bench.example>\nDate: Mon, 12 Oct 2026 10:00:00 +0000\n\
             Message-Id: <1@source.example>\n\n{}",
            line.repeat(16)
        );
        let (size, size_on_the_wire) = (message.len(), message.len() + message.matches('\n').count());
        for number in 0..messages {
            let name = format!("1795536542.M{number:06}P1.bench,S={size},W={size_on_the_wire}");
            let path = mail.join(USER).join("new").join(name);
            fs::write(&path, &message)?;
            chown(&path, Some(self.owner.0), Some(self.owner.1))?;
        }
        Ok(())
    }

    fn make_mailbox(&self) -> anyhow::Result<()> {
        let mailbox = self.folder.join("mail").join(USER);
        for name in ["", "new", "cur", "tmp"] {
            fs::create_dir_all(mailbox.join(name))?;
            chown(mailbox.join(name), Some(self.owner.0), Some(self.owner.1))?;
        }
        Ok(())
    }
}
