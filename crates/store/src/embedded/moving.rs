//! What a move to another store wants to know of this one, in SQL.

use rusqlite::{Connection, params};

use super::database::parsed;
use super::messages::to_form;
use crate::{HeldAddress, KeptMessage, MessageId, NewMessage, Recipient};

/// The most places of messages that are listed at once, unless one message alone has more.
const PLACES_MAX: u64 = 100_000;

/// Messages behind this one with their places. Reads all entries once, for no index has them in this order.
pub(super) fn messages(
    connection: &Connection,
    after: Option<MessageId>,
    limit: usize,
) -> rusqlite::Result<Vec<KeptMessage>> {
    let moment = connection.unchecked_transaction()?;
    let mut messages = envelopes(&moment, after, limit)?;
    let (Some(first), Some(last)) = (messages.first(), messages.last()) else { return Ok(messages) };
    let mut places = moment.prepare_cached(
        "SELECT message, account, recipient FROM entry WHERE message BETWEEN ?1 AND ?2 ORDER BY account, message",
    )?;
    let mut places = places.query(params![first.id, last.id])?;
    while let Some(place) = places.next()? {
        let id: MessageId = place.get(0)?;
        if let Ok(at) = messages.binary_search_by_key(&id, |message| message.id) {
            let recipient = Recipient { account: place.get(1)?, address: parsed(place, "recipient")? };
            messages[at].message.recipients.push(recipient);
        }
    }
    Ok(messages)
}

/// The same without their places.
fn envelopes(connection: &Connection, after: Option<MessageId>, limit: usize) -> rusqlite::Result<Vec<KeptMessage>> {
    let mut rows = connection.prepare_cached(
        "SELECT id, mailboxes, reverse_path, trace, received_at, octets, carried_octets FROM message
         WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let after = after.map_or(i64::MIN, |id| id.0);
    let mut rows = rows.query(params![after, i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let (mut messages, mut places) = (Vec::new(), 0_u64);
    while let Some(row) = rows.next()? {
        places = row.get::<_, u64>("mailboxes")?.saturating_add(places);
        if places > PLACES_MAX && !messages.is_empty() {
            break;
        }
        let message = NewMessage {
            reverse_path: parsed(row, "reverse_path")?,
            recipients: Vec::new(),
            trace: row.get("trace")?,
            received_at: row.get("received_at")?,
            form: to_form(row.get("carried_octets")?),
        };
        messages.push(KeptMessage { id: row.get("id")?, octets: row.get("octets")?, message });
    }
    Ok(messages)
}

/// Addresses that are held, behind this key.
pub(super) fn holds(connection: &Connection, after: &str, limit: usize) -> rusqlite::Result<Vec<HeldAddress>> {
    connection
        .prepare_cached(
            "SELECT address, used_at, held_until FROM account
             WHERE key > ?1 AND held_until IS NOT NULL ORDER BY key LIMIT ?2",
        )?
        .query_map(params![after, i64::try_from(limit).unwrap_or(i64::MAX)], |row| {
            Ok(HeldAddress {
                address: parsed(row, "address")?,
                used_at: row.get("used_at")?,
                held_until: row.get("held_until")?,
            })
        })?
        .collect()
}
