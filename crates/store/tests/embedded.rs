//! The embedded engine: the contract, and what is its own: the folder, the lock, the files of big bodies, reopening.

#![allow(clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::statvfs;
use store::embedded::{Embedded, JOURNAL_OCTETS_MAX, OpenError};
use store::{
    Body, EntryId, Form, MessageId, NewMessage, Quota, REPORT_OCTETS_MAX, RegistrationMode, Store, StoreError, Token,
};
use tempfile::TempDir;

mod common;
mod contract;

use common::{NOW, address, body, contents, deliver, entries, later, message, noise, register, report, verifier};

contract::suite!(fresh);

async fn fresh() -> (Embedded, TempDir) {
    let dir = TempDir::new().unwrap();
    (Embedded::open(&dir.path().join("a/store")).unwrap(), dir)
}

/// The names of the bodies' files.
fn files(dir: &Path) -> Vec<String> {
    let name = |file: fs::DirEntry| file.file_name().into_string().unwrap();
    fs::read_dir(dir.join("bodies")).unwrap().map(|file| name(file.unwrap())).collect()
}

#[tokio::test]
async fn everything_is_there_after_reopening() {
    let dir = TempDir::new().unwrap();
    let (small, big) = (noise(1, 1000), noise(2, 1_000_000));
    let store = Embedded::open(dir.path()).unwrap();
    let alice = register(&store, "alice@example.org").await;
    let ended = register(&store, "7@example.org").await;
    store.end_account(ended, later(60)).await.unwrap();
    for bytes in [&small, &big] {
        let binary = NewMessage { form: Form::Binary { carried_octets: 7 }, ..message(&[alice]) };
        store.deliver(binary, body(&store, bytes).await, Vec::new()).await.unwrap();
    }
    store.set_quota(alice, Quota { octets: Some(1), messages: Some(2) }).await.unwrap();
    store.set_registration_mode(RegistrationMode::Held).await.unwrap();
    let token = Token { name: "bob".to_owned(), digest: [7; 32], made_at: NOW };
    assert!(store.add_token(&token).await.unwrap());
    let before = (store.summary(alice).await.unwrap(), store.maildrop(alice).await.unwrap());
    drop(store);

    let store = Embedded::open(dir.path()).unwrap();
    assert_eq!((store.summary(alice).await.unwrap(), store.maildrop(alice).await.unwrap()), before);
    assert_eq!(store.registration_mode().await.unwrap(), RegistrationMode::Held);
    assert_eq!(store.tokens().await.unwrap(), [token]);
    assert!(contents(&store, alice).await == [small, big]);
    assert!(store.register(&address("7@example.org"), None, later(59)).await.is_err());
    let third = noise(3, 1_000_000);
    deliver(&store, &[alice], &third).await;
    assert!(contents(&store, alice).await[2] == third);
}

#[tokio::test]
async fn opening_tells_the_tables_what_only_the_journal_knows() {
    let (dir, copy) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let store = Embedded::open(dir.path()).unwrap();
    let (alice, bob) = (register(&store, "alice@example.org").await, register(&store, "bob@example.org").await);
    // What a power failure at this moment may leave of the tables.
    let tables = ["mail.db", "mail.db-wal"].map(|file| (file, fs::read(dir.path().join(file)).unwrap()));
    let big = noise(1, JOURNAL_OCTETS_MAX + 1);
    for bytes in [&b"hello"[..], b"", &big] {
        deliver(&store, &[alice], bytes).await;
    }
    let with_report = body(&store, b"both").await;
    store.deliver(message(&[alice, bob]), with_report, vec![report(&[bob], b"about it")]).await.unwrap();
    let of_another_store = body(&store, b"put back").await;
    store.put_back(vec![(MessageId(1000), message(&[alice]), of_another_store)]).await.unwrap();
    for folder in ["journal", "bodies"] {
        fs::create_dir(copy.path().join(folder)).unwrap();
        for file in fs::read_dir(dir.path().join(folder)).unwrap() {
            let name = file.unwrap().file_name();
            fs::copy(dir.path().join(folder).join(&name), copy.path().join(folder).join(&name)).unwrap();
        }
    }
    for was_interrupted in [true, false, true] {
        // An opening that was interrupted before it could tell the tables leaves its own segment beside the old one.
        if was_interrupted {
            fs::copy(dir.path().join("journal/1"), copy.path().join("journal/1")).unwrap();
            for (file, bytes) in &tables {
                fs::write(copy.path().join(file), bytes).unwrap();
            }
        }
        let store = Embedded::open(copy.path()).unwrap();
        assert!(contents(&store, alice).await == [b"hello", &b""[..], &big, b"both", b"put back"]);
        assert_eq!(entries(&store, alice).await[4], EntryId(1000));
        assert_eq!(contents(&store, bob).await, [&b"both"[..], b"about it"]);
        let summary = store.summary(bob).await.unwrap().unwrap();
        assert_eq!((summary.octets, summary.messages), (12, 2));
        assert_eq!(files(copy.path()).len(), 1);
    }
    let store = Embedded::open(copy.path()).unwrap();
    let later = deliver(&store, &[alice], b"later").await;
    assert_eq!(later.message, MessageId(1001));
    assert!(entries(&store, alice).await.last().is_some_and(|last| last.0 == later.message.0));
    assert_eq!(contents(&store, alice).await[5], b"later");
}

#[tokio::test]
async fn a_segment_goes_with_its_last_message_and_a_record_that_is_not_whole_counts_for_nothing() {
    let dir = TempDir::new().unwrap();
    let segments = || fs::read_dir(dir.path().join("journal")).unwrap().count();
    let store = Embedded::open(dir.path()).unwrap();
    let alice = register(&store, "alice@example.org").await;
    deliver(&store, &[alice], b"first").await;
    drop(store);
    let store = Embedded::open(dir.path()).unwrap();
    deliver(&store, &[alice], b"second").await;
    assert_eq!(segments(), 2);
    store.flush(alice, &entries(&store, alice).await[..1]).await.unwrap();
    settle(&store).await;
    assert_eq!(segments(), 1);
    drop(store);

    // A crash in the middle of a record: its beginning is there, or a part of its bytes is not.
    let segment = dir.path().join("journal/2");
    let whole = fs::read(&segment).unwrap();
    let torn = [&whole[..], &whole[..40]].concat();
    let mut rotten = [&whole[..], &whole].concat();
    *rotten.last_mut().unwrap() ^= 1;
    for bytes in [torn, rotten] {
        fs::write(&segment, bytes).unwrap();
        let store = Embedded::open(dir.path()).unwrap();
        assert_eq!(contents(&store, alice).await, [b"second"]);
    }
}

#[tokio::test]
async fn a_segment_of_little_use_is_given_back() {
    let dir = TempDir::new().unwrap();
    let segments = || {
        let name = |file: std::io::Result<fs::DirEntry>| file.unwrap().file_name().into_string().unwrap();
        fs::read_dir(dir.path().join("journal")).unwrap().map(name).collect::<Vec<_>>()
    };
    let store = Embedded::open(dir.path()).unwrap();
    let (alice, bob) = (register(&store, "alice@example.org").await, register(&store, "bob@example.org").await);
    let mut kept = Vec::new();
    for seed in 0..20 {
        let bytes = noise(seed, 20_000);
        deliver(&store, &[alice, bob][..if seed % 5 == 0 { 2 } else { 1 }], &bytes).await;
        kept.extend((seed % 5 == 0).then_some(bytes));
    }
    drop(store);
    let store = Embedded::open(dir.path()).unwrap();
    assert_eq!(segments(), ["1"]);
    store.flush(alice, &entries(&store, alice).await).await.unwrap();
    while segments() != ["2"] {
        std::thread::yield_now();
    }
    assert!(contents(&store, bob).await == kept);
    drop(store);
    let store = Embedded::open(dir.path()).unwrap();
    assert!(contents(&store, bob).await == kept);
    store.flush(bob, &entries(&store, bob).await).await.unwrap();
    settle(&store).await;
    assert_eq!(segments(), [""; 0]);
}

#[tokio::test]
async fn bytes_that_have_rotted_are_not_handed_over() {
    let dir = TempDir::new().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let alice = register(&store, "alice@example.org").await;
    for octets in [10, 200_000, 300_000] {
        deliver(&store, &[alice], &noise(1, octets)).await;
    }
    for path in [dir.path().join("journal/1"), dir.path().join("bodies/1")] {
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, bytes.iter().map(|byte| byte ^ 1).collect::<Vec<u8>>()).unwrap();
    }
    for entry in entries(&store, alice).await {
        let opened = store.open(alice, entry).await.map(drop);
        assert!(matches!(opened, Err(StoreError::Failed(_))), "{opened:?}");
    }
}

#[tokio::test]
async fn a_big_body_has_one_file_until_its_last_entry_goes() {
    let dir = TempDir::new().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let (alice, bob) = (register(&store, "alice@example.org").await, register(&store, "bob@example.org").await);
    deliver(&store, &[alice], &noise(1, JOURNAL_OCTETS_MAX)).await;
    assert_eq!(files(dir.path()).len(), 0);
    deliver(&store, &[alice, bob], &noise(1, JOURNAL_OCTETS_MAX + 1)).await;
    deliver(&store, &[bob], &noise(1, JOURNAL_OCTETS_MAX + 1)).await;
    assert_eq!(files(dir.path()).len(), 2);

    store.flush(alice, &entries(&store, alice).await).await.unwrap();
    settle(&store).await;
    assert_eq!(files(dir.path()).len(), 2);
    store.flush(bob, &entries(&store, bob).await[..1]).await.unwrap();
    settle(&store).await;
    assert_eq!(files(dir.path()).len(), 1);
    store.end_account(bob, NOW).await.unwrap();
    settle(&store).await;
    assert_eq!(files(dir.path()).len(), 0);

    // Nobody is there any more, so it is not kept.
    deliver(&store, &[bob], &noise(1, JOURNAL_OCTETS_MAX + 1)).await;
    assert_eq!(files(dir.path()).len(), 0);
}

#[tokio::test]
async fn a_report_needs_no_file_nor_does_what_nobody_gets() {
    let dir = TempDir::new().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let alice = register(&store, "alice@example.org").await;
    let body = body(&store, &noise(1, 1_000_000)).await;
    assert_eq!(files(dir.path()).len(), 1);
    let reports = vec![report(&[alice], &noise(2, REPORT_OCTETS_MAX))];
    store.deliver(message(&[]), body, reports).await.unwrap();
    assert_eq!(files(dir.path()).len(), 0);
    assert!(contents(&store, alice).await == [noise(2, REPORT_OCTETS_MAX)]);
}

/// Files are deleted after the answer, but before the next group.
async fn settle(store: &Embedded) {
    store.touch(&[], NOW).await.unwrap();
}

#[tokio::test]
async fn a_body_dropped_leaves_nothing() {
    let dir = TempDir::new().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let mut body = store.body();
    body.write(&noise(1, 1_000_000)).await.unwrap();
    assert_eq!(files(dir.path()).len(), 1);
    drop(body);
    assert_eq!(files(dir.path()).len(), 0);
}

#[tokio::test]
async fn orphans_are_swept_at_opening() {
    let dir = TempDir::new().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let alice = register(&store, "alice@example.org").await;
    let bytes = noise(1, 1_000_000);
    deliver(&store, &[alice], &bytes).await;
    drop(store);
    let kept = files(dir.path());
    for orphan in ["777", "0"] {
        fs::write(dir.path().join("bodies").join(orphan), "torn").unwrap();
    }
    let store = Embedded::open(dir.path()).unwrap();
    // They are looked for while the store is in use.
    while files(dir.path()) != kept {
        std::thread::yield_now();
    }
    deliver(&store, &[alice], &bytes).await;
    assert!(contents(&store, alice).await == [bytes.clone(), bytes]);
}

#[tokio::test]
async fn one_at_a_time() {
    let dir = TempDir::new().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    assert!(matches!(Embedded::open(dir.path()), Err(OpenError::InUse)));
    // A body may still make or delete a file: it keeps the others out too.
    let body = store.body();
    drop(store);
    assert!(matches!(Embedded::open(dir.path()), Err(OpenError::InUse)));
    drop(body);
    Embedded::open(dir.path()).unwrap();
}

#[tokio::test]
async fn the_folder_is_private() {
    let (_store, dir) = fresh().await;
    let mode = |path: &str| fs::metadata(dir.path().join(path)).unwrap().permissions().mode() & 0o777;
    for folder in ["a", "a/store", "a/store/bodies", "a/store/journal"] {
        assert_eq!(mode(folder), 0o700, "{folder}");
    }
    for file in ["a/store/lock", "a/store/mail.db", "a/store/mail.db-wal", "a/store/mail.db-shm"] {
        assert_eq!(mode(file), 0o600, "{file}");
    }
}

#[tokio::test]
async fn what_is_not_ours_is_left_alone() {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join("mail.db");
    let open = || Embedded::open(dir.path()).map(drop).unwrap_err();

    fs::write(&path, "Dear diary, this is no database at all, but quite a long text nevertheless.".repeat(9)).unwrap();
    assert!(matches!(open(), OpenError::NotOurs));
    fs::remove_file(&path).unwrap();

    let change = |sql: &str| rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    change("CREATE TABLE diary (day TEXT)");
    assert!(matches!(open(), OpenError::NotOurs));
    fs::remove_file(&path).unwrap();

    drop(Embedded::open(dir.path()).unwrap());
    change("PRAGMA user_version = 99");
    let before = fs::read(&path).unwrap();
    let error = open();
    assert!(matches!(error, OpenError::Newer { found: 99, .. }), "{error}");
    assert!(fs::read(&path).unwrap() == before);
}

#[tokio::test]
async fn a_caller_that_goes_away_does_not_stop_the_job() {
    let dir = TempDir::new().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let (alice, verifier) = (address("alice@example.org"), verifier(1));
    let mut call = Box::pin(store.register(&alice, Some(&verifier), NOW));
    // Once polled it is queued.
    assert!(std::future::poll_fn(|context| std::task::Poll::Ready(call.as_mut().poll(context))).await.is_pending());
    drop(call);
    settle(&store).await;
    assert!(store.mailbox(&alice).await.unwrap().is_some());
}

#[tokio::test]
async fn room_is_on_the_disk() {
    let (store, dir) = fresh().await;
    let system = statvfs(dir.path()).unwrap();
    assert!((1..=system.f_blocks * system.f_frsize).contains(&store.free_octets().unwrap()));
    store.takes_writes().unwrap();
}
