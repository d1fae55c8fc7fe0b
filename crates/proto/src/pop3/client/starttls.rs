//! STLS (RFC 2595 §4): nothing that was said before it counts any more.

use super::wire::Wire;
use super::{Authorization, Breach, Failure, Opening};
use crate::client::{Advance, Exchange};
use crate::pop3::Response;

/// The request to encrypt the connection.
#[derive(Debug)]
pub struct StartTls(Authorization);

impl StartTls {
    pub(super) fn new(mut session: Authorization) -> Self {
        session.wire.command("STLS");
        Self(session)
    }
}

impl Exchange for StartTls {
    /// The connection can be encrypted now; or the session, and the refusal.
    type Outcome = Result<BeforeTls, (Authorization, Response)>;
    type Wire = Wire;
    type Failure = Failure;

    fn wire(&mut self) -> &mut Wire {
        &mut self.0.wire
    }

    fn advance(mut self) -> Result<Advance<Self>, Failure> {
        let Some(response) = self.0.wire.response("STLS")? else { return Ok(Advance::Waiting(self)) };
        if !response.is_positive() {
            return Ok(Advance::Done(Err((self.0, response))));
        }
        // Somebody in the middle could have put it there.
        if !self.0.wire.input.is_empty() {
            return Err(Breach::Injected.into());
        }
        Ok(Advance::Done(Ok(BeforeTls(self.0.wire))))
    }
}

/// A connection that both ends are to encrypt now.
#[derive(Debug)]
pub struct BeforeTls(Wire);

impl BeforeTls {
    /// It is encrypted: the session begins anew, knowing nothing of before.
    pub fn reopen(self) -> Opening {
        Opening::anew(self.0.encrypted())
    }
}
