//! Waking those who wait.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use store::{Arrivals, Store};
use tokio::time::timeout;

use crate::common::{body, deliver, entries, message, register, report};

/// Only a lost wake-up takes that long.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn no_arrival_is_missed(store: &impl Store) {
    const MESSAGES: usize = 200;
    let alice = register(store, "alice@example.org").await;
    let sender = async {
        for _ in 0..MESSAGES {
            deliver(store, &[alice], b"hello").await;
        }
    };
    let reader = async {
        let mut arrivals = store.arrivals(alice);
        let mut seen = 0;
        while seen < MESSAGES {
            let there = entries(store, alice).await;
            if there.is_empty() {
                arrivals.wait().await;
            }
            store.flush(alice, &there).await.unwrap();
            seen += there.len();
        }
    };
    timeout(PATIENCE, async { tokio::join!(sender, reader) }).await.unwrap();
}

/// As long as there is none: a mailbox that has mail may wake at any time.
pub(crate) async fn only_own_mail_wakes(store: &impl Store) {
    let (alice, bob) = (register(store, "alice@example.org").await, register(store, "bob@example.org").await);
    let mut arrivals = store.arrivals(alice);
    deliver(store, &[bob], b"to another").await;
    assert!(!has_come(&mut arrivals));
    deliver(store, &[bob, alice], b"to both").await;
    timeout(PATIENCE, arrivals.wait()).await.unwrap();
}

pub(crate) async fn a_report_wakes(store: &impl Store) {
    let (alice, bob) = (register(store, "alice@example.org").await, register(store, "bob@example.org").await);
    for recipients in [&[alice][..], &[]] {
        let (mut to_alice, mut to_bob) = (store.arrivals(alice), store.arrivals(bob));
        let reports = vec![report(&[bob], b"there it went")];
        store.deliver(message(recipients), body(store, b"hello").await, reports).await.unwrap();
        timeout(PATIENCE, to_bob.wait()).await.unwrap();
        assert_eq!(has_come(&mut to_alice), !recipients.is_empty());
    }
}

fn has_come(arrivals: &mut Arrivals) -> bool {
    pin!(arrivals.wait()).poll(&mut Context::from_waker(Waker::noop())) == Poll::Ready(())
}
