//! A session whose client has logged in (RFC 1939 §5), and how any session ends.

use super::wire::Wire;
use super::{Authorization, Capabilities, Failure, Survey};
use crate::client::{Advance, Exchange};
use crate::pop3::Response;

/// A session at rest, behind the login.
#[derive(Debug)]
pub struct Transaction {
    pub(super) wire: Wire,
    pub(super) capabilities: Capabilities,
}

impl Transaction {
    pub(super) fn new(session: Authorization) -> Self {
        Self { wire: session.wire, capabilities: session.capabilities }
    }

    /// Asks what messages there are; with `unique_ids`, also what they are called from session to session, if the server has
    /// such names.
    pub fn survey(self, unique_ids: bool) -> Survey {
        Survey::new(self, unique_ids)
    }

    /// Says goodbye. Nothing is deleted.
    pub fn quit(self) -> Quit {
        Quit::new(self.wire)
    }
}

/// The end of a session. Done, the connection is to be closed.
#[derive(Debug)]
pub struct Quit(Wire);

impl Quit {
    pub(super) fn new(mut wire: Wire) -> Self {
        wire.command("QUIT");
        Self(wire)
    }
}

impl Exchange for Quit {
    /// The server agrees, or not.
    type Outcome = Result<(), Response>;
    type Wire = Wire;
    type Failure = Failure;

    fn wire(&mut self) -> &mut Wire {
        &mut self.0
    }

    fn advance(mut self) -> Result<Advance<Self>, Failure> {
        Ok(match self.0.response("QUIT")? {
            None => Advance::Waiting(self),
            Some(response) if response.is_positive() => Advance::Done(Ok(())),
            Some(refusal) => Advance::Done(Err(refusal)),
        })
    }
}
