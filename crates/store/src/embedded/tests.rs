//! Failures that are made from within. Those that can be made from without are in the crate's `tests` folder.

use proto::ReversePath;
use tempfile::TempDir;

use super::*;
use crate::{Form, Recipient, Report};

const NOW: Timestamp = Timestamp(0);

async fn register(store: &Embedded, text: &str) -> AccountId {
    store.register(&text.parse().unwrap(), None, NOW).await.unwrap()
}

fn message(account: AccountId) -> NewMessage {
    let recipient = Recipient { account, address: "alice@example.org".parse().unwrap() };
    NewMessage {
        reverse_path: ReversePath::Null,
        recipients: vec![recipient],
        trace: String::new(),
        received_at: NOW,
        form: Form::Text,
    }
}

async fn deliver(store: &Embedded, account: AccountId, octets: usize) -> Result<Delivered, StoreError> {
    deliver_with(store, account, octets, Vec::new()).await
}

async fn deliver_with(
    store: &Embedded,
    account: AccountId,
    octets: usize,
    reports: Vec<Report>,
) -> Result<Delivered, StoreError> {
    let mut body = store.body();
    body.write(&vec![b'x'; octets]).await?;
    store.deliver(message(account), body, reports).await
}

/// Lets the database grow by so many pages.
async fn cap(store: &Embedded, pages_more: i64) {
    let cap = move |group: &mut writer::Group<'_>| {
        let pages: i64 = group.pragma_query_value(None, "page_count", |row| row.get(0))?;
        group.pragma_update_and_check(None, "max_page_count", pages + pages_more, |_| Ok(()))
    };
    store.writer.run(cap).await.unwrap();
}

#[tokio::test]
async fn a_full_database_fails_the_group_and_poisons() {
    let dir = TempDir::new().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let alice = register(&store, "alice@example.org").await;
    deliver(&store, alice, 1000).await.unwrap();
    cap(&store, 1).await;

    // The first job keeps the writer busy until the others are queued.
    let (open, gate) = std::sync::mpsc::channel();
    let (begin, begun) = std::sync::mpsc::channel();
    let mut first = Box::pin(store.writer.run(move |_| Ok((begin.send(()), gate.recv()))));
    assert!(std::future::poll_fn(|context| std::task::Poll::Ready(first.as_mut().poll(context))).await.is_pending());
    begun.recv().unwrap();
    let (bob, carol) = ("bob@example.org".parse().unwrap(), "carol@example.org".parse().unwrap());
    let second = store.register(&bob, None, NOW);
    let third = store.writer.run(|group| group.execute_batch("CREATE TABLE big AS SELECT randomblob(60000)"));
    let fourth = store.register(&carol, None, NOW);
    let fifth = deliver(&store, alice, 60_000);
    let (first, second, third, fourth, fifth, ()) =
        tokio::join!(first, second, third, fourth, fifth, async { open.send(()).unwrap() });
    let (begun, opened) = first.unwrap();
    begun.and(Ok(opened)).unwrap().unwrap();
    assert!(matches!(second, Err(RegisterError::Store(StoreError::Full))), "{second:?}");
    assert!(matches!(third, Err(StoreError::Full)), "{third:?}");
    assert!(matches!(fourth, Err(RegisterError::Store(StoreError::Full))), "{fourth:?}");
    // It is in the journal, though the tables can't be told.
    fifth.unwrap();

    let later = deliver(&store, alice, 1).await;
    assert!(matches!(later, Err(StoreError::Poisoned)), "{later:?}");
    assert_eq!(store.maildrop(alice).await.unwrap().entries.len(), 1);
    assert_eq!(store.mailbox(&bob).await.unwrap(), None);
    // A backup would lack what the tables can't be told.
    let backup = dir.path().join("backup");
    let backed_up = store.back_up(&backup, |_| ControlFlow::Continue(())).await;
    assert!(matches!(backed_up, Err(BackUpError::Store(StoreError::Poisoned))), "{backed_up:?}");
    assert!(!backup.exists());
    drop(store);

    let store = Embedded::open(dir.path()).unwrap();
    let octets: Vec<u64> = store.maildrop(alice).await.unwrap().entries.iter().map(|entry| entry.octets).collect();
    assert_eq!(octets, [1000, 60_000]);
    deliver(&store, alice, 60_000).await.unwrap();
}

#[tokio::test]
async fn a_panic_of_the_writer_leaves_nobody_waiting() {
    let dir = TempDir::new().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let alice = register(&store, "alice@example.org").await;
    // The first job panics when the second is in the queue, and was not there when the first one began.
    let (open, gate) = std::sync::mpsc::channel();
    let (begin, begun) = std::sync::mpsc::channel();
    let panic = move |_: &mut writer::Group<'_>| -> rusqlite::Result<()> {
        panic!("on purpose: {:?}, {:?}", begin.send(()), gate.recv())
    };
    let mut first = Box::pin(store.writer.run(panic));
    assert!(std::future::poll_fn(|context| std::task::Poll::Ready(first.as_mut().poll(context))).await.is_pending());
    begun.recv().unwrap();
    let second = deliver(&store, alice, 1);
    let (first, second, ()) = tokio::join!(first, second, async { open.send(()).unwrap() });
    assert!(matches!(first, Err(StoreError::Unknown(_))), "{first:?}");
    assert!(matches!(second, Err(StoreError::Poisoned)), "{second:?}");
    assert!(store.account(alice).await.unwrap().is_some());
}
