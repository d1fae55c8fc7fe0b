//! A sender that is free in whom it sends to, which `smtp-source` is not: each session pipelines a transaction (RFC 2920), waits
//! for its replies, and goes on with the next one.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use anyhow::anyhow;

use super::dialogue::Dialogue;

/// Over so many sessions, so many jobs: each is told its number.
fn share(
    sessions: u32,
    jobs: u32,
    session: impl Fn(&dyn Fn() -> Option<u32>) -> anyhow::Result<()> + Sync,
) -> anyhow::Result<()> {
    let next = AtomicU32::new(0);
    let next_job = || Some(next.fetch_add(1, Ordering::Relaxed)).filter(|&number| number < jobs);
    thread::scope(|scope| {
        let sessions: Vec<_> = (0..sessions).map(|_| scope.spawn(|| session(&next_job))).collect();
        sessions.into_iter().try_for_each(|session| session.join().map_err(|_| anyhow!("a client has died"))?)
    })
}

/// Sends so many messages of a KiB. `recipient` says to whom, by the number of the message.
pub(crate) fn send(
    address: SocketAddr,
    sessions: u32,
    messages: u32,
    recipient: impl Fn(u32) -> String + Sync,
) -> anyhow::Result<()> {
    let line = format!("{}\r\n", "x".repeat(62));
    let body = format!("Subject: growth\r\n\r\n{}.\r\n", line.repeat(16));
    share(sessions, messages, |next| {
        let mut dialogue = Dialogue::new(address)?;
        dialogue.say("EHLO source.example", "250")?;
        while let Some(number) = next() {
            let commands = format!("MAIL FROM:<a@source.example>\r\nRCPT TO:<{}>\r\nDATA\r\n", recipient(number));
            dialogue.write(commands.as_bytes())?;
            for wanted in ["250", "250", "354"] {
                dialogue.hear(wanted)?;
            }
            dialogue.write(body.as_bytes())?;
            dialogue.hear("250")?;
        }
        dialogue.say("QUIT", "221").map(drop)
    })
}

/// Registers so many accounts with the password of RFC 7677, section 3. `name` names them, by their numbers.
pub(crate) fn register(
    address: SocketAddr,
    sessions: u32,
    accounts: u32,
    name: impl Fn(u32) -> String + Sync,
) -> anyhow::Result<()> {
    const XPASSWD: &str = "XPASSWD VERIFIER=SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==\
                           $WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
    share(sessions, accounts, |next| {
        while let Some(number) = next() {
            // A session speaks for one account at most.
            let mut dialogue = Dialogue::new(address)?;
            dialogue.say(&format!("XREGISTER {}", name(number)), "250")?;
            dialogue.say(XPASSWD, "250")?;
            dialogue.say("QUIT", "221")?;
        }
        Ok(())
    })
}
