//! The servers that are measured. Each is an instance of its own, with its own configuration, on high ports of the loopback
//! interface, stopped when dropped.

mod dovecot;
mod ours;
mod postfix;
mod smtp_sink;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::process::Command;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::ensure;

pub(crate) use dovecot::{Dovecot, PASSWORD};
pub(crate) use ours::Ours;
pub(crate) use postfix::Postfix;
pub(crate) use smtp_sink::SmtpSink;

use crate::processes::{Processes, output_of, until};
use crate::workshop::Workshop;

/// The domain that mail is for.
pub(crate) const DOMAIN: &str = "bench.example";
/// The user that it is for. Where there are more, `smtp-source` puts a number in front.
pub(crate) const USER: &str = "u";
/// The most recipients of a message, each an account.
pub(crate) const RECIPIENTS_MAX: u32 = 10;

/// Ports to listen on.
const PORTS: RangeInclusive<u16> = 20_000..=32_000;

/// Whoever takes mail.
pub(crate) trait MailServer {
    fn name(&self) -> &'static str;

    /// Where it takes mail.
    fn smtp(&self) -> SocketAddr;

    fn processes(&self) -> &Processes;

    /// Puts all its mail aside, so that it is as new.
    fn empty(&mut self, workshop: &Workshop) -> anyhow::Result<()>;

    /// Waits until all that it has taken is in the mailboxes. `false`: it takes nothing before.
    fn finish(&self) -> anyhow::Result<bool>;
}

/// The names of the users, those of `smtp-source -r`.
fn users() -> impl Iterator<Item = String> {
    let numbered = (2..=RECIPIENTS_MAX).map(|number| format!("{number}{USER}"));
    std::iter::once(USER.to_owned()).chain(numbered)
}

/// The number of the user (`-u`) or group (`-g`) that the mail of other servers belongs to.
fn id(option: &str) -> anyhow::Result<u32> {
    Ok(output_of(Command::new("id").args([option, "postfix"]))?.trim().parse()?)
}

/// An address that nobody listens on. The system takes ports of clients from above these.
fn free_address() -> anyhow::Result<SocketAddr> {
    static NEXT: AtomicU16 = AtomicU16::new(*PORTS.start());
    loop {
        let port = NEXT.fetch_add(1, Ordering::Relaxed);
        ensure!(PORTS.contains(&port), "no port is free");
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return Ok(listener.local_addr()?);
        }
    }
}

/// Waits until somebody listens there.
fn listening(address: SocketAddr, processes: &mut Processes) -> anyhow::Result<()> {
    until("a server listens", || {
        ensure!(processes.main().try_wait()?.is_none(), "a server has ended at once");
        Ok(TcpStream::connect(address).is_ok())
    })
}
