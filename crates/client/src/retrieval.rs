//! Retrieving mail, a bounded piece at a time, by XRETRIEVE or by POP3.

use bytes::{Bytes, BytesMut};
use proto::{pop3, smtp};

use crate::pop3_connection::Session;
use crate::return_path::{self, FIRST_LINE_OCTETS_MAX};
use crate::transport::Transport;
use crate::{Connection, Error, Pop3Mailbox};

/// Mail on its way from the server, which keeps it until [`Retrieval::confirm`].
///
/// Dropped without that, it leaves the connection unable to say anything more: whatever it said would confirm.
#[derive(Debug)]
pub struct Retrieval<'a>(By<'a>);

/// The ways of retrieving.
#[derive(Debug)]
enum By<'a> {
    Xretrieve { connection: &'a mut Connection, machine: smtp::client::Retrieval },
    Pop3 { mailbox: &'a mut Pop3Mailbox, machine: pop3::client::Retrieval, withheld: usize },
}

/// What comes next, whichever way it comes.
enum Event {
    Message { from: String, to: String },
    /// A message begins, and says itself who sent it.
    Headed,
    Withheld,
    Content(Bytes),
    MessageEnd,
    End,
}

impl<'a> Retrieval<'a> {
    pub(crate) fn by_xretrieve(connection: &'a mut Connection, machine: smtp::client::Retrieval) -> Self {
        Self(By::Xretrieve { connection, machine })
    }

    pub(crate) fn by_pop3(mailbox: &'a mut Pop3Mailbox, machine: pop3::client::Retrieval) -> Self {
        Self(By::Pop3 { mailbox, machine, withheld: 0 })
    }

    /// How many messages there are, by the server's word: not a number to allocate by.
    pub fn count(&self) -> usize {
        match &self.0 {
            By::Xretrieve { machine, .. } => machine.count(),
            By::Pop3 { machine, .. } => machine.count(),
        }
    }

    /// How many of them the server has not given so far, although they were asked for: they stay there.
    pub fn withheld(&self) -> usize {
        match &self.0 {
            By::Xretrieve { .. } => 0,
            By::Pop3 { withheld, .. } => *withheld,
        }
    }

    /// The next message, or `None` when there is no other. What was not read of the one before is skipped.
    pub async fn next(&mut self) -> Result<Option<IncomingMessage<'_>>, Error> {
        loop {
            match self.0.next_event().await? {
                Event::Message { from, to } => return Ok(Some(IncomingMessage::new(&mut self.0, from, to))),
                Event::Headed => return IncomingMessage::headed(&mut self.0).await.map(Some),
                Event::End => return Ok(None),
                Event::Withheld | Event::Content(_) | Event::MessageEnd => {}
            }
        }
    }

    /// Tells the server that all messages are safely kept; it deletes them. Needs [`Retrieval::next`] to have said `None`.
    ///
    /// By POP3 each message is deleted, and the session ended, which alone makes it so (RFC 1939 §6).
    pub async fn confirm(self) -> Result<(), Error> {
        let is_empty = self.count() == 0;
        match self.0 {
            By::Xretrieve { connection, machine } => {
                let confirmation = machine.confirm().ok_or(Error::Unread)?;
                connection.finish(confirmation).await.map_err(|error| match error {
                    error if error.leaves_doubt() && !is_empty => Error::FlushInDoubt(error.into()),
                    error => error,
                })
            }
            By::Pop3 { mailbox, machine, .. } => {
                let confirmation = machine.confirm().ok_or(Error::Unread)?;
                let confirmed = mailbox.transport.run(confirmation).await;
                let confirmed = confirmed.and_then(|answer| answer.map_err(Error::Pop3Refused));
                confirmed.map_err(|error| if is_empty { error } else { Error::FlushInDoubt(error.into()) })?;
                mailbox.session = Session::Over;
                mailbox.transport.close().await;
                Ok(())
            }
        }
    }
}

impl By<'_> {
    /// What comes next; what has to be received for that is.
    async fn next_event(&mut self) -> Result<Event, Error> {
        loop {
            match self {
                Self::Xretrieve { connection, machine } => match machine.next_event()? {
                    smtp::client::Event::Message(block) => {
                        return Ok(Event::Message { from: block.from, to: block.to });
                    }
                    smtp::client::Event::Content(octets) => return Ok(Event::Content(octets)),
                    smtp::client::Event::MessageEnd => return Ok(Event::MessageEnd),
                    smtp::client::Event::End => return Ok(Event::End),
                    smtp::client::Event::NeedInput => connection.transport.receive(machine.wire()).await?,
                },
                Self::Pop3 { mailbox, machine, withheld } => match machine.next_event()? {
                    pop3::client::Event::Message(_) => return Ok(Event::Headed),
                    pop3::client::Event::Refused(..) => {
                        *withheld += 1;
                        return Ok(Event::Withheld);
                    }
                    pop3::client::Event::Content(octets) => return Ok(Event::Content(octets)),
                    pop3::client::Event::MessageEnd => return Ok(Event::MessageEnd),
                    pop3::client::Event::End => return Ok(Event::End),
                    pop3::client::Event::NeedInput => mailbox.transport.receive(machine.wire()).await?,
                },
            }
        }
    }

    /// Whose mail it is, where the mail itself does not say so.
    fn user(&self) -> &str {
        match self {
            Self::Xretrieve { .. } => "",
            Self::Pop3 { mailbox, .. } => &mailbox.user,
        }
    }
}
