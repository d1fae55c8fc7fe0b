//! Derivations of keys from passwords: a millisecond of work each, or much more for an account whose owner wished it so.
//!
//! They run beside the runtime's threads, as many at once as there are processors, and for one account one after the other: who
//! has an account that takes much work can keep one processor busy with it, and not all of them.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex as SyncMutex, MutexGuard, PoisonError};
use std::thread;

use thiserror::Error;
use tokio::sync::{Mutex, Semaphore};
use tokio::task;

/// All that go on.
#[derive(Debug)]
pub(crate) struct Derivations {
    at_once: Semaphore,
    /// Of each account that has some, who goes first.
    turns: SyncMutex<HashMap<String, Arc<Mutex<()>>>>,
}

/// A key could not be derived.
#[derive(Debug, Error)]
#[error("cannot derive a key: {0}")]
pub(crate) struct NotDerived(String);

impl Derivations {
    pub(crate) fn new() -> Self {
        let processors = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self { at_once: Semaphore::new(processors), turns: SyncMutex::default() }
    }

    /// Runs one when it is this account's turn.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        account: &str,
        derive: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, NotDerived> {
        let waiting = Waiting::new(self, account);
        let _first = waiting.turn.lock().await;
        let _permit = self.at_once.acquire().await.map_err(|error| NotDerived(error.to_string()))?;
        task::spawn_blocking(derive).await.map_err(|error| NotDerived(error.to_string()))
    }

    fn turns(&self) -> MutexGuard<'_, HashMap<String, Arc<Mutex<()>>>> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody who waits for an account's turn, or has it.
struct Waiting<'a> {
    derivations: &'a Derivations,
    account: &'a str,
    turn: Arc<Mutex<()>>,
}

impl<'a> Waiting<'a> {
    fn new(derivations: &'a Derivations, account: &'a str) -> Self {
        let turn = derivations.turns().entry(account.to_owned()).or_default().clone();
        Self { derivations, account, turn }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut turns = self.derivations.turns();
        // What is held here and there alone, nobody else waits for.
        if Arc::strong_count(&self.turn) == 2 {
            turns.remove(self.account);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    /// What has not happened by then never will.
    const PATIENCE: Duration = Duration::from_secs(30);

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn one_account_keeps_nobody_else_waiting() {
        let derivations = Arc::new(Derivations { at_once: Semaphore::new(2), turns: SyncMutex::default() });
        let run = |account: &'static str, derive: Box<dyn FnOnce() + Send>| {
            let derivations = Arc::clone(&derivations);
            tokio::spawn(async move { derivations.run(account, derive).await })
        };
        let (release, released) = mpsc::channel::<()>();
        let (begin, began) = mpsc::channel();
        let told = begin.clone();
        let slow = run(
            "mallory",
            Box::new(move || {
                told.send("slow").unwrap();
                released.recv_timeout(PATIENCE).unwrap();
            }),
        );
        assert_eq!(began.recv_timeout(PATIENCE), Ok("slow"));
        let told = begin.clone();
        let next = run("mallory", Box::new(move || told.send("next").unwrap()));
        run("bob", Box::new(move || begin.send("bob").unwrap())).await.unwrap().unwrap();
        assert_eq!(began.recv_timeout(PATIENCE), Ok("bob"));
        release.send(()).unwrap();
        slow.await.unwrap().unwrap();
        next.await.unwrap().unwrap();
        assert_eq!(began.recv_timeout(PATIENCE), Ok("next"));
        assert!(derivations.turns().is_empty(), "nobody is remembered");
    }
}
