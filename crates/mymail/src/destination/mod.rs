//! Where retrieved mail goes: shown as text, JSON or raw octets, or filed in an mbox or a Maildir.
//!
//! The server flushes a mailbox once we tell it that all is kept. So every [`Destination`] has a [`commit`], which returns
//! only when the mail is where the user wants it. Dropped before that, as when the user interrupts, it leaves nothing
//! half-done behind in a file. Only SIGKILL and a power failure may: half a message at the end of an mbox, or in the `tmp` of
//! a Maildir.
//!
//! [`commit`]: Destination::commit

use std::io;

mod filed;
mod json;
mod maildir;
mod mbox;
mod quoted;
mod raw;
mod text;

pub(crate) use json::Json;
pub(crate) use maildir::Maildir;
pub(crate) use mbox::Mbox;
pub(crate) use raw::Raw;
pub(crate) use text::Text;

/// Takes messages one after the other, each in pieces.
pub(crate) trait Destination {
    /// Begins a message; `from` and `to` are those of the server's header block.
    fn begin(&mut self, from: &str, to: &str) -> io::Result<()>;

    /// Takes the next octets of the message.
    fn write(&mut self, octets: &[u8]) -> io::Result<()>;

    /// Ends the message.
    fn end(&mut self) -> io::Result<()>;

    /// Returns once all messages are safely kept.
    fn commit(self: Box<Self>) -> io::Result<()>;
}

#[cfg(test)]
fn deliver(destination: &mut dyn Destination, from: &str, to: &str, message: &[u8]) {
    destination.begin(from, to).unwrap();
    for piece in message.chunks(7) {
        destination.write(piece).unwrap();
    }
    destination.end().unwrap();
}
