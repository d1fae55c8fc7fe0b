//! Waking those who wait for mail.
//!
//! An [`Arrivals`] remembers the last arrival it has told of, so mail that comes between two waits, or between making it
//! and the first wait, is never missed: make it, look into the mailbox, then wait.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::AccountId;

/// Tells of mail coming into one mailbox.
#[derive(Debug)]
pub struct Arrivals {
    account: AccountId,
    seen: watch::Receiver<()>,
    bells: Bells,
}

impl Arrivals {
    /// Resolves when mail may have come since this was made or last resolved. It may have gone again by then.
    ///
    /// Dropping the future loses nothing.
    pub async fn wait(&mut self) {
        if self.seen.changed().await.is_err() {
            // The sender lives as long as we do; were it gone, nothing more could arrive.
            future::pending().await
        }
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        let mut accounts = self.bells.lock();
        if let Entry::Occupied(bell) = accounts.entry(self.account)
            && bell.get().receiver_count() == 1
        {
            bell.remove();
        }
    }
}

/// One bell for each account that somebody waits for, and for no other.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bells(Arc<Mutex<HashMap<AccountId, watch::Sender<()>>>>);

impl Bells {
    /// Listens from now on.
    pub(crate) fn listen(&self, account: AccountId) -> Arrivals {
        let seen = self.lock().entry(account).or_insert_with(|| watch::Sender::new(())).subscribe();
        Arrivals { account, seen, bells: self.clone() }
    }

    /// Wakes whoever listens for one of these accounts. To be called once the mail can be read.
    pub(crate) fn ring(&self, accounts: impl IntoIterator<Item = AccountId>) {
        let bells = self.lock();
        for account in accounts {
            if let Some(bell) = bells.get(&account) {
                bell.send_replace(());
            }
        }
    }

    /// For whom somebody listens.
    pub(crate) fn awaited(&self) -> Vec<AccountId> {
        self.lock().keys().copied().collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, watch::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use super::*;

    fn rings(arrivals: &mut Arrivals) -> bool {
        pin!(arrivals.wait()).poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
    }

    #[test]
    fn tells_of_what_came_before_the_wait_but_not_before_the_listening() {
        let bells = Bells::default();
        bells.ring([AccountId(1)]);
        let mut arrivals = bells.listen(AccountId(1));
        assert!(!rings(&mut arrivals));
        bells.ring([AccountId(2)]);
        assert!(!rings(&mut arrivals));
        bells.ring([AccountId(2), AccountId(1)]);
        bells.ring([AccountId(1)]);
        assert!(rings(&mut arrivals));
        assert!(!rings(&mut arrivals));
    }

    #[test]
    fn nobody_listening_costs_nothing() {
        let bells = Bells::default();
        let (first, mut second) = (bells.listen(AccountId(1)), bells.listen(AccountId(1)));
        drop(first);
        bells.ring([AccountId(1)]);
        assert!(rings(&mut second));
        drop(second);
        assert!(bells.lock().is_empty());
    }
}
