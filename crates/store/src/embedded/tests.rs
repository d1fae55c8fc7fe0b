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
    store.writer.run(0, cap).await.unwrap();
}

#[tokio::test]
async fn a_full_database_fails_the_group_and_poisons() {
    let dir = TempDir::new().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let alice = register(&store, "alice@example.org").await;
    deliver(&store, alice, 1000).await.unwrap();
    cap(&store, 1).await;

    // The first job keeps the group open until the others are queued.
    let (open, gate) = std::sync::mpsc::channel();
    let first = store.writer.run(0, move |_| Ok(gate.recv()));
    let address = "bob@example.org".parse().unwrap();
    let second = store.register(&address, None, NOW);
    let third = deliver(&store, alice, 60_000);
    let (first, second, third, ()) = tokio::join!(first, second, third, async { open.send(()).unwrap() });
    assert!(matches!(first, Err(StoreError::Full)), "{first:?}");
    assert!(matches!(second, Err(RegisterError::Store(StoreError::Full))), "{second:?}");
    assert!(matches!(third, Err(StoreError::Full)), "{third:?}");

    let later = deliver(&store, alice, 1).await;
    assert!(matches!(later, Err(StoreError::Poisoned)), "{later:?}");
    assert_eq!(store.maildrop(alice).await.unwrap().entries.len(), 1);
    assert_eq!(store.mailbox(&address).await.unwrap(), None);
    drop(store);

    let store = Embedded::open(dir.path()).unwrap();
    assert_eq!(store.maildrop(alice).await.unwrap().entries.len(), 1);
    deliver(&store, alice, 60_000).await.unwrap();
}

#[tokio::test]
async fn a_report_that_finds_no_room_takes_its_message_along() {
    let dir = TempDir::new().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let (alice, bob) = (register(&store, "alice@example.org").await, register(&store, "bob@example.org").await);
    // Room for the messages, of which one is in a file, and for the first report.
    cap(&store, 40).await;
    deliver(&store, alice, 10_000).await.unwrap();
    let report = |octets| Report { message: message(bob), text: vec![b'x'; octets] };
    let fits = vec![report(10_000)];
    deliver_with(&store, alice, 100_000, fits).await.unwrap();
    let does_not_fit = vec![report(10_000), report(200_000)];
    let refused = deliver_with(&store, alice, 100_000, does_not_fit).await;
    assert!(matches!(refused, Err(StoreError::Full)), "{refused:?}");
    drop(store);

    let store = Embedded::open(dir.path()).unwrap();
    for (account, octets, messages) in [(alice, 110_000, 2), (bob, 10_000, 1)] {
        let summary = store.summary(account).await.unwrap().unwrap();
        assert_eq!((summary.octets, summary.messages), (octets, messages));
        assert_eq!(store.maildrop(account).await.unwrap().entries.len() as u64, messages);
    }
    assert_eq!(std::fs::read_dir(dir.path().join("bodies")).unwrap().count(), 1);
}

#[tokio::test]
async fn a_panic_of_the_writer_leaves_nobody_waiting() {
    let dir = TempDir::new().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let alice = register(&store, "alice@example.org").await;
    // The first job panics when the second is in the queue.
    let (open, gate) = std::sync::mpsc::channel();
    let first = store.writer.run(0, move |_| -> rusqlite::Result<()> { panic!("on purpose: {:?}", gate.recv()) });
    let second = deliver(&store, alice, 1);
    let (first, second, ()) = tokio::join!(first, second, async { open.send(()).unwrap() });
    assert!(matches!(first, Err(StoreError::Unknown(_))), "{first:?}");
    assert!(matches!(second, Err(StoreError::Poisoned)), "{second:?}");
    assert!(store.account(alice).await.unwrap().is_some());
}
