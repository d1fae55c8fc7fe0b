//! Deliveries wait here for a transaction. Whoever takes one takes what else is waiting, so that many share a commit when there are
//! many, and one alone waits for nobody.
//!
//! What goes to a mailbox that somebody else has locked just now waits for it in a transaction of its own, and what is in chunks has
//! one of its own, for some may be missing: neither keeps the others from being delivered.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, oneshot};

use super::failure::Cause;
use super::group::{self, Delivery, Grouped, Patience};
use super::heralds::Heralds;
use super::transaction::{Transactions, transact};
use crate::{Delivered, StoreError};

/// The most deliveries that wait. Who comes then waits with its own.
const WAITING_MAX: usize = 1024;
/// The most deliveries in one transaction.
const GROUP_MAX: usize = 128;
/// The most transactions at a time. While one is on its way to the disk another one is made; were there more, fewer deliveries
/// would share each, and cost the database more.
const TRANSACTIONS_MAX: usize = 2;
/// The octets in memory after which a group is large enough.
const GROUP_OCTETS: usize = 1 << 20;

/// Where deliveries wait.
pub(super) struct Deliveries(mpsc::Sender<Job>);

struct Job {
    delivery: Delivery,
    answer: oneshot::Sender<Result<Delivered, StoreError>>,
}

impl Deliveries {
    /// Takes at most half of so many connections.
    pub(super) fn start(transactions: &Arc<Transactions>, heralds: &Arc<Heralds>, connections: usize) -> Self {
        let (come, waiting) = mpsc::channel(WAITING_MAX);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..(connections / 2).clamp(1, TRANSACTIONS_MAX) {
            tokio::spawn(work(Arc::clone(&waiting), Arc::clone(transactions), Arc::clone(heralds)));
        }
        Self(come)
    }

    /// Delivers, together with others.
    pub(super) async fn deliver(&self, delivery: Delivery) -> Result<Delivered, StoreError> {
        let (answer, answered) = oneshot::channel();
        let stopped = || StoreError::TryAgain("the server stops".into());
        self.0.send(Job { delivery, answer }).await.map_err(|_| stopped())?;
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }
}

/// Delivers until the store is dropped.
async fn work(waiting: Arc<Mutex<mpsc::Receiver<Job>>>, transactions: Arc<Transactions>, heralds: Arc<Heralds>) {
    let worker = Worker { transactions, heralds };
    loop {
        let jobs = take(&mut *waiting.lock().await).await;
        let Some(jobs) = jobs else { return };
        let (spooled, others): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.delivery.is_spooled());
        worker.deliver(others).await;
        for job in spooled {
            worker.deliver(vec![job]).await;
        }
    }
}

/// The next one, and what waits behind it. `None`: none will come any more.
async fn take(waiting: &mut mpsc::Receiver<Job>) -> Option<Vec<Job>> {
    let mut jobs = vec![waiting.recv().await?];
    let mut octets = jobs[0].delivery.weight();
    while jobs.len() < GROUP_MAX && octets < GROUP_OCTETS {
        let Ok(next) = waiting.try_recv() else { break };
        octets += next.delivery.weight();
        jobs.push(next);
    }
    Some(jobs)
}

struct Worker {
    transactions: Arc<Transactions>,
    heralds: Arc<Heralds>,
}

const LOCKED: &str = "SELECT id FROM account WHERE id = ANY($1) AND held_until IS NULL
    EXCEPT SELECT id FROM (SELECT id FROM account WHERE id = ANY($1) FOR NO KEY UPDATE SKIP LOCKED) AS free";

impl Worker {
    /// Delivers these, and says what became of each.
    async fn deliver(&self, mut jobs: Vec<Job>) {
        if jobs.len() <= 1 {
            return self.deliver_together(jobs).await;
        }
        match self.try_together(&mut jobs, Patience::Short).await {
            Ok(delivered) => answer(jobs, delivered.into_iter().map(Ok)),
            // One of them may be the cause: the others shall not suffer from it.
            Err(StoreError::Failed(_)) => {
                for job in jobs {
                    self.deliver_together(vec![job]).await;
                }
            }
            Err(StoreError::TryAgain(_)) => {
                for jobs in self.part(jobs).await {
                    self.deliver_together(jobs).await;
                }
            }
            Err(error) => fail(jobs, &error),
        }
    }

    /// The same, however long it takes.
    async fn deliver_together(&self, mut jobs: Vec<Job>) {
        if jobs.is_empty() {
            return;
        }
        match self.try_together(&mut jobs, Patience::Long).await {
            Ok(delivered) => answer(jobs, delivered.into_iter().map(Ok)),
            Err(error) => fail(jobs, &error),
        }
    }

    async fn try_together(&self, jobs: &mut [Job], patience: Patience) -> Result<Vec<Delivered>, StoreError> {
        let group: Vec<&Delivery> = jobs.iter().map(|job| &job.delivery).collect();
        let done: Result<Grouped, StoreError> =
            transact!(self.transactions, |transaction| group::deliver(&transaction, &group, patience).await);
        let Grouped { delivered, accounts } = done?;
        jobs.iter_mut().for_each(|job| job.delivery.kept());
        self.heralds.tell(accounts);
        Ok(delivered)
    }

    /// Those for mailboxes that are free, and those for others. Looks once: it may be different in a moment.
    async fn part(&self, jobs: Vec<Job>) -> [Vec<Job>; 2] {
        let named: BTreeSet<i64> = jobs.iter().flat_map(|job| job.delivery.accounts()).collect();
        let named = Vec::from_iter(named);
        match self.transactions.note(LOCKED, &[&named]).await {
            Ok(rows) => {
                let locked: HashSet<i64> = rows.iter().filter_map(|row| row.try_get(0).ok()).collect();
                let is_free = |job: &Job| !job.delivery.accounts().any(|account| locked.contains(&account));
                let (free, others) = jobs.into_iter().partition(is_free);
                [free, others]
            }
            // Whatever it is, the delivery finds it out too.
            Err(_) => [jobs, Vec::new()],
        }
    }
}

fn answer(jobs: Vec<Job>, outcomes: impl IntoIterator<Item = Result<Delivered, StoreError>>) {
    for (Job { answer, .. }, outcome) in jobs.into_iter().zip(outcomes) {
        // Who has gone away meanwhile does not want to know.
        drop(answer.send(outcome));
    }
}

/// The same error for all of them.
fn fail(jobs: Vec<Job>, error: &StoreError) {
    let cause = Cause::new(error.to_string());
    let again = || match error {
        StoreError::Full => StoreError::Full,
        StoreError::Poisoned => StoreError::Poisoned,
        StoreError::TryAgain(_) => StoreError::TryAgain(Box::new(cause.clone())),
        StoreError::Failed(_) => StoreError::Failed(Box::new(cause.clone())),
        StoreError::Unknown(_) => StoreError::Unknown(Box::new(cause.clone())),
    };
    let errors: Vec<_> = jobs.iter().map(|_| Err(again())).collect();
    answer(jobs, errors);
}
