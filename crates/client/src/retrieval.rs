//! Retrieving mail, a bounded piece at a time.

use bytes::Bytes;
use proto::smtp::client::{Block, Event, Retrieval as Machine};

use crate::transport::Transport;
use crate::{Connection, Error};

/// Mail on its way from the server, which keeps it until [`Retrieval::confirm`].
///
/// Dropped without that, it leaves the connection unable to say anything more: whatever it said would confirm.
#[derive(Debug)]
pub struct Retrieval<'a> {
    connection: &'a mut Connection,
    machine: Machine,
}

impl<'a> Retrieval<'a> {
    pub(crate) fn new(connection: &'a mut Connection, machine: Machine) -> Self {
        Self { connection, machine }
    }

    /// How many messages there are, by the server's word: not a number to allocate by.
    pub fn count(&self) -> usize {
        self.machine.count()
    }

    /// The next message, or `None` when there is no other. What was not read of the one before is skipped.
    pub async fn next(&mut self) -> Result<Option<IncomingMessage<'_>>, Error> {
        let Self { connection: Connection { transport, .. }, machine } = self;
        loop {
            match next_event(transport, machine).await? {
                Event::Message(block) => {
                    return Ok(Some(IncomingMessage { transport, machine, block, is_complete: false }));
                }
                Event::End => return Ok(None),
                Event::Content(_) | Event::MessageEnd | Event::NeedInput => {}
            }
        }
    }

    /// Tells the server that all messages are safely kept; it deletes them. Needs [`Retrieval::next`] to have said `None`.
    pub async fn confirm(self) -> Result<(), Error> {
        let is_empty = self.machine.count() == 0;
        let confirmation = self.machine.confirm().ok_or(Error::Unread)?;
        self.connection.finish(confirmation).await.map_err(|error| match error {
            error if error.leaves_doubt() && !is_empty => Error::FlushInDoubt(error.into()),
            error => error,
        })
    }
}

/// One message on its way from the server.
#[derive(Debug)]
pub struct IncomingMessage<'a> {
    transport: &'a mut Transport,
    machine: &'a mut Machine,
    block: Block,
    is_complete: bool,
}

impl IncomingMessage<'_> {
    /// The address that it was sent from, or `<>`. Not made safe for a terminal.
    pub fn from(&self) -> &str {
        &self.block.from
    }

    /// The address that it was sent to. Not made safe for a terminal.
    pub fn to(&self) -> &str {
        &self.block.to
    }

    /// The next octets of the message, as its sender sent them and without the block; `None` at its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Error> {
        if self.is_complete {
            return Ok(None);
        }
        match next_event(self.transport, self.machine).await? {
            Event::Content(octets) => Ok(Some(octets)),
            Event::MessageEnd | Event::Message(_) | Event::End | Event::NeedInput => {
                self.is_complete = true;
                Ok(None)
            }
        }
    }
}

/// What comes next, never [`Event::NeedInput`].
async fn next_event(transport: &mut Transport, machine: &mut Machine) -> Result<Event, Error> {
    loop {
        match machine.next_event()? {
            Event::NeedInput => transport.receive(machine.wire()).await?,
            event => return Ok(event),
        }
    }
}
