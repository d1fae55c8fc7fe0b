//! What ends a session before its time. A refusal does not: it is a response.

use thiserror::Error;

use super::wire::LINE_OCTETS_MAX;
use super::{CAPABILITIES_MAX, MESSAGES_MAX};
use crate::pop3::Response;
use crate::sasl::client::Unproved;

/// Why a session can't go on.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// The server is closing the connection: it refused what nobody had asked for.
    #[error("the server closes the connection: {0}")]
    Closing(Response),
    /// The server doesn't speak as it should.
    #[error(transparent)]
    Breach(#[from] Breach),
    /// The server is none that knows the account.
    #[error(transparent)]
    Unproved(#[from] Unproved),
}

/// How a server broke the protocol.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the message of each variant says it")]
pub enum Breach {
    #[error("a line is longer than {LINE_OCTETS_MAX} octets")]
    LineTooLong,
    #[error("the answer to {to} is no POP3 response")]
    NoResponse { to: &'static str },
    #[error("the response to {to} makes no sense: {response}")]
    Unexpected { to: &'static str, response: Response },
    #[error("a response came that nothing was asked for: {0}")]
    Unasked(Response),
    #[error("something came in clear text behind the response to STLS: it could be anybody's")]
    Injected,
    #[error("the server lists more than {CAPABILITIES_MAX} capabilities")]
    TooManyCapabilities,
    #[error("the server lists more than {MESSAGES_MAX} messages")]
    TooManyMessages,
    #[error("the list of {of} makes no sense")]
    List { of: &'static str },
}
