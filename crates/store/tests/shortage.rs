//! Too many open files: nothing is done, and what was asked for goes well later. Alone in its process, whose limit it sets.

#![allow(clippy::unwrap_used, reason = "a test that can't go on must fail")]

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use store::embedded::Embedded;
use store::{EntryId, MessageId, Store, StoreError};
use tempfile::TempDir;

mod common;

use common::{body, contents, deliver, entries, message, register, try_deliver};

#[tokio::test]
async fn what_could_not_be_put_back_can_be_put_back_again() {
    let dir = TempDir::new().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let alice = register(&store, "alice@example.org").await;
    // The journal has no segment yet.
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: Some(3), ..limit }).unwrap();
    for _ in 0..2 {
        let refused = store.put_back(vec![(MessageId(5), message(&[alice]), body(&store, b"hello").await)]).await;
        assert!(matches!(refused, Err(StoreError::TryAgain(_))), "{refused:?}");
        let refused = try_deliver(&store, &[alice], b"hello").await;
        assert!(matches!(refused, Err(StoreError::TryAgain(_))), "{refused:?}");
    }
    setrlimit(Resource::Nofile, limit).unwrap();

    store.put_back(vec![(MessageId(5), message(&[alice]), body(&store, b"hello").await)]).await.unwrap();
    deliver(&store, &[alice], b"later").await;
    assert_eq!(entries(&store, alice).await, [5, 6].map(EntryId));
    assert_eq!(contents(&store, alice).await, [b"hello", b"later"]);
}
