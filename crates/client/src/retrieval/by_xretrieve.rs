//! Mail that XRETRIEVE gives: each message behind a block with its envelope.

use proto::smtp::client::{Event as Smtp, Retrieval as Machine};

use super::Event;
use crate::{Connection, Error};

#[derive(Debug)]
pub(super) struct ByXretrieve<'a> {
    connection: &'a mut Connection,
    machine: Machine,
}

impl<'a> ByXretrieve<'a> {
    pub(super) fn new(connection: &'a mut Connection, machine: Machine) -> Self {
        Self { connection, machine }
    }

    pub(super) fn count(&self) -> usize {
        self.machine.count()
    }

    pub(super) async fn next_event(&mut self) -> Result<Event, Error> {
        loop {
            match self.machine.next_event()? {
                Smtp::Message(block) => return Ok(Event::Message { from: block.from, to: block.to }),
                Smtp::Content(octets) => return Ok(Event::Content(octets)),
                Smtp::MessageEnd => return Ok(Event::MessageEnd),
                Smtp::End => return Ok(Event::End),
                Smtp::NeedInput => self.connection.transport.receive(self.machine.wire()).await?,
            }
        }
    }

    pub(super) async fn confirm(self) -> Result<(), Error> {
        let is_empty = self.count() == 0;
        let confirmation = self.machine.confirm().ok_or(Error::Unread)?;
        // Whatever went wrong: the mail is kept here, and may be there too.
        self.connection
            .finish(confirmation)
            .await
            .map_err(|error| if is_empty { error } else { Error::FlushInDoubt(error.into()) })
    }
}
