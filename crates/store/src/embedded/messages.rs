//! What is done to messages and mailboxes, in SQL.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::body::Stored;
use super::database::{integer, parsed};
use super::spool::FileNumber;
use super::writer::Group;
use crate::{
    AccountId, Delivered, EntryId, Form, Maildrop, MaildropEntry, MessageId, NewMessage, Report, StoreError,
    StoredMessage, Timestamp,
};

/// A message and its bytes, as they go into the tables.
pub(super) struct Delivery {
    reverse_path: String,
    trace: String,
    received_at: Timestamp,
    recipients: Vec<(AccountId, String)>,
    octets: u64,
    /// Of a binary message.
    carried_octets: Option<i64>,
    body: Stored,
}

impl Delivery {
    pub(super) fn new(message: NewMessage, octets: u64, body: Stored) -> Result<Self, StoreError> {
        let NewMessage { reverse_path, recipients, trace, received_at, form } = message;
        let carried_octets = match form {
            Form::Text => None,
            Form::Binary { carried_octets } => Some(integer(carried_octets)?),
        };
        Ok(Self {
            reverse_path: reverse_path.to_string(),
            trace,
            received_at,
            recipients: recipients.into_iter().map(|to| (to.account, to.address.to_string())).collect(),
            octets,
            carried_octets,
            body,
        })
    }

    /// A report, whose bytes are in memory.
    pub(super) fn report(report: Report) -> Result<Self, StoreError> {
        let Report { message, text } = report;
        Self::new(message, text.len() as u64, Stored::Inline(text))
    }

    /// Octets of the body that are in memory.
    pub(super) fn octets_in_memory(&self) -> usize {
        match &self.body {
            Stored::Inline(bytes) => bytes.len(),
            Stored::File(_) => 0,
        }
    }
}

/// Puts a message, and the reports about it, into the mailboxes of the recipients that are still there.
pub(super) fn deliver(
    group: &mut Group<'_>,
    delivery: Delivery,
    reports: Vec<Delivery>,
) -> rusqlite::Result<Delivered> {
    let delivered = deliver_one(group, delivery)?;
    for report in reports {
        deliver_one(group, report)?;
    }
    Ok(delivered)
}

/// If none of the recipients is there the message is gone at once.
fn deliver_one(group: &mut Group<'_>, delivery: Delivery) -> rusqlite::Result<Delivered> {
    let message = insert_message(group, &delivery)?;
    let (mut is_kept, mut gone) = (false, Vec::new());
    for (account, recipient) in &delivery.recipients {
        if insert_entry(group, *account, message, recipient, &delivery)? {
            group.arrived(*account);
            is_kept = true;
        } else if !has_entry(group, *account, message)? && !gone.contains(account) {
            gone.push(*account);
        }
    }
    match delivery.body {
        _ if !is_kept => delete_if_unused(group, message)?,
        Stored::File(file) => file.keep(),
        Stored::Inline(_) => {}
    }
    Ok(Delivered { message, gone })
}

fn insert_message(group: &Group<'_>, delivery: &Delivery) -> rusqlite::Result<MessageId> {
    let Delivery { reverse_path, trace, received_at, octets, carried_octets, body, .. } = delivery;
    let (file, body) = match body {
        Stored::Inline(bytes) => (None, Some(bytes)),
        Stored::File(file) => (Some(file.number()), None),
    };
    group
        .prepare_cached(
            "INSERT INTO message (reverse_path, trace, received_at, octets, carried_octets, file, body)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .insert(params![reverse_path, trace, received_at, octets, carried_octets, file, body])
        .map(MessageId)
}

/// Whether the account was there, and did not have the message yet.
fn insert_entry(
    group: &Group<'_>,
    account: AccountId,
    message: MessageId,
    recipient: &str,
    delivery: &Delivery,
) -> rusqlite::Result<bool> {
    let Delivery { octets, carried_octets, received_at, trace, .. } = delivery;
    let inserted = group
        .prepare_cached(
            "INSERT INTO entry (account, message, recipient, octets, carried_octets, trace_octets, received_at)
             SELECT id, ?2, ?3, ?4, ?5, ?6, ?7 FROM account WHERE id = ?1 AND held_until IS NULL
             ON CONFLICT (account, message) DO NOTHING",
        )?
        .execute(params![account, message, recipient, octets, carried_octets, trace.len(), received_at])?;
    if inserted == 1 {
        group
            .prepare_cached("UPDATE account SET octets = octets + ?2, messages = messages + 1 WHERE id = ?1")?
            .execute(params![account, octets])?;
    }
    Ok(inserted == 1)
}

fn has_entry(group: &Group<'_>, account: AccountId, message: MessageId) -> rusqlite::Result<bool> {
    group.prepare_cached("SELECT 1 FROM entry WHERE account = ?1 AND message = ?2")?.exists(params![account, message])
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
pub(super) enum Location {
    Inline(Vec<u8>),
    File(FileNumber),
}

/// A message of this account's mailbox.
pub(super) fn find(
    connection: &Connection,
    account: AccountId,
    entry: EntryId,
) -> rusqlite::Result<Option<(StoredMessage, Location)>> {
    connection
        .prepare_cached(
            "SELECT reverse_path, recipient, trace, message.octets AS octets,
                 message.carried_octets AS carried_octets, file, body
             FROM entry JOIN message ON message.id = entry.message
             WHERE entry.account = ?1 AND entry.message = ?2",
        )?
        .query_row(params![account, entry], to_stored_message)
        .optional()
}

fn to_stored_message(row: &Row<'_>) -> rusqlite::Result<(StoredMessage, Location)> {
    let message = StoredMessage {
        reverse_path: parsed(row, "reverse_path")?,
        recipient: parsed(row, "recipient")?,
        trace: row.get("trace")?,
        octets: row.get("octets")?,
        form: to_form(row.get("carried_octets")?),
    };
    let location = match row.get("file")? {
        Some(file) => Location::File(file),
        None => Location::Inline(row.get("body")?),
    };
    Ok((message, location))
}

fn to_form(carried_octets: Option<u64>) -> Form {
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
            delete_if_unused(group, MessageId(entry.0))?;
        }
    }
    group
        .prepare_cached("UPDATE account SET octets = octets - ?2, messages = messages - ?3 WHERE id = ?1")?
        .execute(params![account, octets, messages])
        .map(drop)
}

/// Removes all entries of an account, and the messages that were in no other mailbox.
pub(super) fn delete_all(group: &mut Group<'_>, account: AccountId) -> rusqlite::Result<()> {
    let removed: Vec<MessageId> = group
        .prepare_cached("DELETE FROM entry WHERE account = ?1 RETURNING message")?
        .query_map([account], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    removed.into_iter().try_for_each(|message| delete_if_unused(group, message))
}

fn delete_if_unused(group: &mut Group<'_>, message: MessageId) -> rusqlite::Result<()> {
    let file: Option<Option<FileNumber>> = group
        .prepare_cached(
            "DELETE FROM message WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM entry WHERE message = ?1) RETURNING file",
        )?
        .query_row([message], |row| row.get(0))
        .optional()?;
    if let Some(file) = file.flatten() {
        group.unlink(file);
    }
    Ok(())
}

/// Whether a message has its bytes in this file.
pub(super) fn names(connection: &Connection, file: FileNumber) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM message WHERE file = ?1")?.exists([file])
}
