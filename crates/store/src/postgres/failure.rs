//! What can go wrong with the database, told apart by what the store may do next.

use std::fmt;
use std::time::Duration;

use thiserror::Error;
use tokio_postgres::error::{Severity, SqlState};

use crate::StoreError;

/// Why something was not done in the database; or, of a COMMIT, why it is not known.
#[derive(Debug, Error)]
pub(super) enum Failure {
    /// The connection is of no use any more. What it had begun is not done, unless it was a COMMIT.
    #[error("the connection to the database is lost: {0}")]
    Lost(Cause),
    /// It was in the way of another transaction, and is not done. It may be done again at once.
    #[error("the database is busy: {0}")]
    Conflict(Cause),
    /// The database can't do it now.
    #[error("{0}")]
    NotNow(Cause),
    /// The database has no room.
    #[error("the database's disk is full")]
    Full,
    /// It can't be done as things stand.
    #[error("the database refuses: {0}")]
    Refused(Cause),
}

/// In words, without what was in the tables.
#[derive(Debug, Clone, Error)]
#[error("{0}")]
pub(super) struct Cause(String);

impl Cause {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl Failure {
    /// It did not answer in time.
    pub(super) fn no_answer(waited: Duration) -> Self {
        Self::Lost(Cause(format!("no answer in {} s", waited.as_secs())))
    }

    /// It has ended.
    pub(super) fn closed() -> Self {
        Self::Lost(Cause("it has ended".to_owned()))
    }

    /// It leads to a primary that is none any more.
    pub(super) fn replaced() -> Self {
        Self::Lost(Cause("another server is the primary".to_owned()))
    }

    /// What is in the tables makes no sense.
    pub(super) fn damaged(what: impl fmt::Display) -> Self {
        Self::Refused(Cause(what.to_string()))
    }

    /// Why, without what that means.
    pub(super) fn cause(&self) -> String {
        match self {
            Self::Lost(cause) | Self::Conflict(cause) | Self::NotNow(cause) | Self::Refused(cause) => cause.to_string(),
            Self::Full => self.to_string(),
        }
    }

    /// The same for another one that it concerns too.
    pub(super) fn share(&self) -> Self {
        match self {
            Self::Lost(cause) => Self::Lost(cause.clone()),
            Self::Conflict(cause) => Self::Conflict(cause.clone()),
            Self::NotNow(cause) => Self::NotNow(cause.clone()),
            Self::Full => Self::Full,
            Self::Refused(cause) => Self::Refused(cause.clone()),
        }
    }

    /// Whether the same may go well on another connection, or the next time.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Conflict(_))
    }
}

impl From<tokio_postgres::Error> for Failure {
    fn from(error: tokio_postgres::Error) -> Self {
        let Some(said) = error.as_db_error() else {
            return if error.is_closed() || has_io_error(&error) {
                Self::Lost(Cause(in_words(&error)))
            } else {
                Self::Refused(Cause(in_words(&error)))
            };
        };
        // Not the detail: it may show a row.
        let cause = Cause(format!("{} ({})", said.message(), said.code().code()));
        let code = said.code();
        // A standby, or a primary that has become one.
        if *code == SqlState::READ_ONLY_SQL_TRANSACTION
            || matches!(said.parsed_severity(), Some(Severity::Fatal | Severity::Panic))
        {
            return Self::Lost(cause);
        }
        match &code.code()[..2] {
            // Connection exception, operator intervention.
            "08" | "57" => Self::Lost(cause),
            // Transaction rollback: serialization failure, deadlock.
            "40" => Self::Conflict(cause),
            _ if *code == SqlState::DISK_FULL => Self::Full,
            // Insufficient resources, object not in prerequisite state (a lock that could not be had in time).
            "53" | "55" => Self::NotNow(cause),
            _ => Self::Refused(cause),
        }
    }
}

fn has_io_error(error: &tokio_postgres::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<std::io::Error>())
}

/// An error and its causes.
pub(super) fn in_words(error: &(dyn std::error::Error + 'static)) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        words.push_str(": ");
        words.push_str(&cause.to_string());
        next = cause.source();
    }
    words
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Full => Self::Full,
            Failure::Refused(_) => Self::Failed(Box::new(failure)),
            Failure::Lost(_) | Failure::Conflict(_) | Failure::NotNow(_) => Self::TryAgain(Box::new(failure)),
        }
    }
}
