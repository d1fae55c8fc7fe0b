//! Giving room back: when most of a segment is of no use any more, what is still of use moves to the journal's end, and the
//! segment is deleted.
//!
//! Done in small steps while the writer has nothing else to do, and now and then when it always has.

use std::collections::HashSet;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rusqlite::Connection;

use super::Pending;
use super::thread::GroupError;
use crate::embedded::journal::{Journal, Kept, Moved, Record, Records, SegmentNumber, Segments, Table};
use crate::embedded::messages;

/// The segment that is written to is ended early when more than so many octets of it are of no use: a disk that is almost full
/// would wait for them in vain, for there is no mail then that fills the segment.
const WASTE_OCTETS_MAX: u64 = 16 << 20;

/// What is to be moved.
#[derive(Default)]
pub(super) struct Compaction {
    victim: Option<Victim>,
    /// Whether there may be a segment that should be one.
    is_due: bool,
    /// Segments that can't be read to their end.
    damaged: HashSet<SegmentNumber>,
}

/// A segment that is being emptied.
struct Victim {
    number: SegmentNumber,
    file: Arc<File>,
    /// So far there is nothing of use in it.
    at: u64,
    /// Where its records end.
    end: u64,
}

/// What a step has led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// There may be more to do.
    Some,
    /// A segment is empty once the tables know what is pending.
    Emptied,
}

impl Compaction {
    /// A segment has less of use than before.
    pub(super) fn look_again(&mut self) {
        self.is_due = true;
    }

    /// Not now: when a segment has less of use again.
    pub(super) fn put_off(&mut self) {
        self.is_due = false;
        self.victim = None;
    }

    /// Whether a step has something to do.
    pub(super) fn is_due(&self) -> bool {
        self.is_due || self.victim.is_some()
    }

    /// Moves what is of use in one record. Nothing must be pending.
    pub(super) fn step(
        &mut self,
        connection: &Connection,
        segments: &Segments,
        journal: &mut Journal,
        pending: &mut Pending,
    ) -> Result<Progress, GroupError> {
        let Some(mut victim) = self.victim.take() else {
            if messages::has_waste(connection, journal.segment(), WASTE_OCTETS_MAX)? {
                journal.end_segment()?;
                return Ok(Progress::Emptied);
            }
            self.victim = self.choose(connection, segments, journal.segment())?;
            self.is_due = self.victim.is_some();
            return Ok(Progress::Some);
        };
        let record = if victim.at < victim.end { victim.next()? } else { None };
        let Some(record) = record else {
            if victim.at < victim.end {
                tracing::error!(segment = victim.number.0, "a segment of the journal is damaged: run `mymail check`");
                self.damaged.insert(victim.number);
            }
            return Ok(Progress::Emptied);
        };
        victim.at = record.end;
        let (moved, bytes) = victim.of_use(connection, record)?;
        if !moved.is_empty() {
            let table = Table::Moved(moved);
            let appended = journal.append(&table, &bytes.iter().map(Vec::as_slice).collect::<Vec<_>>())?;
            pending.add(table, appended);
        }
        self.victim = Some(victim);
        Ok(Progress::Some)
    }

    fn choose(
        &self,
        connection: &Connection,
        segments: &Segments,
        current: SegmentNumber,
    ) -> Result<Option<Victim>, GroupError> {
        for (number, end) in messages::sparse_segments(connection, current)? {
            if !self.damaged.contains(&number)
                && let Some(file) = segments.read(number)?
            {
                return Ok(Some(Victim { number, file, at: 0, end }));
            }
        }
        Ok(None)
    }
}

impl Victim {
    fn next(&self) -> io::Result<Option<Record>> {
        Records::new(self.number, &self.file, self.at)?.next()
    }

    /// The messages of a record that have their bytes there still.
    fn of_use(&self, connection: &Connection, record: Record) -> Result<(Vec<Moved>, Vec<Vec<u8>>), GroupError> {
        let (mut moved, mut bytes) = (Vec::new(), Vec::new());
        let mut place = record.bytes;
        for message in in_record(record.table) {
            let octets = message.octets;
            if messages::is_at(connection, message.message, place)? {
                let mut copy = vec![0; usize::try_from(octets).map_err(io::Error::other)?];
                self.file.read_exact_at(&mut copy, place.at)?;
                bytes.push(copy);
                moved.push(message);
            }
            place.at += octets;
        }
        Ok((moved, bytes))
    }
}

/// The messages whose bytes are in the record, in their order.
fn in_record(table: Table) -> Vec<Moved> {
    let of_kept = |Kept { message, octets, digest, .. }| Moved { message, octets, digest };
    match table {
        Table::Delivered(kept) => kept.into_iter().filter(|kept| kept.file.is_none()).map(of_kept).collect(),
        Table::Moved(moved) => moved,
    }
}
