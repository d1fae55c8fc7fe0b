//! The tables, as steps that lead from any earlier version of them to this one.
//!
//! `application_id` says that a database is ours, `user_version` how many steps it has taken. A step that has been
//! released is never changed; a new one is put behind it.

use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::{OpenError, database};

/// "mYml": what tells our databases from other people's.
const APPLICATION_ID: i32 = 0x6d59_6d6c;

/// Each step runs in a transaction of its own.
const STEPS: &[&str] = &[
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
];

/// Refuses a database that is not ours or of a later version, without changing it. How many steps it has taken.
pub(super) fn check(connection: &Connection) -> Result<usize, OpenError> {
    let taken = steps_taken(connection)
        .map_err(|error| if database::is_no_database(&error) { OpenError::NotOurs } else { error.into() })?
        .ok_or(OpenError::NotOurs)?;
    let known = version();
    if taken > known { Err(OpenError::Newer { found: taken, known }) } else { Ok(taken) }
}

/// How many steps there are.
pub(super) fn version() -> usize {
    STEPS.len()
}

/// Takes the steps that are missing.
pub(super) fn migrate(connection: &mut Connection, taken: usize) -> rusqlite::Result<()> {
    for (number, step) in (1_u32..).zip(STEPS).skip(taken) {
        let transaction = Transaction::new(connection, TransactionBehavior::Immediate)?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
        transaction.pragma_update(None, "user_version", number)?;
        transaction.commit()?;
    }
    Ok(())
}

/// `None` if it is somebody else's; a database without anything in it is a new one of ours.
fn steps_taken(connection: &Connection) -> rusqlite::Result<Option<usize>> {
    let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let is_empty = !connection.prepare("SELECT 1 FROM sqlite_schema")?.exists([])?;
    let is_ours = id == APPLICATION_ID || (id == 0 && version == 0 && is_empty);
    Ok(if is_ours { usize::try_from(version).ok() } else { None })
}
