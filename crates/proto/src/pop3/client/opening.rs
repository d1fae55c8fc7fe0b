//! The beginning of a session: the greeting, then CAPA; a server that knows no CAPA is an old one.

use super::wire::Wire;
use super::{Authorization, Breach, CAPABILITIES_MAX, Capabilities, Failure};
use crate::client::{Advance, Exchange};
use crate::pop3::Response;
use crate::smtp::client::Dialogue;

/// The beginning of a session, or of its encrypted part.
#[derive(Debug)]
pub struct Opening {
    wire: Wire,
    awaited: Awaited,
}

#[derive(Debug)]
enum Awaited {
    Greeting,
    Capa,
    /// The list that the server has announced.
    List(Vec<String>),
}

impl Opening {
    /// Awaits a new connection's greeting.
    pub fn new(dialogue: Option<Dialogue>) -> Self {
        Self { wire: Wire::new(dialogue), awaited: Awaited::Greeting }
    }

    /// There is no greeting behind STLS.
    pub(super) fn anew(wire: Wire) -> Self {
        Self { wire, awaited: Awaited::Greeting }.ask()
    }

    fn ask(mut self) -> Self {
        self.wire.command("CAPA");
        Self { awaited: Awaited::Capa, ..self }
    }
}

impl Exchange for Opening {
    /// The session or, from a server that has none for us, its refusal.
    type Outcome = Result<Authorization, Response>;
    type Wire = Wire;
    type Failure = Failure;

    fn wire(&mut self) -> &mut Wire {
        &mut self.wire
    }

    fn advance(mut self) -> Result<Advance<Self>, Failure> {
        loop {
            match &mut self.awaited {
                Awaited::Greeting => {
                    let Some(greeting) = self.wire.response("the connection")? else { break };
                    if !greeting.is_positive() {
                        return Ok(Advance::Done(Err(greeting)));
                    }
                    self = self.ask();
                }
                Awaited::Capa => {
                    let Some(response) = self.wire.response("CAPA")? else { break };
                    if !response.is_positive() {
                        return Ok(Advance::Done(Ok(Authorization::new(self.wire, Capabilities::default()))));
                    }
                    self.awaited = Awaited::List(Vec::new());
                }
                Awaited::List(lines) => {
                    let Some(line) = self.wire.list_line()? else { break };
                    let Some(line) = line else {
                        let capabilities = Capabilities::new(std::mem::take(lines));
                        return Ok(Advance::Done(Ok(Authorization::new(self.wire, capabilities))));
                    };
                    if lines.len() == CAPABILITIES_MAX {
                        return Err(Breach::TooManyCapabilities.into());
                    }
                    lines.push(line);
                }
            }
        }
        Ok(Advance::Waiting(self))
    }
}
