//! The login: by SASL (RFC 5034), or by USER and PASS (RFC 1939 §7).

use super::wire::{Said, Wire};
use super::{Authorization, Breach, Failure, Transaction};
use crate::client::{Advance, Exchange};
use crate::pop3::Response;
use crate::sasl::client::Exchange as Sasl;
use crate::sasl::plain::Credentials;

/// Longest AUTH command, in octets, its end included; an initial response that makes it longer has to wait (RFC 5034 §4).
const AUTH_OCTETS_MAX: usize = 255;

/// A login on its way.
#[derive(Debug)]
pub struct Login {
    session: Authorization,
    by: By,
}

enum By {
    Sasl {
        exchange: Sasl,
        /// What the first challenge, an empty one, is to be answered with.
        initial: Option<String>,
    },
    /// The response to USER is awaited.
    User { password: String },
    /// The response to PASS is awaited.
    Pass,
}

impl std::fmt::Debug for By {
    /// Without any secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.verb())
    }
}

impl By {
    fn verb(&self) -> &'static str {
        match self {
            Self::Sasl { .. } => "AUTH",
            Self::User { .. } => "USER",
            Self::Pass => "PASS",
        }
    }
}

impl Login {
    pub(super) fn by_sasl(mut session: Authorization, exchange: Sasl) -> Self {
        let command = format!("AUTH {}", exchange.mechanism().name());
        let mut initial = exchange.initial();
        let whole = initial.as_deref().map(|said| format!("{command} {}", if said.is_empty() { "=" } else { said }));
        match whole.filter(|line| line.len() + "\r\n".len() <= AUTH_OCTETS_MAX) {
            Some(line) => {
                initial = None;
                session.wire.command(&line);
            }
            None => session.wire.command(&command),
        }
        Self { session, by: By::Sasl { exchange, initial } }
    }

    pub(super) fn by_password(mut session: Authorization, credentials: &Credentials) -> Self {
        session.wire.command(&format!("USER {}", credentials.user));
        Self { session, by: By::User { password: credentials.password.clone() } }
    }

    /// The server has said that it is done, or that it is one step further.
    fn accepted(mut self) -> Result<Advance<Self>, Failure> {
        match self.by {
            By::Sasl { exchange, .. } => exchange.finish()?,
            By::User { password } => {
                self.session.wire.secret_command("PASS", &password);
                return Self { by: By::Pass, ..self }.advance();
            }
            By::Pass => {}
        }
        Ok(Advance::Done(Ok(Transaction::new(self.session))))
    }
}

impl Exchange for Login {
    /// The session, logged in; or as it was, and the refusal.
    type Outcome = Result<Transaction, (Authorization, Response)>;
    type Wire = Wire;
    type Failure = Failure;

    fn wire(&mut self) -> &mut Wire {
        &mut self.session.wire
    }

    fn advance(mut self) -> Result<Advance<Self>, Failure> {
        let verb = self.by.verb();
        while let Some(said) = self.session.wire.said(verb)? {
            let challenge = match said {
                Said::Response(response) if response.is_positive() => return self.accepted(),
                Said::Response(refusal) => return Ok(Advance::Done(Err((self.session, refusal)))),
                Said::Challenge(challenge) => challenge,
            };
            let By::Sasl { exchange, initial } = &mut self.by else {
                return Err(Breach::NoResponse { to: verb }.into());
            };
            let answer = match initial.take() {
                Some(initial) => initial,
                None => exchange.respond(&challenge)?,
            };
            self.session.wire.respond(&answer);
        }
        Ok(Advance::Waiting(self))
    }
}
