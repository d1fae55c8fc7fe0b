//! What is done to messages and mailboxes, in SQL.

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::body::{Stored, StoredIn};
use super::database::{integer, parsed};
use super::journal::{Kept, Place, SegmentNumber};
use super::spool::FileNumber;
use super::writer::Group;
use crate::{
    AccountId, EntryId, Form, Maildrop, MaildropEntry, MessageId, NewMessage, Report, StoreError, StoredMessage,
};

/// A message on its way to the journal.
pub(super) struct Delivery {
    /// The number that it brings along.
    pub(super) number: Option<MessageId>,
    /// It has no number yet.
    pub(super) kept: Kept,
    pub(super) bytes: StoredIn,
}

impl Delivery {
    pub(super) fn new(message: NewMessage, octets: u64, body: Stored) -> Result<Self, StoreError> {
        let NewMessage { reverse_path, recipients, trace, received_at, form } = message;
        let Stored { digest, place: bytes } = body;
        let carried_octets = match form {
            Form::Text => None,
            Form::Binary { carried_octets } => Some(integer(carried_octets)?),
        };
        let file = match &bytes {
            StoredIn::Memory(..) => None,
            StoredIn::File(file) => Some(file.number().0),
        };
        let kept = Kept {
            message: 0,
            reverse_path: reverse_path.to_string(),
            trace,
            received_at: received_at.0,
            octets,
            carried_octets,
            digest,
            file,
            recipients: recipients.into_iter().map(|to| (to.account.0, to.address.to_string())).collect(),
        };
        Ok(Self { number: None, kept, bytes })
    }

    /// One that comes from another store.
    pub(super) fn numbered(self, number: MessageId) -> Self {
        Self { number: Some(number), ..self }
    }

    /// A report, whose bytes are in memory.
    pub(super) fn report(report: Report) -> Result<Self, StoreError> {
        let Report { message, text } = report;
        Self::new(message, text.len() as u64, Stored::in_memory(text, None))
    }
}

/// A mailbox's entries, oldest first.
pub(super) fn maildrop(connection: &Connection, account: AccountId) -> rusqlite::Result<Maildrop> {
    let mut entries = connection.prepare_cached(
        "SELECT message, octets, carried_octets, trace_octets, received_at FROM entry
         WHERE account = ?1 ORDER BY message",
    )?;
    let entries = entries.query_map([account], |row| {
        Ok(MaildropEntry {
            id: row.get(0)?,
            octets: row.get(1)?,
            form: to_form(row.get(2)?),
            trace_octets: row.get(3)?,
            received_at: row.get(4)?,
        })
    })?;
    Ok(Maildrop { entries: entries.collect::<rusqlite::Result<_>>()? })
}

/// Where a stored message's bytes are.
#[derive(PartialEq)]
pub(super) enum Location {
    /// In the table, of a message that was there before there was a journal.
    Inline(Bytes),
    File(FileNumber),
    Journal(Place),
}

/// A message, where its bytes are, and what their digest is.
pub(super) type Found = (StoredMessage, Location, Option<u64>);

/// A message of this account's mailbox.
pub(super) fn find(connection: &Connection, account: AccountId, entry: EntryId) -> rusqlite::Result<Option<Found>> {
    connection
        .prepare_cached(
            "SELECT reverse_path, recipient, trace, message.octets AS octets,
                 message.carried_octets AS carried_octets, digest, segment, place, file, body
             FROM entry JOIN message ON message.id = entry.message
             WHERE entry.account = ?1 AND entry.message = ?2",
        )?
        .query_row(params![account, entry], to_stored_message)
        .optional()
}

/// Messages of this account's mailbox, all as they are at one moment.
pub(super) fn find_all(
    connection: &Connection,
    account: AccountId,
    entries: &[EntryId],
) -> rusqlite::Result<Vec<Option<Found>>> {
    let moment = connection.unchecked_transaction()?;
    entries.iter().map(|entry| find(&moment, account, *entry)).collect()
}

fn to_stored_message(row: &Row<'_>) -> rusqlite::Result<Found> {
    let message = StoredMessage {
        reverse_path: parsed(row, "reverse_path")?,
        recipient: parsed(row, "recipient")?,
        trace: row.get("trace")?,
        octets: row.get("octets")?,
        form: to_form(row.get("carried_octets")?),
    };
    let location = match (row.get("segment")?, row.get("file")?) {
        (Some(segment), _) => Location::Journal(Place { segment, at: row.get("place")? }),
        (None, Some(file)) => Location::File(file),
        (None, None) => Location::Inline(row.get::<_, Vec<u8>>("body")?.into()),
    };
    let digest: Option<i64> = row.get("digest")?;
    Ok((message, location, digest.map(i64::cast_unsigned)))
}

pub(super) fn to_form(carried_octets: Option<u64>) -> Form {
    carried_octets.map_or(Form::Text, |carried_octets| Form::Binary { carried_octets })
}

/// Removes entries of this account, and the messages that were in no other mailbox.
pub(super) fn flush(group: &mut Group<'_>, account: AccountId, entries: &[EntryId]) -> rusqlite::Result<()> {
    let (mut octets, mut messages) = (0, 0);
    for entry in entries {
        let removed: Option<u64> = group
            .prepare_cached("DELETE FROM entry WHERE account = ?1 AND message = ?2 RETURNING octets")?
            .query_row(params![account, entry], |row| row.get(0))
            .optional()?;
        if let Some(removed) = removed {
            octets += removed;
            messages += 1;
            let_go(group, MessageId(entry.0))?;
        }
    }
    group
        .prepare_cached("UPDATE account SET octets = octets - ?2, messages = messages - ?3 WHERE id = ?1")?
        .execute(params![account, octets, messages])?;
    group.changed(account);
    Ok(())
}

/// Removes all entries of an account, and the messages that were in no other mailbox.
pub(super) fn delete_all(group: &mut Group<'_>, account: AccountId) -> rusqlite::Result<()> {
    let removed: Vec<MessageId> = group
        .prepare_cached("DELETE FROM entry WHERE account = ?1 RETURNING message")?
        .query_map([account], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    removed.into_iter().try_for_each(|message| let_go(group, message))
}

/// One mailbox less has the message. It goes with the last.
fn let_go(group: &mut Group<'_>, message: MessageId) -> rusqlite::Result<()> {
    type Gone = (Option<SegmentNumber>, u64, Option<FileNumber>);
    let gone: Option<Gone> = group
        .prepare_cached("DELETE FROM message WHERE id = ?1 AND mailboxes <= 1 RETURNING segment, octets, file")?
        .query_row([message], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    match gone {
        Some((segment, octets, file)) => {
            if let Some(segment) = segment {
                group.freed(segment, octets);
            }
            if let Some(file) = file {
                group.unlink(file);
            }
        }
        None => {
            group.prepare_cached("UPDATE message SET mailboxes = mailboxes - 1 WHERE id = ?1")?.execute([message])?;
        }
    }
    Ok(())
}

/// Whether a message has its bytes in this file.
pub(super) fn names(connection: &Connection, file: FileNumber) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM message WHERE file = ?1")?.exists([file])
}

/// Whether a message has its bytes in this segment, or may have.
pub(super) fn names_segment(connection: &Connection, segment: SegmentNumber) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM segment WHERE number = ?1")?.exists([segment])
}

/// Removes the segments before this one that no message has its bytes in.
pub(super) fn take_dead_segments(
    connection: &Connection,
    current: SegmentNumber,
) -> rusqlite::Result<Vec<SegmentNumber>> {
    connection
        .prepare_cached("DELETE FROM segment WHERE live <= 0 AND number < ?1 RETURNING number")?
        .query_map([current], |row| row.get(0))?
        .collect()
}

/// The segments before this one of which less than a half is of use, and where each ends; the emptiest first.
pub(super) fn sparse_segments(
    connection: &Connection,
    current: SegmentNumber,
) -> rusqlite::Result<Vec<(SegmentNumber, u64)>> {
    connection
        .prepare_cached(
            "SELECT number, octets FROM segment WHERE live > 0 AND live * 2 < octets AND number < ?1
             ORDER BY live * 1.0 / octets",
        )?
        .query_map([current], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect()
}

/// Whether a segment has more than so many octets that are of no use.
pub(super) fn has_waste(connection: &Connection, segment: SegmentNumber, octets: u64) -> rusqlite::Result<bool> {
    connection
        .prepare_cached("SELECT 1 FROM segment WHERE number = ?1 AND octets - live > ?2 AND live * 2 < octets")?
        .exists(params![segment, octets])
}

/// Whether a message has its bytes in this place.
pub(super) fn is_at(connection: &Connection, message: i64, place: Place) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM message WHERE id = ?1 AND segment = ?2 AND place = ?3")?.exists(params![
        message,
        place.segment,
        place.at
    ])
}

/// So far the tables know the journal: the segment, its octets, and the number of the next message.
pub(super) fn position(connection: &Connection) -> rusqlite::Result<(SegmentNumber, u64, i64)> {
    connection.query_row("SELECT segment, octets, next_message FROM position", [], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })
}
