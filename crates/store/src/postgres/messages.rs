//! What is done to messages in mailboxes, in SQL.

use bytes::Bytes;
use tokio_postgres::Row;
use xxhash_rust::xxh3::xxh3_64;

use super::failure::Failure;
use super::rows::{self, count, first, get, parsed};
use super::transaction::{Transaction, Transactions};
use crate::{AccountId, EntryId, Maildrop, StoreError, StoredMessage};

const MAILDROP: &str = "SELECT message, octets, carried_octets, trace_octets, received_at FROM entry
    WHERE account = $1 ORDER BY message";

/// A mailbox's entries, oldest first.
pub(super) async fn maildrop(transactions: &Transactions, account: AccountId) -> Result<Maildrop, StoreError> {
    let rows = transactions.read(MAILDROP, &[&account.0]).await?;
    Ok(Maildrop { entries: rows.iter().map(rows::maildrop_entry).collect::<Result<_, _>>()? })
}

/// Where a message's bytes are.
pub(super) enum Content {
    /// Here, and they are what they were.
    Inline(Bytes),
    /// In the chunks of this spool, with this digest of them all.
    Spooled { id: i64, digest: u64 },
}

/// A message and where its bytes are.
pub(super) type Found = (StoredMessage, Content);

const FIND: &str = "SELECT entry.message, reverse_path, recipient, trace, message.octets AS octets,
        message.carried_octets AS carried_octets, digest, spool, body
    FROM entry JOIN message ON message.id = entry.message
    WHERE entry.account = $1 AND entry.message = ANY($2)";

/// Messages of this account's mailbox, each as it is; those that are not there are left out.
pub(super) async fn find(
    transactions: &Transactions,
    account: AccountId,
    entries: &[EntryId],
) -> Result<Vec<(EntryId, Result<Found, StoreError>)>, StoreError> {
    let ids: Vec<i64> = entries.iter().map(|entry| entry.0).collect();
    let rows = transactions.read(FIND, &[&account.0, &ids]).await?;
    let found = rows.iter().map(|row| Ok((EntryId(get(row, "message")?), to_found(row).map_err(StoreError::from))));
    Ok(found.collect::<Result<_, Failure>>()?)
}

fn to_found(row: &Row) -> Result<Found, Failure> {
    let message = StoredMessage {
        reverse_path: parsed(row, "reverse_path")?,
        recipient: parsed(row, "recipient")?,
        trace: get(row, "trace")?,
        octets: count(row, "octets")?,
        form: rows::form(row)?,
    };
    let digest = get::<i64>(row, "digest")?.cast_unsigned();
    if let Some(id) = get(row, "spool")? {
        return Ok((message, Content::Spooled { id, digest }));
    }
    let body: &[u8] = get(row, "body")?;
    if xxh3_64(body) != digest {
        return Err(Failure::damaged("a message's bytes are damaged"));
    }
    Ok((message, Content::Inline(Bytes::copy_from_slice(body))))
}

const TAKE_OUT: &str = "WITH taken AS (
        DELETE FROM entry WHERE account = $1 AND message = ANY($2) RETURNING message, octets
    ), noted AS (
        INSERT INTO loose (message) SELECT message FROM taken
    )
    UPDATE account SET octets = octets - (SELECT CAST(coalesce(sum(octets), 0) AS BIGINT) FROM taken),
        messages = messages - (SELECT count(*) FROM taken)
    WHERE id = $1";

/// Removes entries of this account. The account is locked first, as by a delivery. Messages that are in no mailbox any more go when it
/// is tidied up: as many as a mailbox may have take too long to be waited for.
pub(super) async fn flush(transaction: &Transaction<'_>, account: i64, entries: &[i64]) -> Result<(), Failure> {
    super::accounts::lock_living(transaction, &[account]).await?;
    transaction.execute_long(TAKE_OUT, &[&account, &entries]).await.map(drop)
}

const TAKE_ALL_OUT: &str = "WITH taken AS (DELETE FROM entry WHERE account = ANY($1) RETURNING message)
    INSERT INTO loose (message) SELECT message FROM taken";

/// Removes all entries of these accounts, which are locked.
pub(super) async fn delete_all(transaction: &Transaction<'_>, accounts: &[i64]) -> Result<(), Failure> {
    transaction.execute_long(TAKE_ALL_OUT, &[&accounts]).await.map(drop)
}

/// The most places that are counted down in one transaction.
const LOOSE_MAX: i64 = 2000;
const TAKE_LOOSE: &str = "DELETE FROM loose
    WHERE id IN (SELECT id FROM loose ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED) RETURNING message";

/// Counts down some of the places that messages have lost. Whether there may be more.
pub(super) async fn tidy(transaction: &Transaction<'_>) -> Result<bool, Failure> {
    let taken = transaction.query(TAKE_LOOSE, &[&LOOSE_MAX]).await?;
    let messages: Vec<i64> = taken.iter().map(first).collect::<Result<_, _>>()?;
    let_go(transaction, &messages).await?;
    Ok(messages.len() as i64 == LOOSE_MAX)
}

/// Locks them, in an order that is the same for all.
const LOCK: &str = "SELECT id FROM message WHERE id = ANY($1) ORDER BY id FOR UPDATE";
/// As often as it is named.
const DECREMENT: &str = "UPDATE message SET mailboxes = mailboxes - gone.times
    FROM (SELECT id, count(*) AS times FROM unnest($1::BIGINT[]) AS named (id) GROUP BY id) AS gone
    WHERE message.id = gone.id";
/// A body that was in chunks stays for those who are reading it.
const DELETE: &str = "WITH gone AS (DELETE FROM message WHERE id = ANY($1) AND mailboxes <= 0 RETURNING spool)
    INSERT INTO spool (id, kept_until) SELECT spool, now() + INTERVAL '1 hour' FROM gone WHERE spool IS NOT NULL";

/// So many mailboxes less have the messages as they are named. They go with the last.
async fn let_go(transaction: &Transaction<'_>, messages: &[i64]) -> Result<(), Failure> {
    if messages.is_empty() {
        return Ok(());
    }
    transaction.prepare(&[LOCK, DECREMENT, DELETE]).await?;
    let (locked, decremented, deleted) = tokio::join!(
        biased;
        async { transaction.query(LOCK, &[&messages]).await },
        async { transaction.execute(DECREMENT, &[&messages]).await },
        async { transaction.execute(DELETE, &[&messages]).await },
    );
    locked?;
    decremented?;
    deleted?;
    Ok(())
}
