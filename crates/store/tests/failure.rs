//! A write that fails, for real: the kernel lets this process write no file beyond a limit. Alone in its process, because
//! the limit is the process's.

#![allow(clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::fs;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use store::embedded::Embedded;
use store::{Body, Store, StoreError};
use tempfile::TempDir;
use tokio::signal::unix::{SignalKind, signal};

mod common;

use common::{body, contents, deliver, entries, message, noise, register, report, try_deliver};

/// What the kernel sends with the error; its default is to kill.
const SIGXFSZ: i32 = 25;

#[tokio::test]
async fn after_a_failed_write_there_are_no_others_until_reopening() {
    let _survive = signal(SignalKind::from_raw(SIGXFSZ)).unwrap();
    let dir = TempDir::new().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let (alice, bob) = (register(&store, "alice@example.org").await, register(&store, "bob@example.org").await);
    let acknowledged = [noise(1, 1000), noise(2, 300_000)];
    for bytes in &acknowledged {
        deliver(&store, &[alice], bytes).await;
    }

    // A big body that does not fit: that message fails and no other.
    limit_files(Some(350_000));
    let mut big = store.body();
    let written = big.write(&noise(3, 400_000)).await;
    assert!(matches!(written, Err(StoreError::Failed(_))), "{written:?}");
    let broken = store.deliver(message(&[alice]), big, vec![report(&[bob], b"of the first")]).await;
    assert!(matches!(broken, Err(StoreError::Failed(_))), "{broken:?}");
    assert_eq!(fs::read_dir(dir.path().join("bodies")).unwrap().count(), 1);
    store.takes_writes().unwrap();

    // A group that does not fit into the journal, though its beginning does. By then the tables know all that came before: they
    // too are files, and what tells them would meet the limit first.
    store.answer().await.unwrap();
    limit_files(Some(10_000));
    let reports = vec![report(&[bob], b"of the second")];
    let written = store.deliver(message(&[alice]), body(&store, &noise(4, 50_000)).await, reports).await;
    assert!(matches!(written, Err(StoreError::Failed(_))), "{written:?}");

    // The disk is in order again, the store is not.
    limit_files(None);
    assert!(matches!(store.takes_writes(), Err(StoreError::Poisoned)));
    let later = try_deliver(&store, &[alice], b"later").await;
    assert!(matches!(later, Err(StoreError::Poisoned)), "{later:?}");
    let flushed = store.flush(alice, &entries(&store, alice).await).await;
    assert!(matches!(flushed, Err(StoreError::Poisoned)), "{flushed:?}");
    let spooled = store.body().write(&noise(5, 300_000)).await;
    assert!(matches!(spooled, Err(StoreError::Poisoned)), "{spooled:?}");
    assert!(contents(&store, alice).await == acknowledged);
    assert_eq!(entries(&store, bob).await, []);
    drop(store);

    let store = Embedded::open(dir.path()).unwrap();
    deliver(&store, &[alice], b"after").await;
    let after = contents(&store, alice).await;
    assert!(after == [&acknowledged[..], &[b"after".to_vec()]].concat());
    assert_eq!(entries(&store, bob).await, []);
}

/// Lets this process write files up to so many octets.
fn limit_files(octets: Option<u64>) {
    let Rlimit { maximum, .. } = getrlimit(Resource::Fsize);
    setrlimit(Resource::Fsize, Rlimit { current: octets.or(maximum), maximum }).unwrap();
}
