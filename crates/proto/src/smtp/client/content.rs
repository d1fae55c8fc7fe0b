//! The message of a transaction, from the reply to DATA to the reply to its end.

use memchr::memchr2_iter;

use crate::Address;

use super::super::Reply;
use super::{Breach, Delivery, Failure, Outcome, Session, Wire};
use crate::client::{Advance, Exchange};
use crate::data::DataWriter;

/// The message of a transaction on its way.
#[derive(Debug)]
pub struct Content {
    session: Session,
    recipients: Vec<(Address, Reply)>,
    writer: DataWriter,
    line_ends: LineEnds,
}

impl Content {
    pub(super) fn new(session: Session, recipients: Vec<(Address, Reply)>) -> Self {
        Self { session, recipients, writer: DataWriter::new(), line_ends: LineEnds::default() }
    }

    /// The octets to carry to and from the server.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.session.wire
    }

    /// Queues a piece of the message, whose lines must end in CRLF. What was queued before should have been sent.
    pub fn write(&mut self, octets: &[u8]) -> Result<(), Failure> {
        self.line_ends.check(octets)?;
        self.session.wire.content(&mut self.writer, octets);
        Ok(())
    }

    /// Looks whether the server has something to say while it should listen. To be called whenever octets were received.
    pub fn listen(&mut self) -> Result<(), Failure> {
        self.session.wire.expect_silence()
    }

    /// Ends the message.
    pub fn finish(self) -> Result<Ending, Failure> {
        let Self { mut session, recipients, writer, line_ends } = self;
        line_ends.finish()?;
        session.wire.end_of_data(writer);
        Ok(Ending { session, recipients, outcome: None })
    }
}

/// The end of a transaction: its last reply is awaited.
#[derive(Debug)]
pub struct Ending {
    session: Session,
    recipients: Vec<(Address, Reply)>,
    /// `None`: the reply decides it.
    outcome: Option<Outcome>,
}

impl Ending {
    /// An end of which the reply changes nothing.
    pub(super) fn decided(session: Session, recipients: Vec<(Address, Reply)>, outcome: Outcome) -> Self {
        Self { session, recipients, outcome: Some(outcome) }
    }
}

impl Exchange for Ending {
    type Outcome = (Session, Delivery);
    type Wire = Wire;
    type Failure = Failure;

    fn wire(&mut self) -> &mut Wire {
        &mut self.session.wire
    }

    fn advance(mut self) -> Result<Advance<Self>, Failure> {
        let Some(reply) = self.session.wire.reply()? else { return Ok(Advance::Waiting(self)) };
        let outcome = match self.outcome {
            Some(outcome) => outcome,
            None if reply.is_positive() => Outcome::Accepted(reply),
            None if reply.is_negative() => Outcome::Refused(reply),
            None => return Err(Breach::Unexpected { to: "the message", reply }.into()),
        };
        Ok(Advance::Done((self.session, Delivery { recipients: self.recipients, outcome })))
    }
}

/// Sees to it that CR and LF come in pairs only.
#[derive(Debug, Default)]
struct LineEnds {
    after_cr: bool,
}

impl LineEnds {
    fn check(&mut self, octets: &[u8]) -> Result<(), Failure> {
        let Some(last) = octets.last() else { return Ok(()) };
        if self.after_cr && octets[0] != b'\n' {
            return Err(Failure::BareLineEnd);
        }
        for at in memchr2_iter(b'\r', b'\n', octets) {
            let paired = match octets[at] {
                b'\r' => octets.get(at + 1).is_none_or(|next| *next == b'\n'),
                _ if at == 0 => self.after_cr,
                _ => octets[at - 1] == b'\r',
            };
            if !paired {
                return Err(Failure::BareLineEnd);
            }
        }
        self.after_cr = *last == b'\r';
        Ok(())
    }

    fn finish(&self) -> Result<(), Failure> {
        if self.after_cr { Err(Failure::BareLineEnd) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn is_clean(octets: &[u8], chunk: usize) -> bool {
        let mut line_ends = LineEnds::default();
        octets.chunks(chunk).try_for_each(|piece| line_ends.check(piece)).and_then(|()| line_ends.finish()).is_ok()
    }

    proptest! {
        #[test]
        fn line_ends_are_crlf_alone(
            octets in proptest::collection::vec(proptest::sample::select(b"a\r\n".to_vec()), 0..12),
            crlf in any::<bool>(),
            chunk in 1..5usize,
        ) {
            let text = String::from_utf8(octets).unwrap();
            let text = if crlf { text.replace('\r', "").replace('\n', "\r\n") } else { text };
            let bare = text.replace("\r\n", "").contains(['\r', '\n']);
            prop_assert_eq!(is_clean(text.as_bytes(), chunk), !bare, "{:?}", text);
        }
    }
}
