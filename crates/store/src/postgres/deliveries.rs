//! Deliveries wait here for a transaction. Whoever takes one takes what else is waiting, so that many share a commit when there are
//! many, and one alone waits for nobody.

use std::sync::Arc;

use tokio::sync::{Mutex, mpsc, oneshot};

use super::failure::{Cause, Failure};
use super::group::{self, Delivery, Grouped};
use super::heralds::Heralds;
use super::transaction::{Transactions, transact};
use crate::{Delivered, StoreError};

/// The most deliveries that wait. Who comes then waits with its own.
const WAITING_MAX: usize = 1024;
/// The most deliveries in one transaction.
const GROUP_MAX: usize = 128;
/// The octets in memory after which a group is large enough.
const GROUP_OCTETS: usize = 1 << 20;

/// Where deliveries wait.
pub(super) struct Deliveries(mpsc::Sender<Job>);

struct Job {
    delivery: Delivery,
    answer: oneshot::Sender<Result<Delivered, StoreError>>,
}

impl Deliveries {
    /// So many transactions at a time.
    pub(super) fn start(transactions: &Arc<Transactions>, heralds: &Arc<Heralds>, at_a_time: usize) -> Self {
        let (come, waiting) = mpsc::channel(WAITING_MAX);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..at_a_time {
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
    loop {
        let jobs = take(&mut *waiting.lock().await).await;
        let Some(jobs) = jobs else { return };
        let (mut group, answers): (Vec<_>, Vec<_>) = jobs.into_iter().map(|job| (job.delivery, job.answer)).unzip();
        let outcomes = deliver(&transactions, &heralds, &mut group).await;
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // Who has gone away meanwhile does not want to know.
            drop(answer.send(outcome));
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

async fn deliver(
    transactions: &Transactions,
    heralds: &Heralds,
    group: &mut [Delivery],
) -> Vec<Result<Delivered, StoreError>> {
    match deliver_together(transactions, heralds, group).await {
        Ok(delivered) => delivered.into_iter().map(Ok).collect(),
        // One of them may be the cause: the others shall not suffer from it.
        Err(StoreError::Failed(_)) if group.len() > 1 => {
            let mut outcomes = Vec::with_capacity(group.len());
            for place in 0..group.len() {
                let one = deliver_together(transactions, heralds, &mut group[place..=place]).await;
                outcomes.push(one.and_then(|delivered| delivered.into_iter().next().ok_or_else(missing)));
            }
            outcomes
        }
        Err(error) => shared(error, group.len()),
    }
}

fn missing() -> StoreError {
    Failure::damaged("a delivery has no outcome").into()
}

async fn deliver_together(
    transactions: &Transactions,
    heralds: &Heralds,
    group: &mut [Delivery],
) -> Result<Vec<Delivered>, StoreError> {
    let Grouped { delivered, accounts } =
        transact!(transactions, |transaction| group::deliver(&transaction, group).await)?;
    group.iter_mut().for_each(Delivery::kept);
    heralds.tell(accounts);
    Ok(delivered)
}

/// The same error for all of them.
fn shared(error: StoreError, times: usize) -> Vec<Result<Delivered, StoreError>> {
    let cause = Cause::new(error.to_string());
    let again = || match &error {
        StoreError::Full => StoreError::Full,
        StoreError::Poisoned => StoreError::Poisoned,
        StoreError::TryAgain(_) => StoreError::TryAgain(Box::new(cause.clone())),
        StoreError::Failed(_) => StoreError::Failed(Box::new(cause.clone())),
        StoreError::Unknown(_) => StoreError::Unknown(Box::new(cause.clone())),
    };
    (0..times).map(|_| Err(again())).collect()
}
