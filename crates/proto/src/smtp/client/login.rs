//! A login by SASL, framed for SMTP (RFC 4954).

use crate::sasl::client::Exchange as Sasl;

use super::super::Reply;
use super::{Breach, Failure, Session, Wire};
use crate::client::{Advance, Exchange};

/// The longest command, in octets with its end, that has room for an initial response (RFC 4954 §4).
pub const AUTH_COMMAND_OCTETS_MAX: usize = 512;

/// The server awaits a response.
const CHALLENGE: u16 = 334;

/// A login under way.
#[derive(Debug)]
pub struct Login {
    session: Session,
    sasl: Sasl,
    /// The initial response, if the command had no room for it: it answers the first challenge, which is empty.
    held_back: bool,
}

impl Login {
    pub(super) fn new(mut session: Session, sasl: Sasl) -> Self {
        let command = format!("AUTH {}", sasl.mechanism().name());
        let initial = sasl.initial();
        let with_initial = initial.as_ref().map(|response| format!("{command} {response}"));
        let fitting = with_initial.filter(|line| line.len() + "\r\n".len() <= AUTH_COMMAND_OCTETS_MAX);
        let held_back = initial.is_some() && fitting.is_none();
        session.wire.command(&fitting.unwrap_or(command));
        Self { session, sasl, held_back }
    }

    fn response(&mut self, challenge: &Reply) -> Result<String, Breach> {
        match self.sasl.initial().filter(|_| std::mem::take(&mut self.held_back)) {
            Some(initial) => Ok(initial),
            None => Ok(self.sasl.respond(challenge.text())?),
        }
    }
}

impl Exchange for Login {
    /// The session, and the refusal if it was refused. A server that says yes has also proved itself, where the mechanism wants
    /// that; one that can't ends the session with [`Breach::Unproved`].
    type Outcome = (Session, Result<(), Reply>);
    type Wire = Wire;
    type Failure = Failure;

    fn wire(&mut self) -> &mut Wire {
        &mut self.session.wire
    }

    fn advance(mut self) -> Result<Advance<Self>, Failure> {
        while let Some(reply) = self.session.wire.reply()? {
            if reply.is_negative() {
                return Ok(Advance::Done((self.session, Err(reply))));
            }
            if reply.is_positive() {
                self.sasl.finish().map_err(Breach::from)?;
                return Ok(Advance::Done((self.session, Ok(()))));
            }
            if reply.code() != CHALLENGE {
                return Err(Breach::Unexpected { to: "AUTH", reply }.into());
            }
            let response = self.response(&reply)?;
            self.session.wire.response(&response);
        }
        Ok(Advance::Waiting(self))
    }
}
