//! The servers on one database: each is a node from its start to its end, and watches the others.
//!
//! A node shows that it lives by a number that grows. Another one that has seen that number stand still for a whole lease, while it
//! could itself write to the database, takes it for dead: no clocks are compared, and the time in which nobody could reach the
//! database counts for nobody's death. The dead one's row is deleted; what only lived with its connections is abandoned by that, and a
//! sweep ends it. Should it still be alive it is fenced: it finds its row gone, and can register nobody until it has become a new
//! node.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::connection::Connection;
use super::failure::Failure;
use super::rows::{first, get};
use super::transaction::Transaction;

const NEW: &str = "INSERT INTO node DEFAULT VALUES RETURNING id";
const BEAT: &str = "UPDATE node SET beat = beat + 1, seen_at = now() WHERE id = $1";
const END: &str = "DELETE FROM node WHERE id = $1";
const OTHERS: &str = "SELECT id, beat FROM node WHERE id <> $1";

/// This server, as the others see it, and the others, as it sees them.
pub(super) struct Node {
    id: AtomicI64,
    lease: Duration,
    others: Mutex<Others>,
}

#[derive(Default)]
struct Others {
    /// Each with its number, and since when it has been that.
    seen: HashMap<i64, (i64, Instant)>,
    dead: Vec<Dead>,
}

/// A node that has not shown for a whole lease that it lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dead {
    id: i64,
    /// The number that it stopped at.
    beat: i64,
}

impl Node {
    /// Becomes one.
    pub(super) async fn new(connection: &Connection, lease: Duration) -> Result<Self, Failure> {
        let id = begin(connection).await?;
        Ok(Self { id: AtomicI64::new(id), lease, others: Mutex::default() })
    }

    /// Never used again for another process.
    pub(super) fn id(&self) -> i64 {
        self.id.load(Ordering::Acquire)
    }

    pub(super) fn lease(&self) -> Duration {
        self.lease
    }

    /// Shows that this one lives, and looks after the others, as long as that goes well. By a connection of its own: a server that has
    /// much to do lives too.
    pub(super) async fn beat(&self, connection: &Connection) -> Result<(), Failure> {
        let outcome = self.try_to_beat(connection).await;
        if outcome.is_err() {
            // It has not seen them for a while, so it knows nothing of them.
            *self.others.lock().unwrap_or_else(PoisonError::into_inner) = Others::default();
        }
        outcome
    }

    async fn try_to_beat(&self, connection: &Connection) -> Result<(), Failure> {
        if connection.execute(BEAT, &[&self.id()]).await? == 0 {
            self.id.store(begin(connection).await?, Ordering::Release);
            tracing::error!(
                "the other servers took this one for dead: accounts without a password that were held here have ended"
            );
        }
        let rows = connection.query(OTHERS, &[&self.id()]).await?;
        let numbers = rows.iter().map(|row| Ok((get(row, "id")?, get(row, "beat")?)));
        let numbers: Vec<(i64, i64)> = numbers.collect::<Result<_, Failure>>()?;
        self.others.lock().unwrap_or_else(PoisonError::into_inner).look(&numbers, self.lease, Instant::now());
        Ok(())
    }

    /// Those that died of late.
    pub(super) fn dead(&self) -> Vec<Dead> {
        self.others.lock().unwrap_or_else(PoisonError::into_inner).dead.clone()
    }

    /// It has stopped: what lived with its connections is abandoned.
    pub(super) async fn end(&self, transaction: &Transaction<'_>) -> Result<(), Failure> {
        transaction.execute(END, &[&self.id()]).await.map(drop)
    }
}

async fn begin(connection: &Connection) -> Result<i64, Failure> {
    let rows = connection.query(NEW, &[]).await?;
    rows.first().map(first).transpose()?.ok_or_else(|| Failure::damaged("a node has no number"))
}

impl Others {
    fn look(&mut self, numbers: &[(i64, i64)], lease: Duration, now: Instant) {
        let before = std::mem::take(&mut self.seen);
        for (id, beat) in numbers {
            let since = before.get(id).filter(|(then, _)| then == beat).map_or(now, |(_, since)| *since);
            self.seen.insert(*id, (*beat, since));
        }
        let is_dead = |since: Instant| now.duration_since(since) >= lease;
        let dead = self.seen.iter().filter(|(_, (_, since))| is_dead(*since));
        self.dead = dead.map(|(id, (beat, _))| Dead { id: *id, beat: *beat }).collect();
    }
}

const FENCE: &str = "DELETE FROM node WHERE id = $1 AND beat = $2";

/// Lets the dead node go. Whether it was there, and dead.
pub(super) async fn fence(transaction: &Transaction<'_>, dead: Dead) -> Result<bool, Failure> {
    Ok(transaction.execute(FENCE, &[&dead.id, &dead.beat]).await? > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(30);

    #[test]
    fn who_stands_still_for_a_lease_is_dead() {
        let (mut others, start) = (Others::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        others.look(&[(1, 5), (2, 5)], LEASE, at(0));
        others.look(&[(1, 5), (2, 6)], LEASE, at(29));
        assert_eq!(others.dead, []);
        others.look(&[(1, 5), (2, 6)], LEASE, at(30));
        assert_eq!(others.dead, [Dead { id: 1, beat: 5 }]);
        others.look(&[(1, 6), (2, 6)], LEASE, at(40));
        assert_eq!(others.dead, [], "it lives after all");
        others.look(&[(2, 6)], LEASE, at(59));
        assert_eq!(others.dead, [Dead { id: 2, beat: 6 }], "who is gone is nobody");
    }
}
