//! Whether a store is whole, and what can be done about it if not: for when nobody has it open.
//!
//! A look (`look.rs`) reads everything and changes nothing on the disk. Mending (`mend.rs`) comes after a look and before another
//! one, which tells what is left. It throws no mail away: what is left of a message that can't be read any more is saved to a
//! file (`lost.rs`) before the message leaves its mailboxes.

mod bytes;
mod left_over;
mod look;
mod lost;
mod mend;
mod names;
mod report;
mod rules;
mod tail;

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use rusqlite::Connection;
use thiserror::Error;

use super::database;
use super::folder::{LOCK, Lock};
use super::{OpenError, RecoveryError};
use crate::Progress;

use look::Depth;
pub(super) use look::require;
pub use report::{Damage, Finding, LostMessage, Names, Problem, Report};
use tail::Tail;

/// Why a store was not checked, or not to the end.
#[derive(Debug, Error)]
pub enum CheckError {
    /// There is nothing to check.
    #[error("there is no store")]
    NoStore,
    /// There are messages, but no tables that say whose they are.
    #[error("its mail.db is missing or empty, so nobody can tell whose mail is there: bring back a backup")]
    NoTables,
    /// It has the tables of an earlier version of this program.
    #[error("the store is of version {found}: it can be checked once it is brought up to version {known}")]
    Older {
        /// The store's version.
        found: usize,
        /// The version that is checked.
        known: usize,
    },
    /// SQLite can't read the tables.
    #[error("its mail.db cannot be read ({0}): bring back a backup")]
    Damaged(#[source] rusqlite::Error),
    /// There is a database, but not of this program, unless that part of it is damaged.
    #[error("its mail.db was not made by this program, or is damaged from its beginning: bring back a backup")]
    NotOurs,
    /// Whoever watched it has stopped it.
    #[error("the check was broken off")]
    Stopped,
    /// It can't be opened, for a reason that a start of the server would have too.
    #[error(transparent)]
    Open(OpenError),
}

impl CheckError {
    fn io(path: &Path, error: io::Error) -> Self {
        Self::Open(OpenError::io(path, error))
    }
}

impl From<OpenError> for CheckError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::NotOurs => Self::NotOurs,
            OpenError::Database(error) => error.into(),
            other => Self::Open(other),
        }
    }
}

impl From<RecoveryError> for CheckError {
    fn from(error: RecoveryError) -> Self {
        OpenError::from(error).into()
    }
}

impl From<rusqlite::Error> for CheckError {
    fn from(error: rusqlite::Error) -> Self {
        if database::is_damage(&error) { Self::Damaged(error) } else { Self::Open(error.into()) }
    }
}

/// Hears how far it has come, and may stop it.
pub type Watch<'a> = &'a mut dyn FnMut(Progress) -> ControlFlow<()>;

/// Checks the store in this folder. If it is to be mended, that is done too, and the report says what is left; otherwise nothing
/// on the disk changes. Nobody else can open the store meanwhile. Blocks for as long as it takes to read all of it.
pub fn check(dir: &Path, mend: bool, watch: Watch<'_>) -> Result<Report, CheckError> {
    let _lock = Lock::take_if_there(&dir.join(LOCK))?;
    if !mend {
        return look::look(dir, Depth::Bytes, watch);
    }
    let healed = mend::prepare(dir)?;
    let mut report = look::look(dir, Depth::Bytes, watch)?;
    if report.is_well() && healed.is_empty() && report.left_over.count == 0 {
        return Ok(report);
    }
    let saved = mend::mend(dir, &report)?;
    report.settle(healed, saved, look::look(dir, Depth::Tables, watch)?);
    Ok(report)
}

/// Looks at a copy that nobody else knows of yet.
pub(super) fn look_at_copy(dir: &Path, watch: Watch<'_>) -> Result<Report, CheckError> {
    look::look(dir, Depth::Bytes, watch)
}

/// Whether the journal in this folder has something that these tables don't know.
pub(super) fn has_tail(dir: &Path, tables: &Connection) -> Result<bool, CheckError> {
    Ok(Tail::read(dir, tables)?.messages > 0)
}

/// Whether there is a store in this folder, or was one: [`Embedded::open`](super::Embedded::open) would make one otherwise.
pub fn is_there(dir: &Path) -> bool {
    !matches!(look::require(dir), Err(CheckError::NoStore))
}
