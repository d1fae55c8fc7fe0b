//! The beginning of a session: the greeting, then EHLO, or HELO for a server that knows no EHLO (RFC 5321 §3.1, §3.2). Under TLS
//! it begins anew, with EHLO (RFC 3207 §4.2).

use crate::Domain;

use super::super::Reply;
use super::dialogue::Dialogue;
use super::{Breach, Extensions, Failure, Session, Wire};
use crate::client::{Advance, Exchange};

/// The beginning of a session.
#[derive(Debug)]
pub struct Opening {
    wire: Wire,
    client_name: Domain,
    awaited: Awaited,
}

/// What the next reply answers.
#[derive(Debug, Clone, Copy)]
enum Awaited {
    /// Nothing was said yet: the connection is being encrypted.
    Handshake,
    Greeting,
    Ehlo,
    Helo,
}

impl Opening {
    /// Awaits a new connection's greeting. `client_name` is what EHLO says.
    pub fn new(client_name: Domain, dialogue: Option<Dialogue>) -> Self {
        Self { wire: Wire::new(dialogue), client_name, awaited: Awaited::Greeting }
    }

    /// Begins a session anew, after [`Session::starttls`]: the connection is to be encrypted before the first
    /// [`Exchange::advance`]. What the server said in clear does not count; if there is more of it than its reply, somebody else
    /// may have put it there.
    pub fn after_tls(session: Session, client_name: Domain) -> Result<Self, Breach> {
        Ok(Self { wire: session.wire.after_tls()?, client_name, awaited: Awaited::Handshake })
    }

    fn say(&mut self, verb: &str, awaited: Awaited) {
        self.wire.command(&format!("{verb} {}", self.client_name));
        self.awaited = awaited;
    }
}

impl Exchange for Opening {
    /// The session or, from a server that has none for us, its refusal.
    type Outcome = Result<Session, Reply>;
    type Wire = Wire;
    type Failure = Failure;

    fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    fn advance(mut self) -> Result<Advance<Self>, Failure> {
        if matches!(self.awaited, Awaited::Handshake) {
            self.say("EHLO", Awaited::Ehlo);
        }
        while let Some(reply) = self.wire.reply()? {
            match self.awaited {
                Awaited::Greeting if reply.is_positive() => self.say("EHLO", Awaited::Ehlo),
                Awaited::Ehlo if reply.is_positive() => {
                    return Ok(Advance::Done(Ok(Session::new(self.wire, Extensions::of(&reply)))));
                }
                Awaited::Ehlo if reply.is_negative() && !reply.is_transient() => self.say("HELO", Awaited::Helo),
                Awaited::Helo if reply.is_positive() => {
                    return Ok(Advance::Done(Ok(Session::new(self.wire, Extensions::default()))));
                }
                _ if reply.is_negative() => return Ok(Advance::Done(Err(reply))),
                Awaited::Greeting => return Err(Breach::Unexpected { to: "the connection", reply }.into()),
                Awaited::Handshake | Awaited::Ehlo | Awaited::Helo => {
                    return Err(Breach::Unexpected { to: "EHLO", reply }.into());
                }
            }
        }
        Ok(Advance::Waiting(self))
    }
}
