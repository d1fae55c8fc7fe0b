//! Clients that read a mailbox and have it emptied: over POP3 with pipelining (RFC 2449), and by XRETRIEVE.

use std::io::Write;
use std::net::SocketAddr;
use std::thread;

use anyhow::{anyhow, ensure};

use super::dialogue::{Dialogue, number_in};
use crate::peers::USER;

/// Retrieves and deletes all messages, of which there have to be so many.
pub(crate) fn by_pop3(address: SocketAddr, password: &str, messages: u32) -> anyhow::Result<()> {
    let mut dialogue = Dialogue::for_reading(address)?;
    let there = dialogue.open_maildrop(USER, password)?;
    ensure!(there == messages, "{there} messages are in the mailbox instead of {messages}");
    let mut writer = dialogue.writer()?;
    let commands: String = (1..=messages).map(|number| format!("RETR {number}\r\nDELE {number}\r\n")).collect();
    thread::scope(|scope| {
        let writing = scope.spawn(move || writer.write_all(commands.as_bytes()));
        for _ in 0..messages {
            dialogue.hear("+OK")?;
            dialogue.skip_message()?;
            dialogue.hear("+OK")?;
        }
        writing.join().map_err(|_| anyhow!("the client's writer has died"))??;
        dialogue.say("QUIT", "+OK").map(drop)
    })
}

/// Retrieves all messages, of which there have to be so many, and confirms that it has them.
pub(crate) fn by_xretrieve(address: SocketAddr, password: &str, messages: u32) -> anyhow::Result<()> {
    let mut dialogue = Dialogue::for_reading(address)?;
    dialogue.authenticate(USER, password)?;
    // The enhanced code comes before the number, and is none.
    let there = number_in(&dialogue.say("XRETRIEVE", "250")?)?;
    ensure!(there == messages, "{there} messages are in the mailbox instead of {messages}");
    for _ in 0..messages {
        dialogue.skip_message()?;
    }
    dialogue.say("QUIT", "221").map(drop)
}
