//! A session at rest, and the commands that have one reply.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

use crate::sasl;
use crate::{Address, LocalPart};

use super::super::Reply;
use super::dialogue::MASK;
use super::{Breach, Envelope, Extensions, Failure, Login, Message, RetrievalRequest, Transaction, Wire};
use crate::client::{Advance, Exchange};

/// Longest invite token, in octets.
pub const TOKEN_OCTETS_MAX: usize = 256;

/// A session in which nothing is outstanding.
#[derive(Debug)]
pub struct Session {
    pub(super) wire: Wire,
    pub(super) extensions: Extensions,
}

impl Session {
    pub(super) fn new(wire: Wire, extensions: Extensions) -> Self {
        Self { wire, extensions }
    }

    /// What the server offers.
    pub fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// Registers, with the name asked for or one that the server gives. Done, the server has said the new address.
    pub fn register(self, name: Option<&LocalPart>, token: Option<&Token>) -> Ask<Address> {
        let name = name.map(|name| format!(" {name}")).unwrap_or_default();
        let token = token.map(|Token(token)| format!(" TOKEN={token}")).unwrap_or_default();
        self.ask("XREGISTER", &format!("{name}{token}"), |reply| reply.text().trim().parse().ok())
    }

    /// Asks for a password. Done, the server has said it.
    pub fn issue_password(self) -> Ask<String> {
        self.ask("XPASSWD", "", |reply| reply.text().split_whitespace().last().map(str::to_owned)).masked()
    }

    /// Ends the account that this session is bound to, and its mail.
    pub fn unregister(self) -> Ask<()> {
        self.ask("XUNREGISTER", "", |_| Some(()))
    }

    /// Logs in by the best way that the exchange found.
    pub fn log_in(self, exchange: sasl::client::Exchange) -> Login {
        Login::new(self, exchange)
    }

    /// Asks for TLS (RFC 3207). Done, the handshake is due, and [`Opening::after_tls`](super::Opening::after_tls): nothing
    /// may be said in between.
    pub fn starttls(self) -> Ask<()> {
        self.ask("STARTTLS", "", |_| Some(()))
    }

    /// Shows that this end is alive, and that it has what it retrieved.
    pub fn noop(self) -> Ask<()> {
        self.ask("NOOP", "", |_| Some(()))
    }

    /// Says goodbye. Done, the connection is to be closed.
    pub fn quit(self) -> Ask<()> {
        self.ask("QUIT", "", |_| Some(()))
    }

    /// Begins a transaction. What the server offers is made use of; reports that it does not offer are not asked for. A
    /// reverse-path other than ASCII is for servers with SMTPUTF8: others refuse it. Recipients other than ASCII are not said
    /// to those.
    pub fn transaction(self, envelope: Envelope, message: Message) -> Transaction {
        Transaction::new(self, envelope, message)
    }

    /// Retrieves the mail. If there is none, the server waits so long for some; parts of a second don't count.
    pub fn retrieve(self, wait: Option<Duration>) -> RetrievalRequest {
        let wait = wait.map(|wait| format!(" WAIT={}", wait.as_secs())).unwrap_or_default();
        RetrievalRequest::new(self, &wait)
    }

    pub(super) fn ask<T>(mut self, verb: &'static str, arguments: &str, meaning: fn(&Reply) -> Option<T>) -> Ask<T> {
        self.wire.command(&format!("{verb}{arguments}"));
        Ask { session: self, verb, meaning, is_masked: false }
    }
}

/// A command whose one reply is awaited, and what that means.
#[derive(Debug)]
pub struct Ask<T> {
    session: Session,
    verb: &'static str,
    meaning: fn(&Reply) -> Option<T>,
    /// The reply may hold a secret: what is no refusal is not repeated in an error.
    is_masked: bool,
}

impl<T> Ask<T> {
    fn masked(self) -> Self {
        Self { is_masked: true, ..self }
    }
}

impl<T> Exchange for Ask<T> {
    /// The session, and what was asked for or the refusal.
    type Outcome = (Session, Result<T, Reply>);
    type Wire = Wire;
    type Failure = Failure;

    fn wire(&mut self) -> &mut Wire {
        &mut self.session.wire
    }

    fn advance(mut self) -> Result<Advance<Self>, Failure> {
        let Some(reply) = self.session.wire.reply()? else { return Ok(Advance::Waiting(self)) };
        if reply.is_negative() {
            return Ok(Advance::Done((self.session, Err(reply))));
        }
        match (self.meaning)(&reply).filter(|_| reply.is_positive()) {
            Some(meaning) => Ok(Advance::Done((self.session, Ok(meaning)))),
            None if self.is_masked => {
                Err(Breach::Unexpected { to: self.verb, reply: Reply::new(reply.code(), None, MASK) }.into())
            }
            None => Err(Breach::Unexpected { to: self.verb, reply }.into()),
        }
    }
}

/// An invite token that a server may want from those who register.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Token").finish_non_exhaustive()
    }
}

/// The text can't be an invite token. It is not shown, as it may be a mistyped one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a token has 1 to {TOKEN_OCTETS_MAX} printable ASCII characters and no space")]
pub struct BadToken;

impl FromStr for Token {
    type Err = BadToken;

    fn from_str(text: &str) -> Result<Self, BadToken> {
        let sayable =
            (1..=TOKEN_OCTETS_MAX).contains(&text.len()) && text.bytes().all(|octet| octet.is_ascii_graphic());
        if sayable { Ok(Self(text.to_owned())) } else { Err(BadToken) }
    }
}
