//! Writing: transactions that are done, or are not done, and never anything between.
//!
//! A COMMIT of which no answer comes may have been done. So each transaction leaves a row in the table `outcome`, and who does not
//! hear how it ended puts another row in that place: the database lets only one of the two be. That row is committed as
//! every other, so it also shows that whatever was committed before is on the standbys that the database waits for; if that wait was
//! cut short, which the database tells by a mere warning, it is done again until it was not.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};
use tokio_postgres::Row;

use super::body::LONG_BODIES_MAX;
use super::connection::{Connection, Parameter};
use super::failure::{Cause, Failure};
use super::pool::{Lent, Pool};
use crate::StoreError;

/// How often a transaction is begun anew because it was in the way of another one, or its connection was lost.
const ATTEMPTS_MAX: u32 = 8;
/// How long it is tried to find out how a transaction has ended. In this time another server may have become the primary.
const RESOLVE_WAIT: Duration = Duration::from_secs(60);
/// The time between two attempts.
const PAUSE: Duration = Duration::from_millis(200);

/// Fails unless the COMMIT will wait for the disk and the standbys, whoever may have said something else on this connection.
const DONE: &str = "INSERT INTO outcome (owner, number, is_done)
    VALUES ($1, $2, CASE WHEN current_setting('synchronous_commit') IN ('on', 'remote_apply') THEN TRUE END)";
/// If there is no such row there never will be: that transaction can't be committed any more. Writes in either case.
const RESOLVE: &str = "INSERT INTO outcome (owner, number, is_done) VALUES ($1, $2, FALSE)
    ON CONFLICT (owner, number) DO UPDATE SET made_at = now() RETURNING is_done";

/// Numbers the transactions of this process.
pub(super) struct Transactions {
    pub(super) pool: Pool,
    /// Whose they are: no other process has the same.
    owner: i64,
    next: AtomicI64,
    /// For bodies that have much in memory.
    pub(super) room: Arc<Semaphore>,
}

/// Does something in a transaction, as often as it takes. What it does must be the same each time.
macro_rules! transact {
    ($transactions:expr, |$transaction:ident| $work:expr) => {{
        let mut attempts = $transactions.attempts();
        loop {
            let outcome = match attempts.begin().await {
                Ok($transaction) => {
                    let worked = $work;
                    attempts.end($transaction, worked).await
                }
                Err(failure) => attempts.again(failure).await,
            };
            match outcome {
                Ok(None) => {}
                Ok(Some(done)) => break Ok(done),
                Err(error) => break Err(error),
            }
        }
    }};
}
pub(super) use transact;

impl Transactions {
    pub(super) fn new(pool: Pool) -> Self {
        Self { pool, owner: random(), next: AtomicI64::new(0), room: Arc::new(Semaphore::new(LONG_BODIES_MAX)) }
    }

    /// Whose they are.
    pub(super) fn owner(&self) -> i64 {
        self.owner
    }

    /// For [`transact!`].
    pub(super) fn attempts(&self) -> Attempts<'_> {
        Attempts { transactions: self, made: 0, until: Instant::now() + RESOLVE_WAIT }
    }

    /// The rows of one statement that only reads. One that was begun on a connection that was lost is begun again.
    pub(super) async fn read(&self, sql: &'static str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, StoreError> {
        let mut made = 0;
        loop {
            let lent = self.pool.take().await?;
            let outcome = lent.query(sql, parameters).await;
            match lent.give_back_after(outcome) {
                Ok(rows) => return Ok(rows),
                Err(failure) if failure.is_passing() && made == 0 => made += 1,
                Err(failure) => return Err(failure.into()),
            }
        }
    }

    /// Does something that need not be on stable storage when it is done, nor be done once: what follows from it is looked at again
    /// by a transaction that is.
    pub(super) async fn note(&self, sql: &'static str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, StoreError> {
        let mut made = 0;
        loop {
            let lent = self.pool.take().await?;
            let outcome = note(&lent, sql, parameters).await;
            match lent.give_back_after(outcome) {
                Ok(rows) => return Ok(rows),
                Err(failure) if failure.is_passing() && made == 0 => made += 1,
                Err(failure) => return Err(failure.into()),
            }
        }
    }

    /// Whether the transaction of this number was done. After that it never will be, if it was not.
    async fn resolve(&self, number: i64) -> Result<bool, Failure> {
        let until = Instant::now() + RESOLVE_WAIT;
        loop {
            let failure = match self.resolve_once(number).await {
                Ok(is_done) => return Ok(is_done),
                Err(failure) => failure,
            };
            if Instant::now() + PAUSE > until {
                return Err(failure);
            }
            sleep(PAUSE).await;
        }
    }

    async fn resolve_once(&self, number: i64) -> Result<bool, Failure> {
        let lent = self.pool.take().await?;
        lent.was_warned();
        let outcome = lent.query(RESOLVE, &[&self.owner, &number]).await;
        let was_warned = lent.was_warned();
        let outcome = match outcome {
            Ok(_) if was_warned => Err(Failure::NotNow(Cause::new("the standbys do not answer"))),
            outcome => outcome,
        };
        let rows = match outcome {
            Ok(rows) => {
                lent.give_back();
                rows
            }
            // It may be that another server is the primary by now.
            Err(failure) => {
                lent.lose();
                return Err(failure);
            }
        };
        match rows.first() {
            Some(row) => Ok(row.try_get(0)?),
            None => Err(Failure::damaged("it has not answered a question")),
        }
    }
}

/// In a transaction of its own that the database need not sync.
pub(super) async fn note(
    connection: &Connection,
    sql: &'static str,
    parameters: &[Parameter<'_>],
) -> Result<Vec<Row>, Failure> {
    connection.prepare(&[sql]).await?;
    // Sent together; biased, so in this order.
    let (begun, rows, ended) = tokio::join!(
        biased;
        connection.batch("BEGIN; SET LOCAL synchronous_commit = off"),
        connection.query(sql, parameters),
        connection.batch("COMMIT"),
    );
    begun?;
    let rows = rows?;
    ended?;
    Ok(rows)
}

/// The attempts at one transaction.
pub(super) struct Attempts<'t> {
    transactions: &'t Transactions,
    made: u32,
    /// Until then it is begun anew.
    until: Instant,
}

impl<'t> Attempts<'t> {
    /// The next one.
    pub(super) async fn begin(&mut self) -> Result<Transaction<'t>, Failure> {
        self.made += 1;
        let lent = self.transactions.pool.take().await?;
        let number = self.transactions.next.fetch_add(1, Ordering::Relaxed);
        match lent.batch("BEGIN").await {
            Ok(()) => Ok(Transaction { lent, number }),
            failed => lent.give_back_after(failed).and(Err(Failure::NotNow(Cause::new("it did not begin")))),
        }
    }

    /// Commits what has been done. `None`: it was not done, and is to be done again.
    pub(super) async fn end<T>(
        &mut self,
        transaction: Transaction<'t>,
        worked: Result<T, Failure>,
    ) -> Result<Option<T>, StoreError> {
        let number = transaction.number;
        let failure = match worked {
            Err(failure) => transaction.abandon(failure).await,
            Ok(done) => match transaction.commit(self.transactions.owner).await {
                Committed::Done => return Ok(Some(done)),
                Committed::NotDone(failure) => failure,
                Committed::InDoubt(failure) => {
                    tracing::warn!(%failure, "it is not known whether a transaction was done: looking");
                    match self.transactions.resolve(number).await {
                        Ok(true) => return Ok(Some(done)),
                        Ok(false) => failure,
                        Err(failure) => return Err(StoreError::Unknown(Box::new(failure))),
                    }
                }
            },
        };
        self.again(failure).await
    }

    /// What was not done is to be done again, if that is of use.
    pub(super) async fn again<T>(&self, failure: Failure) -> Result<Option<T>, StoreError> {
        if !failure.is_passing() || self.made >= ATTEMPTS_MAX || Instant::now() >= self.until {
            return Err(failure.into());
        }
        tracing::debug!(%failure, "a transaction is begun again");
        if self.made > 1 {
            sleep(PAUSE.mul_f64(f64::from(self.made) * jitter())).await;
        }
        Ok(None)
    }
}

/// Between a half and one and a half, so that those who were in each other's way are not again.
fn jitter() -> f64 {
    0.5 + (random() >> 39) as f64 / f64::from(1 << 24)
}

/// A number that nobody else has: not below zero, and never given twice, not even by a database that has lost its latest moments.
pub(super) fn random() -> i64 {
    // The keys are made of the system's randomness.
    (RandomState::new().hash_one(Instant::now().into_std()) >> 1).cast_signed()
}

/// A transaction that is going on.
pub(super) struct Transaction<'t> {
    lent: Lent<'t>,
    number: i64,
}

enum Committed {
    Done,
    NotDone(Failure),
    InDoubt(Failure),
}

impl Transaction<'_> {
    /// Lets the database know these statements, so that they can be sent together.
    pub(super) async fn prepare(&self, statements: &[&'static str]) -> Result<(), Failure> {
        self.lent.prepare(statements).await
    }

    /// The rows of a statement.
    pub(super) async fn query(&self, sql: &'static str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Failure> {
        self.lent.query(sql, parameters).await
    }

    /// How many rows a statement has changed.
    pub(super) async fn execute(&self, sql: &'static str, parameters: &[Parameter<'_>]) -> Result<u64, Failure> {
        self.lent.execute(sql, parameters).await
    }

    /// The same for a statement that may concern a whole mailbox, or every account.
    pub(super) async fn execute_long(&self, sql: &'static str, parameters: &[Parameter<'_>]) -> Result<u64, Failure> {
        self.lent.execute_long(sql, parameters).await
    }

    async fn commit(self, owner: i64) -> Committed {
        let Self { lent, number } = self;
        if let Err(failure) = lent.prepare(&[DONE]).await {
            lent.lose();
            return Committed::NotDone(failure);
        }
        lent.was_warned();
        let (noted, committed) = tokio::join!(
            biased;
            async { lent.execute(DONE, &[&owner, &number]).await },
            lent.batch("COMMIT"),
        );
        let was_warned = lent.was_warned();
        let committed = match (noted, committed) {
            // The database has then made a ROLLBACK of the COMMIT.
            (Err(failure), _) if !matches!(failure, Failure::Lost(_)) => Committed::NotDone(failure),
            (Ok(_), Ok(())) if was_warned => {
                Committed::InDoubt(Failure::NotNow(Cause::new("it did not wait for the standbys")))
            }
            (Ok(_), Ok(())) => Committed::Done,
            // In the way of another one, so certainly not done.
            (Ok(_), Err(failure @ Failure::Conflict(_))) => Committed::NotDone(failure),
            (Err(failure), _) | (_, Err(failure)) => Committed::InDoubt(failure),
        };
        match committed {
            Committed::InDoubt(_) => lent.lose(),
            Committed::Done | Committed::NotDone(_) => lent.give_back(),
        }
        committed
    }

    /// Takes back what it has done.
    async fn abandon(self, failure: Failure) -> Failure {
        if matches!(failure, Failure::Lost(_)) {
            self.lent.lose();
        } else {
            let rolled_back = self.lent.batch("ROLLBACK").await;
            if let Err(failure) = self.lent.give_back_after(rolled_back) {
                tracing::debug!(%failure, "a transaction could not be rolled back: its connection is cut");
            }
        }
        failure
    }
}
