//! A round of the house: what has died, run out or is kept no longer goes, a batch at a time. One step that fails keeps none of the
//! others from being done.

use super::failure::Failure;
use super::leases::{self, Batch};
use super::messages;
use super::nodes::{self, Node};
use super::transaction::{Transactions, transact};
use crate::{StoreError, Swept, Timestamp};

/// Does something in transactions until there is no more of it. How much that was.
macro_rules! in_batches {
    ($transactions:expr, |$transaction:ident| $work:expr) => {{
        let mut done = 0;
        loop {
            let batch: Result<Batch, StoreError> = transact!($transactions, |$transaction| $work);
            match batch {
                Ok(batch) => {
                    done += batch.done;
                    if batch.is_last {
                        break Ok::<u64, StoreError>(done);
                    }
                }
                Err(error) => break Err(error),
            }
        }
    }};
}

/// As [`Store::sweep`](crate::Store::sweep) has it.
pub(super) async fn sweep(
    transactions: &Transactions,
    node: &Node,
    idle_since: Timestamp,
    now: Timestamp,
) -> Result<Swept, StoreError> {
    let held_until = Timestamp(now.0.saturating_add(now.0.saturating_sub(idle_since.0)));
    let mut first = None;
    let mut note = |outcome: Result<u64, StoreError>| {
        outcome.unwrap_or_else(|error| {
            first.get_or_insert(error);
            0
        })
    };
    note(bury(transactions, node).await);
    let abandoned = end_unclaimed(transactions, None, held_until).await;
    let idle = in_batches!(transactions, |transaction| leases::end_idle(&transaction, idle_since, now).await);
    let accounts = note(abandoned) + note(idle);
    let addresses = note(in_batches!(transactions, |transaction| leases::let_go(&transaction, now).await));
    note(in_batches!(transactions, |transaction| tidy(messages::tidy(&transaction).await)));
    note(in_batches!(transactions, |transaction| leases::forget_counts(&transaction, now).await));
    note(in_batches!(transactions, |transaction| leases::forget_outcomes(&transaction).await));
    note(in_batches!(transactions, |transaction| leases::forget_bodies(&transaction).await));
    match first {
        Some(error) => Err(error),
        None => Ok(Swept { accounts, addresses }),
    }
}

/// Ends what lived with connections of this node, or of none that lives. How many accounts that were.
pub(super) async fn end_unclaimed(
    transactions: &Transactions,
    node: Option<i64>,
    held_until: Timestamp,
) -> Result<u64, StoreError> {
    in_batches!(transactions, |transaction| leases::end_unclaimed(&transaction, node, held_until).await)
}

/// Lets go of nodes that have died. What they held is then abandoned.
async fn bury(transactions: &Transactions, node: &Node) -> Result<u64, StoreError> {
    let mut buried = 0;
    for dead in node.dead() {
        let fenced: Result<bool, StoreError> =
            transact!(transactions, |transaction| nodes::fence(&transaction, dead).await);
        if fenced? {
            tracing::warn!("another server has died: accounts without a password that were held there end");
            buried += 1;
        }
    }
    Ok(buried)
}

fn tidy(has_more: Result<bool, Failure>) -> Result<Batch, Failure> {
    has_more.map(|has_more| Batch { done: 0, is_last: !has_more })
}
