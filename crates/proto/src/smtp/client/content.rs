//! The message of a transaction, from the answers to its envelope to the reply to its end.

use super::super::Reply;
use super::chunk::ChunkWriter;
use super::envelope::Answers;
use super::{Breach, Delivery, Extension, Failure, Outcome, Session, Wire};
use crate::client::{Advance, Exchange};
use crate::data::{DataWriter, LineCheck};

/// The message of a transaction on its way.
#[derive(Debug)]
pub struct Content {
    session: Session,
    recipients: Answers,
    used: Vec<Extension>,
    way: Way,
    line_check: LineCheck,
}

/// How a message goes.
#[derive(Debug)]
pub(super) enum Way {
    /// Behind the reply to DATA, up to the end of data.
    Data(DataWriter),
    /// By its length.
    Chunk(ChunkWriter),
}

impl Content {
    pub(super) fn new(session: Session, recipients: Answers, used: Vec<Extension>, way: Way) -> Self {
        Self { session, recipients, used, way, line_check: LineCheck::default() }
    }

    /// The octets to carry to and from the server.
    pub fn wire(&mut self) -> &mut Wire {
        &mut self.session.wire
    }

    /// Queues a piece of the message, whose lines must end in CRLF. What was queued before should have been sent.
    pub fn write(&mut self, octets: &[u8]) -> Result<(), Failure> {
        self.line_check.read(octets);
        self.check_lines(false)?;
        match &mut self.way {
            Way::Data(writer) => self.session.wire.content(writer, octets),
            Way::Chunk(writer) => writer.write(octets, &mut self.session.wire)?,
        }
        Ok(())
    }

    /// Looks whether the server refuses the message while it should listen. To be called whenever octets were received. After
    /// a refusal, [`Content::refused`] is all that is left.
    pub fn listen(&mut self) -> Result<Option<Reply>, Failure> {
        self.session.wire.early_refusal()
    }

    /// What became of a message that was refused before it had been sent. Half a message can't be taken back, so the
    /// connection has to be closed.
    pub fn refused(self, refusal: Reply) -> Delivery {
        Delivery::new(self.recipients, Outcome::Refused(refusal))
    }

    /// Ends the message.
    pub fn finish(self) -> Result<Ending, Failure> {
        self.check_lines(true)?;
        let Self { mut session, recipients, used, way, .. } = self;
        match way {
            Way::Data(writer) => session.wire.end_of_data(writer),
            Way::Chunk(writer) => writer.finish(&mut session.wire)?,
        }
        Ok(Ending { session, recipients, used, outcome: None })
    }

    fn check_lines(&self, is_over: bool) -> Result<(), Failure> {
        if self.line_check.found_bare_line_end(is_over) { Err(Failure::BareLineEnd) } else { Ok(()) }
    }
}

/// The end of a transaction: its last reply is awaited.
#[derive(Debug)]
pub struct Ending {
    session: Session,
    recipients: Answers,
    used: Vec<Extension>,
    /// `None`: the reply decides it.
    outcome: Option<Outcome>,
}

impl Ending {
    /// An end of which the reply changes nothing.
    pub(super) fn decided(session: Session, recipients: Answers, outcome: Outcome) -> Self {
        Self { session, recipients, used: Vec::new(), outcome: Some(outcome) }
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
        if matches!(outcome, Outcome::Accepted(_)) && !self.used.is_empty() {
            let keywords: Vec<&str> = self.used.iter().map(|extension| extension.keyword()).collect();
            self.session.wire.note(&format!("sent by {}", keywords.join(", ")));
        }
        Ok(Advance::Done((self.session, Delivery::new(self.recipients, outcome))))
    }
}
