//! What servers tell each other of how often things have happened, in SQL.
//!
//! Each process has rows of its own, whatever node it is by now, and writes them anew, so it does not matter whether it is known that
//! something was told. They are asked for by the time that has passed since they were asked for last, and some more: a row is seen a
//! little later than its time says.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio_postgres::Row;

use super::failure::Failure;
use super::rows::get;
use super::transaction::Transactions;
use crate::{COUNT_KEY_OCTETS_MAX, COUNTS_HEARD_MAX, COUNTS_TOLD_MAX, Count, CountElsewhere, StoreError, Timestamp};

/// For which time is asked first: longer than anything is counted.
const FIRST: Duration = Duration::from_secs(366 * 24 * 60 * 60);
/// For how much longer than need be is asked then.
const OVERLAP: Duration = Duration::from_secs(5);

const TELL: &str = "INSERT INTO tally (kind, key, node, times, until)
    SELECT kind, key, $1, times, until
    FROM unnest($2::SMALLINT[], $3::BYTEA[], $4::BIGINT[], $5::BIGINT[]) AS told (kind, key, times, until)
    ON CONFLICT (kind, key, node) DO UPDATE SET times = EXCLUDED.times, until = EXCLUDED.until, told_at = now()";
const ASK: &str = "SELECT node, kind, key, times, until FROM tally
    WHERE node <> $1 AND until > $2 AND told_at > now() - $3 * INTERVAL '1 second'
    ORDER BY times DESC LIMIT $4";

/// When the others were asked last.
#[derive(Default)]
pub(super) struct Asked(Mutex<Option<Instant>>);

/// Tells what this node has counted, and asks what the others have.
pub(super) async fn share(
    transactions: &Transactions,
    asked: &Asked,
    mut mine: Vec<Count>,
    now: Timestamp,
) -> Result<Vec<CountElsewhere>, StoreError> {
    mine.retain(|count| count.key.len() <= COUNT_KEY_OCTETS_MAX);
    mine.truncate(COUNTS_TOLD_MAX);
    if !mine.is_empty() {
        tell(transactions, &mine).await?;
    }
    let (last, begun) = (*asked.0.lock().unwrap_or_else(PoisonError::into_inner), Instant::now());
    let past = last.map_or(FIRST, |last| begun.duration_since(last) + OVERLAP).as_secs_f64();
    let rows = transactions.read(ASK, &[&transactions.owner(), &now.0, &past, &(COUNTS_HEARD_MAX as i64)]).await?;
    let heard = rows.iter().map(elsewhere).collect::<Result<_, _>>()?;
    *asked.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
    Ok(heard)
}

async fn tell(transactions: &Transactions, mine: &[Count]) -> Result<(), StoreError> {
    let kinds: Vec<i16> = mine.iter().map(|count| count.kind.into()).collect();
    let keys: Vec<&[u8]> = mine.iter().map(|count| count.key.as_bytes()).collect();
    let times: Vec<i64> = mine.iter().map(|count| count.times.into()).collect();
    let ends: Vec<i64> = mine.iter().map(|count| count.until.0).collect();
    transactions.note(TELL, &[&transactions.owner(), &kinds, &keys, &times, &ends]).await.map(drop)
}

fn elsewhere(row: &Row) -> Result<CountElsewhere, Failure> {
    let (kind, key, times): (i16, Vec<u8>, i64) = (get(row, "kind")?, get(row, "key")?, get(row, "times")?);
    let count = Count {
        kind: kind.try_into().map_err(Failure::damaged)?,
        key: String::from_utf8(key).map_err(Failure::damaged)?,
        times: times.try_into().map_err(Failure::damaged)?,
        until: Timestamp(get(row, "until")?),
    };
    Ok(CountElsewhere { server: get(row, "node")?, count })
}
