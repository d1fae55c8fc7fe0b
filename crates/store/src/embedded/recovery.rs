//! Telling the tables what the journal has and they do not know: what came in shortly before a crash.
//!
//! The records are written to a new segment, and the tables name their places there. Those that were found may be in the
//! kernel's memory alone, though it takes them for written: a sync that failed is not known of any more.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use thiserror::Error;

use super::database::Commit;
use super::journal::{Journal, Record, Records, SegmentNumber, Segments, Table};
use super::messages;
use super::writer::Pending;

/// Why the journal can't be read again.
#[derive(Debug, Error)]
pub enum RecoveryError {
    /// A segment can't be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// What it tells can't be written to a new one.
    #[error("{0}")]
    Append(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The tables can't be told.
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
}

/// Brings the tables up to date. The journal goes on in a segment of its own.
pub(super) fn replay(connection: &Connection, segments: &Arc<Segments>) -> Result<(Journal, Pending), RecoveryError> {
    let (known, _, next_message) = messages::position(connection)?;
    let numbers = segments.list()?;
    let last = numbers.last().map_or(known, |last| known.max(*last));
    let mut journal = Journal::new(Arc::clone(segments), SegmentNumber(last.0 + 1));
    let mut pending = Pending::new(next_message);
    let mut found = 0_usize;
    // All in one commit: after one of a part the rest would lie before what the tables know.
    Commit::Durable.prepare(connection)?;
    let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
    each_unknown(&transaction, segments, |file, Record { table, bytes, end }| {
        let octets = usize::try_from(end - bytes.at).map_err(|_| io::Error::from(ErrorKind::InvalidData))?;
        let mut copy = vec![0; octets];
        file.read_exact_at(&mut copy, bytes.at)?;
        let appended = journal.append(&table, &[&copy]).map_err(|error| RecoveryError::Append(Box::new(error)))?;
        pending.add(table, appended);
        found += 1;
        if pending.is_much() {
            pending.write(&transaction)?;
            pending.clear();
        }
        Ok(())
    })?;
    pending.write(&transaction)?;
    pending.clear();
    transaction.commit()?;
    if found > 0 {
        tracing::info!(records = found, "the store was not closed: the latest messages were read from the journal");
    }
    for number in numbers {
        if !messages::names_segment(connection, number)? {
            segments.delete(number);
        }
    }
    Ok((journal, pending))
}

/// Looks at each record that the tables did not know when this began, in their order.
pub(super) fn each_unknown(
    connection: &Connection,
    segments: &Segments,
    mut look: impl FnMut(&File, Record) -> Result<(), RecoveryError>,
) -> Result<(), RecoveryError> {
    let (known, known_octets, mut next_message) = messages::position(connection)?;
    for number in segments.list()?.into_iter().filter(|number| *number >= known) {
        let Some(file) = segments.read(number)? else { continue };
        let mut records = Records::new(number, &file, if number == known { known_octets } else { 0 })?;
        while let Some(record) = records.next()? {
            if let Table::Delivered(kept) = &record.table {
                // An opening that was interrupted has copied it already.
                if kept.iter().all(|kept| kept.message < next_message) {
                    continue;
                }
                next_message = kept.iter().fold(next_message, |next, kept| next.max(kept.message + 1));
            }
            look(&file, record)?;
        }
    }
    Ok(())
}
