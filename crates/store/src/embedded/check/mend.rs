//! Mending what a look has found.

use std::path::Path;

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior, params};

use super::look::{self, Losses};
use super::report::{Damage, LostMessage, Problem, Report};
use super::rules::each;
use super::{CheckError, left_over, lost, rules};
use crate::embedded::folder::DATABASE;
use crate::embedded::{database, schema};

/// Brings the tables up to date, and makes their indexes anew if SQLite finds something wrong. What it found.
pub(super) fn prepare(dir: &Path) -> Result<Vec<Problem>, CheckError> {
    look::require(dir)?;
    let mut connection = database::open_writer(&dir.join(DATABASE))?;
    let taken = schema::check(&connection)?;
    if taken == 0 {
        return Err(look::without_tables(dir));
    }
    database::configure_writer(&connection)?;
    let found = look::integrity(&connection)?;
    if !found.is_empty() {
        match connection.execute_batch("REINDEX") {
            // Two rows are there where one may be. That is for the look to tell.
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::ConstraintViolation) => {}
            done => done?,
        }
    }
    schema::migrate(&mut connection, taken)?;
    database::checkpoint_all(&connection)?;
    Ok(found)
}

/// Mends what can be mended. The messages that have left their mailboxes, and where what is left of them is.
pub(super) fn mend(dir: &Path, report: &Report) -> Result<Vec<LostMessage>, CheckError> {
    let mut connection = database::open_writer(&dir.join(DATABASE))?;
    database::configure_writer(&connection)?;
    let transaction = Transaction::new(&mut connection, TransactionBehavior::Immediate)?;
    let saved = save(dir, &transaction, report)?;
    remove(&transaction, &saved)?;
    rules::mend(&transaction, report)?;
    transaction.commit()?;
    database::checkpoint_all(&connection)?;
    left_over::delete(dir, &connection)?;
    Ok(saved)
}

/// Saves what is left of all messages that nobody can be given.
fn save(dir: &Path, connection: &Connection, report: &Report) -> Result<Vec<LostMessage>, CheckError> {
    let mut losses = Losses::default();
    for finding in &report.findings {
        if let Problem::LostMessage(lost) = &finding.problem {
            losses.add(lost.message, lost.damage.clone());
        }
    }
    // Also those whose last mailbox is going to be found missing.
    let homeless = "SELECT id FROM message WHERE id NOT IN
        (SELECT message FROM entry JOIN account ON account.id = entry.account AND account.held_until IS NULL)";
    each(connection, homeless, |row| {
        losses.add(row.get(0)?, Damage::NoMailbox);
        Ok(())
    })?;
    let mut saved = lost::describe(connection, losses)?;
    saved.iter_mut().try_for_each(|lost| lost::save(dir, connection, lost))?;
    if !saved.is_empty() {
        lost::sync(dir)?;
    }
    Ok(saved)
}

/// Takes them out of their mailboxes.
fn remove(connection: &Connection, saved: &[LostMessage]) -> rusqlite::Result<()> {
    connection.execute_batch("CREATE TEMP TABLE gone (message INTEGER PRIMARY KEY)")?;
    let mut gone = connection.prepare("INSERT INTO gone (message) VALUES (?1)")?;
    saved.iter().try_for_each(|lost| gone.execute(params![lost.message]).map(drop))?;
    connection.execute_batch(
        "DELETE FROM entry WHERE message IN (SELECT message FROM gone);
         DELETE FROM message WHERE id IN (SELECT message FROM gone)",
    )
}
