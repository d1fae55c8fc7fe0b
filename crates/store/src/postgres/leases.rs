//! What time does to accounts, holds and what else is kept for a while, in SQL. Whichever server comes to it does it for all.

use std::time::Duration;

use super::accounts;
use super::failure::{Cause, Failure};
use super::rows::first;
use super::transaction::Transaction;
use crate::Timestamp;

/// The most accounts that are ended in one transaction, each with all its mail.
const BATCH: i64 = 50;
/// The most rows that are forgotten in one transaction.
const FORGET_MAX: i64 = 5000;
/// The most bodies, each of which may have many chunks.
const BODIES_MAX: i64 = 20;

/// A part of something.
pub(super) struct Batch {
    pub(super) done: u64,
    pub(super) is_last: bool,
}

/// Ends these, which were as many as were looked for, or fewer.
async fn end(transaction: &Transaction<'_>, found: &[tokio_postgres::Row], until: Timestamp) -> Result<Batch, Failure> {
    let ids: Vec<i64> = found.iter().map(first).collect::<Result<_, _>>()?;
    let done = accounts::end(transaction, &ids, until).await?;
    Ok(Batch { done, is_last: (ids.len() as i64) < BATCH })
}

/// Locked, so that nobody gets a password meanwhile.
const UNCLAIMED: &str = "SELECT id FROM account WHERE held_until IS NULL AND verifier IS NULL
        AND (node IS NULL OR node = $1 OR NOT EXISTS (SELECT 1 FROM node WHERE node.id = account.node))
    ORDER BY id LIMIT $2 FOR NO KEY UPDATE";

/// Ends accounts without a verifier that live with this node, or with none that lives: nobody holds the connection that they could
/// live with.
pub(super) async fn end_unclaimed(
    transaction: &Transaction<'_>,
    node: Option<i64>,
    held_until: Timestamp,
) -> Result<Batch, Failure> {
    let unclaimed = transaction.query(UNCLAIMED, &[&node, &BATCH]).await?;
    end(transaction, &unclaimed, held_until).await
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
    let idle = transaction.query(IDLE, &[&idle_since.0, &BATCH]).await?;
    end(transaction, &idle, now).await
}

const LET_GO: &str = "DELETE FROM account WHERE id IN (
        SELECT id FROM account WHERE held_until <= $1 ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED
    )";

/// Forgets holds that are over.
pub(super) async fn let_go(transaction: &Transaction<'_>, now: Timestamp) -> Result<Batch, Failure> {
    let done = transaction.execute(LET_GO, &[&now.0, &FORGET_MAX]).await?;
    Ok(Batch { done, is_last: done < FORGET_MAX.cast_unsigned() })
}

const FORGET_COUNTS: &str = "DELETE FROM tally WHERE (kind, key, node) IN (
        SELECT kind, key, node FROM tally WHERE until <= $1 LIMIT $2 FOR UPDATE SKIP LOCKED
    )";

/// Forgets what servers have counted.
pub(super) async fn forget_counts(transaction: &Transaction<'_>, now: Timestamp) -> Result<Batch, Failure> {
    let done = transaction.execute(FORGET_COUNTS, &[&now.0, &FORGET_MAX]).await?;
    Ok(Batch { done, is_last: done < FORGET_MAX.cast_unsigned() })
}

const FORGET_OUTCOMES: &str = "DELETE FROM outcome WHERE (owner, number) IN (
        SELECT owner, number FROM outcome WHERE made_at < now() - INTERVAL '1 hour' LIMIT $1 FOR UPDATE SKIP LOCKED
    )";

/// Forgets how transactions have ended.
pub(super) async fn forget_outcomes(transaction: &Transaction<'_>) -> Result<Batch, Failure> {
    let done = transaction.execute(FORGET_OUTCOMES, &[&FORGET_MAX]).await?;
    Ok(Batch { done, is_last: done < FORGET_MAX.cast_unsigned() })
}

const TAKE_SPOOLS: &str = "DELETE FROM spool WHERE id IN (
        SELECT id FROM spool WHERE kept_until < now() LIMIT $1 FOR UPDATE SKIP LOCKED
    ) RETURNING id";
const FORGET_CHUNKS: &str = "DELETE FROM chunk WHERE spool = ANY($1)";

/// Deletes bodies that no message has. First their rows, so that no delivery takes one meanwhile.
pub(super) async fn forget_bodies(transaction: &Transaction<'_>) -> Result<Batch, Failure> {
    let taken = transaction.query(TAKE_SPOOLS, &[&BODIES_MAX]).await?;
    let spools: Vec<i64> = taken.iter().map(first).collect::<Result<_, _>>()?;
    transaction.execute_long(FORGET_CHUNKS, &[&spools]).await?;
    Ok(Batch { done: spools.len() as u64, is_last: (spools.len() as i64) < BODIES_MAX })
}

const CLOCK: &str = "SELECT CAST(extract(epoch FROM now()) AS BIGINT)";
const LAST_ROUND: &str = "SELECT made_at FROM round FOR UPDATE";
const LAST_USE: &str = "SELECT max(used_at) FROM account";
const ROUND: &str = "UPDATE round SET made_at = $1";
const OTHERS: &str = "SELECT 1 FROM node WHERE id <> $1 AND seen_at > now() - $2 * INTERVAL '1 second' LIMIT 1";
/// Time in which nobody could use an account makes none idle; but a name has no lease, and its owner is told when it was used.
const GO_ON: &str =
    "UPDATE account SET used_at = used_at + CASE WHEN number IS NULL AND $1::BIGINT > 0 THEN 0 ELSE $1::BIGINT END,
        held_until = LEAST(held_until + $1::BIGINT, CASE WHEN held_until IS NULL THEN NULL ELSE $2::BIGINT END)
    WHERE $1::BIGINT < 0 OR number IS NOT NULL OR held_until IS NOT NULL";

/// What a server wants to know before it looks after leases.
pub(super) struct Round {
    pub(super) idle_since: Timestamp,
    pub(super) now: Timestamp,
    /// The most that its clock may differ from the database's.
    pub(super) difference_max: Duration,
}

impl Round {
    /// Notes that one is made. If the last one was longer ago than a lease, no server was there meanwhile: then leases and holds go
    /// on as if no time had passed since then. So they do if there is no other server and accounts were used at times that are still
    /// to come: then the clock was put back. By how many seconds they were moved.
    pub(super) async fn begin(
        &self,
        transaction: &Transaction<'_>,
        node: i64,
        node_lease: Duration,
    ) -> Result<i64, Failure> {
        self.compare_clocks(transaction).await?;
        let now = self.now.0;
        let made_at: Option<i64> = get_first(transaction, LAST_ROUND).await?;
        let last = match made_at {
            Some(made_at) if made_at <= now => made_at,
            _ => get_first(transaction, LAST_USE).await?.unwrap_or(now),
        };
        if last > now && !transaction.query(OTHERS, &[&node, &node_lease.as_secs_f64()]).await?.is_empty() {
            return Ok(0);
        }
        transaction.execute(ROUND, &[&now]).await?;
        if last < self.idle_since.0 || last > now {
            self.go_on(transaction, now.saturating_sub(last)).await
        } else {
            Ok(0)
        }
    }

    async fn go_on(&self, transaction: &Transaction<'_>, away: i64) -> Result<i64, Failure> {
        let lease = self.now.0.saturating_sub(self.idle_since.0);
        transaction.execute_long(GO_ON, &[&away, &self.now.0.saturating_add(lease)]).await?;
        Ok(away)
    }

    async fn compare_clocks(&self, transaction: &Transaction<'_>) -> Result<(), Failure> {
        let rows = transaction.query(CLOCK, &[]).await?;
        let there: i64 = rows.first().map(first).transpose()?.unwrap_or_default();
        let difference = self.now.0.saturating_sub(there);
        if difference.unsigned_abs() <= self.difference_max.as_secs() {
            return Ok(());
        }
        Err(Failure::NotNow(Cause::new(format!(
            "this server's clock is {difference} s before the database's: set it right and start the server anew"
        ))))
    }
}

/// The first value of the first row.
async fn get_first(transaction: &Transaction<'_>, sql: &'static str) -> Result<Option<i64>, Failure> {
    match transaction.query(sql, &[]).await?.first() {
        Some(row) => first(row),
        None => Ok(None),
    }
}
