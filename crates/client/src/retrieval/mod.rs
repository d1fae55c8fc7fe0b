//! Retrieving mail, a bounded piece at a time, by XRETRIEVE or by POP3.

mod by_pop3;
mod by_xretrieve;

use bytes::Bytes;
use proto::{pop3, smtp};

use crate::{Connection, Error, Pop3Mailbox};
use by_pop3::ByPop3;
use by_xretrieve::ByXretrieve;

/// Mail on its way from the server, which keeps it until [`Retrieval::confirm`].
///
/// Dropped without that, it leaves the connection unable to say anything more: whatever it said would confirm.
#[derive(Debug)]
pub struct Retrieval<'a>(Way<'a>);

#[derive(Debug)]
enum Way<'a> {
    Xretrieve(ByXretrieve<'a>),
    Pop3(ByPop3<'a>),
}

/// What comes next, whichever way it comes.
enum Event {
    Message { from: String, to: String },
    Content(Bytes),
    MessageEnd,
    End,
}

impl<'a> Retrieval<'a> {
    pub(crate) fn by_xretrieve(connection: &'a mut Connection, machine: smtp::client::Retrieval) -> Self {
        Self(Way::Xretrieve(ByXretrieve::new(connection, machine)))
    }

    pub(crate) fn by_pop3(mailbox: &'a mut Pop3Mailbox, machine: pop3::client::Retrieval) -> Self {
        Self(Way::Pop3(ByPop3::new(mailbox, machine)))
    }

    /// How many messages there are, by the server's word: not a number to allocate by.
    pub fn count(&self) -> usize {
        match &self.0 {
            Way::Xretrieve(mail) => mail.count(),
            Way::Pop3(mail) => mail.count(),
        }
    }

    /// How many of them the server would not give so far, as a POP3 server may: they stay there.
    pub fn withheld(&self) -> usize {
        match &self.0 {
            Way::Xretrieve(_) => 0,
            Way::Pop3(mail) => mail.withheld(),
        }
    }

    /// What the server said of the first ten that it would not give, each with its number in this session.
    pub fn refusals(&self) -> &[(usize, pop3::Response)] {
        match &self.0 {
            Way::Xretrieve(_) => &[],
            Way::Pop3(mail) => mail.refusals(),
        }
    }

    /// The next message, or `None` when there is no other. What was not read of the one before is skipped.
    pub async fn next(&mut self) -> Result<Option<IncomingMessage<'_, 'a>>, Error> {
        loop {
            match self.0.next_event().await? {
                Event::Message { from, to } => {
                    return Ok(Some(IncomingMessage { way: &mut self.0, from, to, is_complete: false }));
                }
                Event::End => return Ok(None),
                Event::Content(_) | Event::MessageEnd => {}
            }
        }
    }

    /// Tells the server that all messages are safely kept; it deletes them. Needs [`Retrieval::next`] to have said `None`.
    ///
    /// By POP3, each is deleted and then the session is ended, which alone makes it so (RFC 1939 §6).
    pub async fn confirm(self) -> Result<(), Error> {
        match self.0 {
            Way::Xretrieve(mail) => mail.confirm().await,
            Way::Pop3(mail) => mail.confirm().await,
        }
    }
}

impl Way<'_> {
    async fn next_event(&mut self) -> Result<Event, Error> {
        match self {
            Self::Xretrieve(mail) => mail.next_event().await,
            Self::Pop3(mail) => mail.next_event().await,
        }
    }
}

/// One message on its way from the server.
#[derive(Debug)]
pub struct IncomingMessage<'m, 'a> {
    way: &'m mut Way<'a>,
    from: String,
    to: String,
    is_complete: bool,
}

impl IncomingMessage<'_, '_> {
    /// The address that it was sent from, or `<>`. Not made safe for a terminal.
    ///
    /// POP3 does not tell: there it is that of the message's Return-Path, if it begins with one, and `<>` otherwise.
    pub fn from(&self) -> &str {
        &self.from
    }

    /// The address that it was sent to; by POP3, the user that logged in. Not made safe for a terminal.
    pub fn to(&self) -> &str {
        &self.to
    }

    /// The next octets of the message; `None` at its end. They are as its sender sent them, without the block of XRETRIEVE. A
    /// POP3 server may have put trace lines before them.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        if self.is_complete {
            return Ok(None);
        }
        match self.way.next_event().await? {
            Event::Content(octets) => Ok(Some(octets)),
            Event::MessageEnd | Event::Message { .. } | Event::End => {
                self.is_complete = true;
                Ok(None)
            }
        }
    }
}
