//! `smtp-sink`, which comes with Postfix: it takes mail and throws it away. No server that keeps mail can be faster.

use std::net::SocketAddr;
use std::process::Command;

use super::{MailServer, free_address, listening};
use crate::processes::Processes;
use crate::workshop::Workshop;

/// How many connections may wait to be accepted.
const BACKLOG: &str = "1000";

pub(crate) struct SmtpSink {
    address: SocketAddr,
    processes: Processes,
}

impl SmtpSink {
    pub(crate) fn start() -> anyhow::Result<Self> {
        let address = free_address()?;
        let mut command = Command::new("smtp-sink");
        let mut processes = Processes::start(command.args(["-u", "postfix", &address.to_string(), BACKLOG]))?;
        listening(address, &mut processes)?;
        Ok(Self { address, processes })
    }
}

impl MailServer for SmtpSink {
    fn name(&self) -> &'static str {
        "smtp-sink"
    }

    fn smtp(&self) -> SocketAddr {
        self.address
    }

    fn processes(&self) -> &Processes {
        &self.processes
    }

    fn empty(&mut self, _workshop: &Workshop) -> anyhow::Result<()> {
        Ok(())
    }

    fn finish(&self) -> anyhow::Result<bool> {
        Ok(false)
    }
}
