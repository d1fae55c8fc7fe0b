//! Postfix, which files mail in Maildirs.
//!
//! It is configured as Debian has it, but for what would slow it down here: it does not pause when mail comes in faster than it
//! is delivered, delivers to each mailbox as often at a time as it may, and has processes for all sessions.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;

use super::{DOMAIN, MailServer, free_address, id, listening, users};
use crate::processes::{Processes, output_of, until};
use crate::workshop::Workshop;

/// Where mail is as long as it is not delivered, below the queue folder.
const QUEUES: [&str; 4] = ["maildrop", "incoming", "active", "deferred"];
/// The most processes of each kind: a session needs one.
const PROCESSES_MAX: u32 = 200;

pub(crate) struct Postfix {
    address: SocketAddr,
    folder: PathBuf,
    owner: (u32, u32),
    processes: Processes,
}

impl Postfix {
    pub(crate) fn start(workshop: &Workshop) -> anyhow::Result<Self> {
        ensure!(rustix::process::getuid().is_root(), "Postfix starts only as root");
        let (address, folder) = (free_address()?, workshop.make("postfix")?);
        let owner = (id("-u")?, id("-g")?);
        for name in ["config", "queue", "data", "mail"] {
            fs::create_dir(folder.join(name))?;
        }
        for name in ["data", "mail"] {
            chown(folder.join(name), Some(owner.0), Some(owner.1))?;
        }
        let config = folder.join("config");
        fs::write(config.join("main.cf"), main_cf(&folder, owner))?;
        fs::write(config.join("master.cf"), master_cf(address))?;
        let said = File::create(folder.join("said"))?;
        let mut command = Command::new("postfix");
        command.arg("-c").arg(&config).arg("start-fg").stdout(said.try_clone()?).stderr(said);
        let mut postfix = Self { address, folder, owner, processes: Processes::start(&mut command)? };
        listening(address, &mut postfix.processes)?;
        Ok(postfix)
    }
}

impl MailServer for Postfix {
    fn name(&self) -> &'static str {
        "Postfix"
    }

    fn smtp(&self) -> SocketAddr {
        self.address
    }

    fn processes(&self) -> &Processes {
        &self.processes
    }

    fn empty(&mut self, workshop: &Workshop) -> anyhow::Result<()> {
        let mail = self.folder.join("mail");
        workshop.bury(&mail)?;
        fs::create_dir(&mail)?;
        Ok(chown(&mail, Some(self.owner.0), Some(self.owner.1))?)
    }

    fn finish(&self) -> anyhow::Result<bool> {
        until("Postfix has delivered everything", || {
            for queue in QUEUES {
                if has_files(&self.folder.join("queue").join(queue))? {
                    return Ok(false);
                }
            }
            Ok(true)
        })?;
        Ok(true)
    }
}

impl Drop for Postfix {
    fn drop(&mut self) {
        // The process that we have started is a script, which ends with the server.
        let stop = output_of(Command::new("postfix").arg("-c").arg(self.folder.join("config")).arg("stop"));
        if let Err(error) = stop.map(drop).and_then(|()| self.processes.wait()) {
            eprintln!("Postfix does not stop: {error:#}");
        }
    }
}

fn main_cf(folder: &Path, (user, group): (u32, u32)) -> String {
    let folder = folder.display();
    let mailboxes: String = users().map(|user| format!(" {{{user}@{DOMAIN} = {user}/}}")).collect();
    format!(
        "compatibility_level = 3.6\n\
         queue_directory = {folder}/queue\n\
         data_directory = {folder}/data\n\
         maillog_file = {folder}/log\n\
         maillog_file_prefixes = {folder}\n\
         inet_interfaces = 127.0.0.1\n\
         inet_protocols = ipv4\n\
         myhostname = postfix.example\n\
         mydestination =\n\
         alias_maps =\n\
         alias_database =\n\
         virtual_mailbox_domains = {DOMAIN}\n\
         virtual_mailbox_base = {folder}/mail\n\
         virtual_mailbox_maps = inline:{{{mailboxes} }}\n\
         virtual_mailbox_limit = 0\n\
         virtual_minimum_uid = 1\n\
         virtual_uid_maps = static:{user}\n\
         virtual_gid_maps = static:{group}\n\
         initial_destination_concurrency = 20\n\
         in_flow_delay = 0\n\
         default_process_limit = {PROCESSES_MAX}\n"
    )
}

fn master_cf(address: SocketAddr) -> String {
    format!(
        "{address} inet n - n - - smtpd\n\
         cleanup unix n - n - 0 cleanup\n\
         qmgr unix n - n 300 1 qmgr\n\
         rewrite unix - - n - - trivial-rewrite\n\
         bounce unix - - n - 0 bounce\n\
         defer unix - - n - 0 bounce\n\
         trace unix - - n - 0 bounce\n\
         proxymap unix - - n - - proxymap\n\
         error unix - - n - - error\n\
         retry unix - - n - - error\n\
         virtual unix - n n - - virtual\n\
         anvil unix - - n - 1 anvil\n\
         postlog unix-dgram n - n - 1 postlogd\n"
    )
}

/// Whether there is a file in it, or in a folder below. Whatever goes meanwhile does not count.
fn has_files(folder: &Path) -> anyhow::Result<bool> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() || has_files(&entry.path())? {
            return Ok(true);
        }
    }
    Ok(false)
}
