//! What is in the journal and not yet in the tables.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};

use super::group::Live;
use crate::embedded::journal::{Appended, Kept, Moved, Place, SegmentNumber, Table};

/// So much may be pending before the tables must be told.
const MESSAGES_MAX: usize = 256;

/// Messages that are acknowledged, or about to be.
pub(in crate::embedded) struct Pending {
    kept: Vec<(Kept, Option<Place>)>,
    moved: Vec<(Moved, Place)>,
    /// Segments that have been written to, and how far.
    segments: BTreeMap<SegmentNumber, u64>,
    next_message: i64,
}

impl Pending {
    /// Nothing, behind which comes this message.
    pub(in crate::embedded) fn new(next_message: i64) -> Self {
        Self { kept: Vec::new(), moved: Vec::new(), segments: BTreeMap::new(), next_message }
    }

    /// A number for a message. It is never given to another one.
    pub(super) fn take_number(&mut self) -> i64 {
        self.next_message += 1;
        self.next_message - 1
    }

    /// Gives a message the number that it brings along, unless that was given, or a later one. Whether it did.
    pub(super) fn take_this_number(&mut self, number: i64) -> bool {
        let is_free = number >= self.next_message;
        if is_free {
            self.next_message = number + 1;
        }
        is_free
    }

    /// What will be the next message's number.
    pub(super) fn next_number(&self) -> i64 {
        self.next_message
    }

    /// No message has got a number from this one on: those that did were not written.
    pub(super) fn take_numbers_back(&mut self, next: i64) {
        self.next_message = next;
    }

    /// A record is in the journal.
    pub(in crate::embedded) fn add(&mut self, table: Table, appended: Appended) {
        let Appended { bytes: mut place, end } = appended;
        self.segments.insert(place.segment, end);
        let mut next = |octets: u64| {
            let at = place;
            place.at += octets;
            at
        };
        match table {
            Table::Delivered(messages) => {
                for kept in messages {
                    self.next_message = self.next_message.max(kept.message + 1);
                    let place = kept.file.is_none().then(|| next(kept.octets));
                    self.kept.push((kept, place));
                }
            }
            Table::Moved(messages) => {
                self.moved.extend(messages.into_iter().map(|moved| {
                    let place = next(moved.octets);
                    (moved, place)
                }));
            }
        }
    }

    pub(in crate::embedded) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    /// Whether there is so much that the tables should be told at once.
    pub(in crate::embedded) fn is_much(&self) -> bool {
        self.kept.len() + self.moved.len() >= MESSAGES_MAX
    }

    /// Nothing is pending any more.
    pub(in crate::embedded) fn clear(&mut self) {
        self.kept.clear();
        self.moved.clear();
        self.segments.clear();
    }

    /// Tells the tables, in a transaction of the caller's.
    pub(in crate::embedded) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        self.write_segments(connection)?;
        let mut live = Live::default();
        self.write_messages(connection, &mut live)?;
        self.write_moves(connection, &mut live)?;
        live.write(connection)
    }

    fn write_segments(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut set = connection.prepare_cached(
            "INSERT INTO segment (number, octets, live) VALUES (?1, ?2, 0)
             ON CONFLICT (number) DO UPDATE SET octets = excluded.octets",
        )?;
        for (number, end) in &self.segments {
            set.execute(params![number, end])?;
        }
        if let Some((number, end)) = self.segments.last_key_value() {
            connection
                .prepare_cached("UPDATE position SET segment = ?1, octets = ?2, next_message = ?3")?
                .execute(params![number, end, self.next_message])?;
        }
        Ok(())
    }

    fn write_messages(&self, connection: &Connection, live: &mut Live) -> rusqlite::Result<()> {
        let mut message = connection.prepare_cached(
            "INSERT INTO message (id, mailboxes, reverse_path, trace, received_at, octets, carried_octets, digest,
                 segment, place, file)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        )?;
        let mut entry = connection.prepare_cached(
            "INSERT INTO entry (account, message, recipient, octets, carried_octets, trace_octets, received_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?;
        let mut totals: BTreeMap<i64, (u64, u64)> = BTreeMap::new();
        for (kept, place) in &self.kept {
            let Kept { reverse_path, trace, received_at, octets, carried_octets, file, recipients, .. } = kept;
            let (segment, at) = place.map(|place| (place.segment, place.at)).unzip();
            if let Some(segment) = segment {
                live.more(segment, *octets);
            }
            message.execute(params![
                kept.message,
                recipients.len(),
                reverse_path,
                trace,
                received_at,
                octets,
                carried_octets,
                kept.digest.cast_signed(),
                segment,
                at,
                file
            ])?;
            for (account, recipient) in recipients {
                entry.execute(params![
                    account,
                    kept.message,
                    recipient,
                    octets,
                    carried_octets,
                    trace.len(),
                    received_at
                ])?;
                let total = totals.entry(*account).or_default();
                *total = (total.0 + octets, total.1 + 1);
            }
        }
        let mut account = connection
            .prepare_cached("UPDATE account SET octets = octets + ?2, messages = messages + ?3 WHERE id = ?1")?;
        totals.iter().try_for_each(|(id, (octets, count))| account.execute(params![id, octets, count]).map(drop))
    }

    /// A message that is gone meanwhile has no use for another place.
    fn write_moves(&self, connection: &Connection, live: &mut Live) -> rusqlite::Result<()> {
        let mut from = connection.prepare_cached("SELECT segment FROM message WHERE id = ?1 AND segment < ?2")?;
        let mut update = connection.prepare_cached("UPDATE message SET segment = ?2, place = ?3 WHERE id = ?1")?;
        for (moved, place) in &self.moved {
            let mut rows = from.query(params![moved.message, place.segment])?;
            let Some(row) = rows.next()? else { continue };
            live.less(row.get(0)?, moved.octets);
            live.more(place.segment, moved.octets);
            update.execute(params![moved.message, place.segment, place.at])?;
        }
        Ok(())
    }
}
