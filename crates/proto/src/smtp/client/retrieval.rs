//! Retrieving mail: the reply to XRETRIEVE says how many messages follow, each begins with a [`Block`] and ends as mail data
//! does (docs/wire.md). The server lets go of them at the next command, so that must not come before they are kept.

use bytes::Bytes;
use memchr::memchr;

use super::super::Reply;
use super::block::BlockReader;
use super::{Ask, Block, Breach, Failure, Session, Wire};
use crate::client::{Advance, Exchange};
use crate::data::{DataReader, LineEnd, Piece};

/// The most messages that a server can make a client believe in.
pub const MESSAGES_MAX: usize = 10_000_000;

/// A request for mail whose reply is awaited.
#[derive(Debug)]
pub struct RetrievalRequest(Ask<usize>);

impl RetrievalRequest {
    pub(super) fn new(session: Session, arguments: &str) -> Self {
        Self(session.ask("XRETRIEVE", arguments, count))
    }
}

impl Exchange for RetrievalRequest {
    /// The mail on its way, or the session and the refusal.
    type Outcome = Result<Retrieval, (Session, Reply)>;
    type Wire = Wire;
    type Failure = Failure;

    fn wire(&mut self) -> &mut Wire {
        self.0.wire()
    }

    fn advance(self) -> Result<Advance<Self>, Failure> {
        Ok(match self.0.advance()? {
            Advance::Waiting(ask) => Advance::Waiting(Self(ask)),
            Advance::Done((session, Ok(count))) => Advance::Done(Ok(Retrieval::new(session, count))),
            Advance::Done((session, Err(refusal))) => Advance::Done(Err((session, refusal))),
        })
    }
}

/// `250 2 messages; …`
fn count(reply: &Reply) -> Option<usize> {
    let (count, rest) = reply.text().split_once(' ')?;
    let count = count.parse().ok().filter(|count| *count <= MESSAGES_MAX)?;
    rest.starts_with("message").then_some(count)
}

/// Mail on its way from the server.
#[derive(Debug)]
pub struct Retrieval {
    session: Session,
    count: usize,
    /// How many messages have not begun yet.
    left: usize,
    /// Reads the present message.
    reader: DataReader,
    state: State,
}

#[derive(Debug)]
enum State {
    Between,
    InBlock(BlockReader),
    InContent,
    /// For good: what follows a breach could look like the end.
    Failed(Failure),
}

/// What comes next in a [`Retrieval`].
#[derive(Debug, PartialEq, Eq)]
pub enum Event {
    /// A message begins.
    Message(Block),
    /// Octets of the message, as its sender sent them; no more than were received at once.
    Content(Bytes),
    /// The message is complete.
    MessageEnd,
    /// All messages are complete.
    End,
    /// More has to be received first.
    NeedInput,
}

impl Retrieval {
    fn new(session: Session, count: usize) -> Self {
        Self { session, count, left: count, reader: DataReader::new(LineEnd::Strict), state: State::Between }
    }

    /// How many messages there are, by the server's word.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The octets to carry to and from the server.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.session.wire
    }

    /// What comes next.
    pub fn next_event(&mut self) -> Result<Event, Failure> {
        let event = self.read();
        if let Err(failure) = &event {
            self.state = State::Failed(failure.clone());
        }
        event
    }

    fn read(&mut self) -> Result<Event, Failure> {
        loop {
            let Self { session: Session { wire, .. }, reader, state, .. } = self;
            match state {
                State::Failed(failure) => return Err(failure.clone()),
                State::Between if self.left == 0 => return Ok(Event::End),
                State::Between if wire.input.is_empty() => return Ok(Event::NeedInput),
                // No block begins with a digit: this is a server that gives up.
                State::Between if wire.input[0].is_ascii_digit() => {
                    if let Some(refusal) = wire.early_refusal()? {
                        return Err(Failure::Closing(refusal));
                    }
                    return Ok(Event::NeedInput);
                }
                State::Between => {
                    self.left -= 1;
                    *reader = DataReader::new(LineEnd::Strict);
                    *state = State::InBlock(BlockReader::default());
                }
                State::InBlock(block_reader) => {
                    let line_octets = memchr(b'\n', &wire.input).map_or(wire.input.len(), |at| at + 1);
                    let (taken, piece) = reader.read(&wire.input[..line_octets]);
                    let octets = wire.input.split_to(taken);
                    let block = match piece {
                        Some(Piece::Content(range)) => block_reader.take(&octets[range])?,
                        Some(Piece::TypedLineEnd | Piece::End) => return Err(Breach::Block.into()),
                        None if taken == 0 => return Ok(Event::NeedInput),
                        None => None,
                    };
                    if let Some(block) = block {
                        *state = State::InContent;
                        return Ok(Event::Message(block));
                    }
                }
                State::InContent => {
                    let (taken, piece) = reader.read(&wire.input);
                    let octets = wire.input.split_to(taken).freeze();
                    return Ok(match piece {
                        Some(Piece::Content(range)) => Event::Content(octets.slice(range)),
                        Some(Piece::TypedLineEnd) | None => Event::NeedInput,
                        Some(Piece::End) => {
                            *state = State::Between;
                            Event::MessageEnd
                        }
                    });
                }
            }
        }
    }

    /// Tells the server that all messages are safely kept, so that it lets go of them. `None` unless [`Event::End`] has come:
    /// to confirm what was not read would lose it.
    pub fn confirm(self) -> Option<Ask<()>> {
        matches!((&self.state, self.left), (State::Between, 0)).then(|| self.session.noop())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Octets;
    use crate::smtp::client::Extensions;

    #[test]
    fn after_a_breach_nothing_is_believed_or_confirmed() {
        let mut retrieval = Retrieval::new(Session::new(Wire::new(None), Extensions::default()), 1);
        // A block that the message ends in, and more that would make it whole.
        retrieval.wire().receive(b"*****\r\nFrom: 9@m\r\nTo: 10@m\r\nMIME-Version: 1.0\r\nContent-Type: text\r\n.\r\n");
        retrieval.wire().receive(b"*****\r\nHello\r\n.\r\n");
        assert_eq!(retrieval.next_event(), Err(Breach::Block.into()));
        assert_eq!(retrieval.next_event(), Err(Breach::Block.into()));
        assert!(retrieval.confirm().is_none());
    }
}
