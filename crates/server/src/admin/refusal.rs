//! Why the server does not do what the operator wants, in a sentence for the operator.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::protocol::{PASSWORD_CHARACTERS_MIN, PASSWORD_OCTETS_MAX, TOKEN_NAME_OCTETS_MAX};

/// Why the server did not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Error, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[allow(missing_docs, reason = "the message of each variant says it")]
pub enum Refusal {
    #[error("only root and the user that runs the server may do that")]
    NotPermitted,
    #[error("the server does not understand the request; is it of another version than this program?")]
    BadRequest,
    #[error("{name} is no address and no name of one")]
    NotAnAddress { name: String },
    #[error("there is no account {address}")]
    NoSuchAccount { address: String },
    #[error("{address} is taken, or still held since its account ended")]
    Taken { address: String },
    #[error(
        "{name} is not allowed as a name: it has to consist of letters, digits, dots, hyphens and underscores, and not of digits alone"
    )]
    NameNotAllowed { name: String },
    #[error("{address} is not of this server: its addresses end in @{hostname}")]
    OtherDomain { address: String, hostname: String },
    #[error("{address} is an alias, which leads to others: an account of that name would get no mail")]
    Alias { address: String },
    #[error("{address} cannot be removed: every domain has to have it")]
    Postmaster { address: String },
    #[error("the password is shorter than {PASSWORD_CHARACTERS_MIN} characters")]
    PasswordTooShort,
    #[error("the password is longer than {PASSWORD_OCTETS_MAX} octets")]
    PasswordTooLong,
    #[error("the password has a control character in it")]
    PasswordNotText,
    #[error("a quota is at most {} octets or messages", i64::MAX)]
    QuotaTooLarge,
    #[error(
        "{name} is not allowed as a token's name: it has to consist of letters, digits, dots, hyphens and underscores, at most {TOKEN_NAME_OCTETS_MAX}"
    )]
    TokenNameNotAllowed { name: String },
    #[error("there is a token {name} already")]
    TokenTaken { name: String },
    #[error("there is no token {name}")]
    NoSuchToken { name: String },
    #[error("there are too many tokens: remove one first")]
    TooManyTokens,
    #[error("{cause}")]
    NoBackup { cause: String },
    #[error("the server's disk is full: nothing was changed")]
    Full,
    #[error("the server's store was busy: nothing was changed, try again")]
    Busy,
    #[error("the server's store failed, and its log says why: nothing was changed")]
    Failed,
    #[error("the server's store failed while it was at it, and its log says why: it may be done or not")]
    Unknown,
}
