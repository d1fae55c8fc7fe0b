//! What was retrieved is deleted: DELE for each message, and QUIT, which makes it so (RFC 1939 §6).

use super::retrieval::outstanding_max;
use super::wire::Wire;
use super::{Failure, Transaction};
use crate::client::{Advance, Exchange};
use crate::pop3::Response;

/// The deletion of what was retrieved, on its way.
#[derive(Debug)]
pub struct Confirmation {
    session: Transaction,
    /// The numbers of the messages to delete.
    numbers: Vec<usize>,
    /// How many of them were asked for.
    asked: usize,
    /// How many of them were answered.
    answered: usize,
    /// The first message that the server would not delete.
    refusal: Option<Response>,
    has_quit: bool,
}

impl Confirmation {
    pub(super) fn new(session: Transaction, numbers: Vec<usize>) -> Self {
        let mut confirmation = Self { session, numbers, asked: 0, answered: 0, refusal: None, has_quit: false };
        confirmation.ask();
        confirmation
    }

    /// Says what may be said without waiting. QUIT comes alone: it is to be known what it does.
    fn ask(&mut self) {
        let outstanding_max = outstanding_max(&self.session);
        while let Some(number) =
            self.numbers.get(self.asked).filter(|_| self.session.wire.outstanding() < outstanding_max)
        {
            self.session.wire.command(&format!("DELE {number}"));
            self.asked += 1;
        }
        if self.answered == self.numbers.len() && !self.has_quit {
            self.has_quit = true;
            self.session.wire.command("QUIT");
        }
    }
}

impl Exchange for Confirmation {
    /// All of it is deleted; or the server's refusal, with which some or all of it may come again. The connection is to be closed
    /// either way.
    type Outcome = Result<(), Response>;
    type Wire = Wire;
    type Failure = Failure;

    fn wire(&mut self) -> &mut Wire {
        &mut self.session.wire
    }

    fn advance(mut self) -> Result<Advance<Self>, Failure> {
        loop {
            let to = if self.has_quit { "QUIT" } else { "DELE" };
            let Some(response) = self.session.wire.response(to)? else { return Ok(Advance::Waiting(self)) };
            let refusal = (!response.is_positive()).then_some(response);
            if self.has_quit {
                return Ok(Advance::Done(refusal.or(self.refusal).map_or(Ok(()), Err)));
            }
            self.refusal = self.refusal.or(refusal);
            self.answered += 1;
            self.ask();
        }
    }
}
