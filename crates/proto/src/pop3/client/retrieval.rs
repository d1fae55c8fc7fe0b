//! Messages on their way (RFC 1939 §5, RETR): the next ones are asked for while one is coming, where the server allows it.

use std::mem;

use bytes::Bytes;

use super::wire::Wire;
use super::{Capability, Confirmation, Entry, Failure, Quit, Transaction};
use crate::data::{DataReader, LineEnd, Piece};
use crate::pop3::Response;

/// The most commands without a response.
pub const PIPELINED_COMMANDS_MAX: usize = 16;

/// Mail on its way from the server.
#[derive(Debug)]
pub struct Retrieval {
    session: Transaction,
    entries: Vec<Entry>,
    /// How many of them were asked for.
    asked: usize,
    /// How many of them have come, or were refused.
    come: usize,
    /// The numbers of those that are complete.
    complete: Vec<usize>,
    state: State,
}

#[derive(Debug)]
enum State {
    Between,
    InContent(DataReader),
    /// For good: what follows a breach could look like the end.
    Failed(Failure),
}

/// What comes next in a [`Retrieval`].
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// A message begins.
    Message(Entry),
    /// The server does not give this message: another session has deleted it, or it is damaged.
    Refused(Entry, Response),
    /// Octets of the message; no more than were received at once.
    Content(Bytes),
    /// The message is complete.
    MessageEnd,
    /// There are no more messages.
    End,
    /// More has to be received first, and perhaps sent.
    NeedInput,
}

impl Retrieval {
    pub(super) fn new(session: Transaction, entries: Vec<Entry>) -> Self {
        Self { session, entries, asked: 0, come: 0, complete: Vec::new(), state: State::Between }
    }

    /// How many messages there are, by the server's word.
    pub fn count(&self) -> usize {
        self.entries.len()
    }

    /// The octets to carry to and from the server.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.session.wire
    }

    /// What comes next.
    pub fn next_event(&mut self) -> Result<Event, Failure> {
        self.ask();
        let event = self.read();
        if let Err(failure) = &event {
            self.state = State::Failed(failure.clone());
        }
        event
    }

    /// Asks for as many messages as may be outstanding.
    fn ask(&mut self) {
        let outstanding_max = outstanding_max(&self.session);
        // Those that have begun to come are outstanding for this end, if no more for the wire.
        while let Some(entry) = self.entries.get(self.asked).filter(|_| self.asked - self.come < outstanding_max) {
            self.session.wire.command(&format!("RETR {}", entry.number));
            self.asked += 1;
        }
    }

    fn read(&mut self) -> Result<Event, Failure> {
        let wire = &mut self.session.wire;
        match &mut self.state {
            State::Failed(failure) => Err(failure.clone()),
            State::Between => {
                let Some(entry) = self.entries.get(self.come) else { return Ok(Event::End) };
                let Some(response) = wire.response("RETR")? else { return Ok(Event::NeedInput) };
                if response.is_positive() {
                    self.state = State::InContent(DataReader::new(LineEnd::Strict));
                    return Ok(Event::Message(entry.clone()));
                }
                self.come += 1;
                Ok(Event::Refused(entry.clone(), response))
            }
            State::InContent(reader) => {
                let (taken, piece) = reader.read(&wire.input);
                let octets = wire.input.split_to(taken).freeze();
                Ok(match piece {
                    Some(Piece::Content(range)) => Event::Content(octets.slice(range)),
                    Some(Piece::TypedLineEnd) | None => Event::NeedInput,
                    Some(Piece::End) => {
                        self.complete.push(self.entries[self.come].number);
                        self.come += 1;
                        self.state = State::Between;
                        Event::MessageEnd
                    }
                })
            }
        }
    }

    /// Has all that was complete deleted, and says goodbye: to be called when it is safely kept. `None` unless [`Event::End`] has
    /// come.
    pub fn confirm(mut self) -> Option<Confirmation> {
        let complete = mem::take(&mut self.complete);
        self.is_at_end().then(|| Confirmation::new(self.session, complete))
    }

    /// Says goodbye. Nothing is deleted. `None` unless [`Event::End`] has come.
    pub fn quit(self) -> Option<Quit> {
        self.is_at_end().then(|| self.session.quit())
    }

    fn is_at_end(&self) -> bool {
        self.come == self.entries.len()
    }
}

/// How many commands may be outstanding.
pub(super) fn outstanding_max(session: &Transaction) -> usize {
    if session.capabilities.has(Capability::Pipelining) { PIPELINED_COMMANDS_MAX } else { 1 }
}
