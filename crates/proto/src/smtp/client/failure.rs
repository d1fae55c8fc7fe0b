//! What ends a session before its time. A refusal does not: it is a reply.

use thiserror::Error;

use super::super::{Reply, ReplySyntax};
use crate::sasl::client::Unproved;

/// Why a session can't go on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// The server is closing the connection: it said 421, as it may at any time (RFC 5321 §3.8), or gave up a retrieval.
    #[error("the server closes the connection: {0}")]
    Closing(Reply),
    /// The server doesn't speak as it should.
    #[error(transparent)]
    Breach(#[from] Breach),
    /// The message to send has a CR or LF that is no part of a CRLF. Half a message can't be taken back, and to send on could
    /// make a second message out of its rest, so the connection has to be closed.
    #[error("the message has a line that does not end in CRLF")]
    BareLineEnd,
    /// The message to send goes on behind the octets that the server was told of. The connection has to be closed, or the
    /// server would take a part of it for the whole.
    #[error("the message is longer than the {said} octets that the server was told of")]
    TooLong {
        /// How many were announced.
        said: u64,
    },
    /// The message to send ends before the octets that the server was told of, which goes on waiting for them: the connection
    /// has to be closed.
    #[error("the message ends after {octets} of the {said} octets that the server was told of")]
    TooShort {
        /// How many were announced.
        said: u64,
        /// How many there were.
        octets: u64,
    },
}

impl From<ReplySyntax> for Failure {
    fn from(syntax: ReplySyntax) -> Self {
        Self::Breach(syntax.into())
    }
}

/// How a server broke the protocol.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the message of each variant says it")]
pub enum Breach {
    #[error(transparent)]
    Syntax(#[from] ReplySyntax),
    #[error("the reply to {to} makes no sense: {reply}")]
    Unexpected { to: &'static str, reply: Reply },
    #[error("the reply to {to} is too long")]
    TooLong { to: &'static str },
    #[error("a reply came that nothing was asked for: {0}")]
    Unasked(Reply),
    #[error("something came in clear text behind the reply to STARTTLS: it could be anybody's")]
    Injected,
    #[error(transparent)]
    Unproved(#[from] Unproved),
    #[error("a retrieved message does not begin with its header block")]
    Block,
}
