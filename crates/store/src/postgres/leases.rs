//! What time does to accounts, holds and what else is kept for a while, in SQL. Whichever server comes to it does it for all.

use super::accounts;
use super::failure::Failure;
use super::rows::first;
use super::transaction::Transaction;
use crate::Timestamp;

/// The most accounts that are ended in one transaction.
const BATCH: i64 = 500;

/// Those of no living server: nobody holds the connection that they could live with.
const UNCLAIMED: &str = "SELECT id FROM account
    WHERE held_until IS NULL AND verifier IS NULL
        AND (node IS NULL OR node = $1 OR NOT EXISTS (SELECT 1 FROM node WHERE node.id = account.node))
    ORDER BY id LIMIT $2";

/// Ends accounts without a verifier that live with this node, or with none. How many; less than a batch if none is left.
pub(super) async fn end_unclaimed(
    transaction: &Transaction<'_>,
    node: i64,
    held_until: Timestamp,
) -> Result<Batch, Failure> {
    let unclaimed = ids(transaction.query(UNCLAIMED, &[&node, &BATCH]).await?)?;
    let ended = accounts::end(transaction, &unclaimed, held_until).await?;
    Ok(Batch { done: ended, is_last: is_last(&unclaimed) })
}

/// A part of something.
pub(super) struct Batch {
    pub(super) done: u64,
    pub(super) is_last: bool,
}

fn ids(rows: Vec<tokio_postgres::Row>) -> Result<Vec<i64>, Failure> {
    rows.iter().map(first).collect()
}

fn is_last(found: &[i64]) -> bool {
    (found.len() as i64) < BATCH
}

const IDLE: &str = "SELECT id FROM account
    WHERE held_until IS NULL AND (number IS NOT NULL OR verifier IS NULL) AND used_at < $1
    ORDER BY id LIMIT $2 FOR NO KEY UPDATE SKIP LOCKED";

/// Ends what was idle. What another server ends just now is passed over.
pub(super) async fn end_idle(
    transaction: &Transaction<'_>,
    idle_since: Timestamp,
    now: Timestamp,
) -> Result<Batch, Failure> {
    let idle = ids(transaction.query(IDLE, &[&idle_since.0, &BATCH]).await?)?;
    let ended = accounts::end(transaction, &idle, now).await?;
    Ok(Batch { done: ended, is_last: is_last(&idle) })
}

const LET_GO: &str = "DELETE FROM account WHERE id IN (
        SELECT id FROM account WHERE held_until <= $1 ORDER BY id FOR UPDATE SKIP LOCKED
    )";

/// Forgets the holds that are over.
pub(super) async fn let_go(transaction: &Transaction<'_>, now: Timestamp) -> Result<u64, Failure> {
    transaction.execute(LET_GO, &[&now.0]).await
}

const LAST_USE: &str = "SELECT max(used_at) FROM account";
const OTHERS: &str = "SELECT 1 FROM node WHERE id <> $1 AND seen_at > now() - $2 * INTERVAL '1 second' LIMIT 1";
const RESUME: &str =
    "UPDATE account SET used_at = used_at + CASE WHEN number IS NULL AND $1::BIGINT > 0 THEN 0 ELSE $1 END,
    held_until = LEAST(held_until + $1, CASE WHEN held_until IS NULL THEN NULL ELSE $2::BIGINT END)";

/// Moves leases and holds by the time since any account was last used, unless that is no longer than a lease, or another server was
/// here meanwhile. No hold is made longer than a lease.
pub(super) async fn resume(
    transaction: &Transaction<'_>,
    node: i64,
    node_lease: f64,
    idle_since: Timestamp,
    now: Timestamp,
) -> Result<i64, Failure> {
    if !transaction.query(OTHERS, &[&node, &node_lease]).await?.is_empty() {
        return Ok(0);
    }
    let last: Option<i64> = match transaction.query(LAST_USE, &[]).await?.first() {
        Some(row) => first(row)?,
        None => None,
    };
    let Some(last) = last.filter(|last| !(idle_since.0..=now.0).contains(last)) else {
        return Ok(0);
    };
    let (away, lease) = (now.0.saturating_sub(last), now.0.saturating_sub(idle_since.0));
    transaction.execute(RESUME, &[&away, &now.0.saturating_add(lease)]).await?;
    Ok(away)
}

const FORGET_OUTCOMES: &str = "DELETE FROM outcome WHERE made_at < now() - INTERVAL '1 hour'";
/// First the row, so that no delivery takes it meanwhile.
const FORGET_SPOOLS: &str = "WITH gone AS (DELETE FROM spool WHERE kept_until < now() RETURNING id)
    DELETE FROM chunk USING gone WHERE chunk.spool = gone.id";

/// Deletes what was kept for a while: how transactions have ended, and bodies that no message has.
pub(super) async fn tidy(transaction: &Transaction<'_>) -> Result<(), Failure> {
    transaction.execute(FORGET_OUTCOMES, &[]).await?;
    transaction.execute(FORGET_SPOOLS, &[]).await?;
    Ok(())
}
