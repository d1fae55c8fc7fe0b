//! Debian's `smtp-source`, which sends mail over many sessions at a time, without pipelining.

use std::net::SocketAddr;
use std::process::Command;

use crate::peers::{DOMAIN, USER};
use crate::processes::output_of;

/// A run that takes longer is broken off, in seconds.
const SECONDS_MAX: &str = "600";

/// What is sent, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load {
    pub(crate) sessions: u32,
    /// Of the body; the header comes to it.
    pub(crate) octets: u32,
    /// Of each message.
    pub(crate) recipients: u32,
    /// Whether a session sends all its messages over one connection, or each over one of its own.
    pub(crate) keeps_connection: bool,
}

impl Load {
    /// Returns when the last message was accepted.
    pub(crate) fn send(self, messages: u32, to: SocketAddr) -> anyhow::Result<()> {
        let mut command = Command::new("timeout");
        command.args([SECONDS_MAX, "smtp-source"]);
        if self.keeps_connection {
            command.arg("-d");
        }
        for (option, number) in [("-s", self.sessions), ("-m", messages), ("-l", self.octets), ("-r", self.recipients)]
        {
            command.arg(option).arg(number.to_string());
        }
        command.args(["-M", "source.example", "-f", "a@source.example", "-t", &format!("{USER}@{DOMAIN}")]);
        output_of(command.arg(to.to_string())).map(drop)
    }
}
