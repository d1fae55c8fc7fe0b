//! What a move to or from another store asks for, in SQL.

use std::collections::BTreeMap;

use super::failure::Failure;
use super::group::{self, Delivery, Grouped, Patience};
use super::rows::{self, count, first, get, parsed};
use super::transaction::{Transaction, Transactions, transact};
use crate::{AccountId, HeldAddress, KeptMessage, MessageId, NewMessage, Recipient, StoreError, Timestamp};

/// The most places of messages that are listed at once, unless one message alone has more.
const PLACES_MAX: i64 = 100_000;

/// Those behind a message, as far as they have no more places than may be, each once for every place.
const MESSAGES: &str = "WITH page AS (
        SELECT *, CAST(sum(mailboxes) OVER (ORDER BY id) AS BIGINT) - mailboxes AS places_before
        FROM (SELECT * FROM message WHERE id > $1 ORDER BY id LIMIT $2) AS behind
    )
    SELECT page.id AS id, reverse_path, trace, page.received_at AS received_at, page.octets AS octets,
        page.carried_octets AS carried_octets, account, recipient
    FROM page JOIN entry ON entry.message = page.id
    WHERE places_before = 0 OR places_before + mailboxes <= $3::BIGINT
    ORDER BY page.id, account";

/// Messages behind this one with their places.
pub(super) async fn messages(
    transactions: &Transactions,
    after: Option<MessageId>,
    limit: usize,
) -> Result<Vec<KeptMessage>, StoreError> {
    let after = after.map_or(i64::MIN, |after| after.0);
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = transactions.read(MESSAGES, &[&after, &limit, &PLACES_MAX]).await?;
    let mut messages = BTreeMap::new();
    for row in &rows {
        let recipient = Recipient { account: AccountId(get(row, "account")?), address: parsed(row, "recipient")? };
        let id = MessageId(get(row, "id")?);
        match messages.get_mut(&id) {
            None => drop(messages.insert(id, kept(id, recipient, row)?)),
            Some(KeptMessage { message, .. }) => message.recipients.push(recipient),
        }
    }
    Ok(messages.into_values().collect())
}

fn kept(id: MessageId, recipient: Recipient, row: &tokio_postgres::Row) -> Result<KeptMessage, Failure> {
    let message = NewMessage {
        reverse_path: parsed(row, "reverse_path")?,
        recipients: vec![recipient],
        trace: get(row, "trace")?,
        received_at: Timestamp(get(row, "received_at")?),
        form: rows::form(row)?,
    };
    Ok(KeptMessage { id, octets: count(row, "octets")?, message })
}

const HOLDS: &str = "SELECT address, used_at, held_until FROM account
    WHERE key > $1 AND held_until IS NOT NULL ORDER BY key LIMIT $2";

/// Addresses that are held, behind this key.
pub(super) async fn holds(
    transactions: &Transactions,
    after: &str,
    limit: usize,
) -> Result<Vec<HeldAddress>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = transactions.read(HOLDS, &[&after, &limit]).await?;
    let held = |row| {
        Ok(HeldAddress {
            address: parsed(row, "address")?,
            used_at: Timestamp(get(row, "used_at")?),
            held_until: Timestamp(get(row, "held_until")?),
        })
    };
    Ok(rows.iter().map(held).collect::<Result<_, Failure>>()?)
}

/// The last number that was given to a message, by which other ones are known to have been given. A sequence is no part of a
/// transaction: one that was moved on for messages that were then not kept is told by what was noted before.
const LAST: &str = "SELECT CASE
        WHEN noted.before IS NOT NULL AND given.number <= noted.after THEN noted.before ELSE given.number
    END
    FROM (SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS number FROM message_id) AS given
    LEFT JOIN (
        SELECT CAST(split_part(value, ' ', 1) AS BIGINT) AS before, CAST(split_part(value, ' ', 2) AS BIGINT) AS after
        FROM setting WHERE name = 'put_back'
    ) AS noted ON TRUE";
const NOTE: &str = "INSERT INTO setting (name, value) VALUES ('put_back', $1)
    ON CONFLICT (name) DO UPDATE SET value = excluded.value";
const FORGET: &str = "DELETE FROM setting WHERE name = 'put_back'";
const MOVE_ON: &str = "SELECT setval('message_id', $1)";

/// Keeps messages under the numbers that they bring along, but for those whose numbers have been given. What is put back is put back
/// by one process at a time, into a store that takes no other mail.
pub(super) async fn put_back(transactions: &Transactions, mut messages: Vec<Delivery>) -> Result<(), StoreError> {
    let rows = transactions.read(LAST, &[]).await?;
    let before: i64 = rows.first().map(first).transpose()?.unwrap_or_default();
    messages.retain(|message| message.number().is_some_and(|number| number > before));
    let Some(after) = messages.last().and_then(Delivery::number) else { return Ok(()) };
    let note = format!("{before} {after}");
    let noted: Result<u64, StoreError> =
        transact!(transactions, |transaction| transaction.execute(NOTE, &[&note]).await);
    noted?;
    let kept: Result<Grouped, StoreError> =
        transact!(transactions, |transaction| keep(&transaction, &messages, after).await);
    kept?;
    messages.iter_mut().for_each(Delivery::kept);
    Ok(())
}

async fn keep(transaction: &Transaction<'_>, messages: &[Delivery], after: i64) -> Result<Grouped, Failure> {
    let grouped = group::deliver(transaction, &Vec::from_iter(messages), Patience::Long).await?;
    transaction.query(MOVE_ON, &[&after]).await?;
    transaction.execute(FORGET, &[]).await?;
    Ok(grouped)
}
