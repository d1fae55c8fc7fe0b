//! A store that moves into another one, by way of a folder: all of it, however often it is broken off, or not at all.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use store::embedded::Embedded;
use store::transfer::{ExportError, FolderError, ImportError, Moved, PART_OCTETS, export, import};
use store::{Progress, Quota, Store, StoreError, Timestamp, Token};
use tempfile::TempDir;

#[path = "../common/mod.rs"]
mod common;
mod contents;
#[path = "../contract/model.rs"]
mod model;

use common::{NOW, Trace, address, contents, deliver, entries, later, message, noise, register, verifier};
use contents::{SECRET, SMALL_PART, contents_of, fill, stop_after};

fn open(dir: &Path) -> Embedded {
    Embedded::open(dir).unwrap()
}

fn go_on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

async fn export_all(store: &Embedded, folder: &Path) -> Result<Moved, ExportError> {
    export(store, folder, &SECRET, PART_OCTETS, &mut go_on).await
}

async fn import_all(store: &Embedded, folder: &Path) -> Result<Moved, ImportError> {
    import(store, folder, &mut go_on).await
}

#[tokio::test]
async fn everything_moves() {
    let dir = TempDir::new().unwrap();
    let from = open(&dir.path().join("from"));
    model::any_history_leaves_what_it_should(&from).await;
    fill(&from).await;
    from.end_unclaimed(later(1_000_000)).await.unwrap();
    let before = contents_of(&from).await;
    let (accounts, holds) = (before.accounts.len() as u64, before.holds.len() as u64);
    assert!(accounts > 15 && holds > 2 && before.mail.len() > 50, "{accounts}, {holds}, {}", before.mail.len());

    let folder = dir.path().join("a/folder");
    let moved = export(&from, &folder, &SECRET, SMALL_PART, &mut go_on).await.unwrap();
    let messages = from.messages(None, usize::MAX).await.unwrap();
    let octets = messages.iter().map(|kept| kept.octets).sum();
    assert_eq!(moved, Moved { accounts, holds, messages: messages.len() as u64, octets, left_behind: 0 });
    assert_eq!(fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    for file in fs::read_dir(&folder).unwrap() {
        assert_eq!(file.unwrap().metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    let to = open(&dir.path().join("to"));
    let mut progress = Progress::default();
    let mut watch = |now: Progress| {
        assert!(now.octets >= progress.octets && now.octets <= now.octets_total, "{progress:?} {now:?}");
        progress = now;
        ControlFlow::Continue(())
    };
    assert_eq!(import(&to, &folder, &mut watch).await.unwrap(), moved);
    assert_eq!(progress, Progress { octets: 2 * octets, octets_total: 2 * octets });
    assert!(contents_of(&to).await == before);
    // Those that come later have greater ids, also after a new start.
    drop(to);
    let to = open(&dir.path().join("to"));
    assert!(contents_of(&to).await == before);
    let alice = to.mailbox(&address("alice@example.org")).await.unwrap().unwrap().account;
    let last = messages.last().unwrap().id;
    assert!(deliver(&to, &[alice], b"later").await.message > last);
}

#[tokio::test]
async fn who_has_no_password_stays_behind_with_the_mail_that_is_nobody_elses() {
    let dir = TempDir::new().unwrap();
    let from = open(&dir.path().join("from"));
    let alice = register(&from, "alice@example.org").await;
    let nobody = from.register(&address("0@example.org"), None, NOW).await.unwrap();
    deliver(&from, &[nobody], b"to nobody").await;
    deliver(&from, &[nobody, alice], b"to both").await;
    let folder = dir.path().join("folder");
    let moved = export_all(&from, &folder).await.unwrap();
    assert_eq!(moved, Moved { accounts: 1, holds: 0, messages: 1, octets: 7, left_behind: 1 });
    let to = open(&dir.path().join("to"));
    assert_eq!(import_all(&to, &folder).await.unwrap(), moved);
    assert_eq!(to.mailbox(&address("0@example.org")).await.unwrap(), None);
    let alice = to.mailbox(&address("alice@example.org")).await.unwrap().unwrap().account;
    assert_eq!(contents(&to, alice).await, [b"to both"]);
}

#[tokio::test]
async fn nothing_moves_too() {
    let dir = TempDir::new().unwrap();
    let (from, to) = (open(&dir.path().join("from")), open(&dir.path().join("to")));
    let folder = dir.path().join("folder");
    assert_eq!(export_all(&from, &folder).await.unwrap(), Moved::default());
    assert_eq!(import_all(&to, &folder).await.unwrap(), Moved::default());
}

/// What of an export is whole: the files of mail that have their name.
fn whole(traces: &BTreeMap<String, Trace>) -> BTreeMap<String, Trace> {
    let is_whole = |name: &&String| name.starts_with("mail-") && !name.ends_with(".incomplete");
    traces.iter().filter(|(name, _)| is_whole(name)).map(|(name, trace)| (name.clone(), trace.clone())).collect()
}

#[tokio::test]
async fn what_is_broken_off_is_gone_on_with() {
    let dir = TempDir::new().unwrap();
    let from = open(&dir.path().join("from"));
    fill(&from).await;
    let alice = from.mailbox(&address("alice@example.org")).await.unwrap().unwrap().account;
    for seed in 0..150 {
        deliver(&from, &[alice], &noise(seed, 1000)).await;
    }
    let before = contents_of(&from).await;
    let folder = dir.path().join("folder");
    let (mut steps, mut files) = (0, BTreeMap::new());
    let moved = loop {
        steps += 1;
        match export(&from, &folder, &SECRET, SMALL_PART, &mut stop_after(steps)).await {
            Ok(moved) => break moved,
            Err(ExportError::Stopped) => {}
            Err(error) => panic!("{error}"),
        }
        let traces = common::traces(&folder);
        let now = whole(&traces);
        assert!(files.iter().all(|(name, trace)| now.get(name) == Some(trace)), "a file was written again");
        files = now;
        // Whatever an end by force has left.
        for name in traces.keys().filter(|name| name.ends_with(".incomplete")) {
            fs::write(folder.join(name), noise(steps as u64, 100_000)).unwrap();
        }
        let to = open(&dir.path().join("early"));
        let early = import_all(&to, &folder).await;
        assert!(matches!(early, Err(ImportError::Unfinished { .. })), "{early:?}");
    };
    assert!(files.len() > 5 && steps > files.len(), "{steps} attempts, {} files", files.len());

    let mut steps = 0;
    loop {
        steps += if steps < 20 { 1 } else { 11 };
        // Each attempt is a process of its own.
        let to = open(&dir.path().join("to"));
        match import(&to, &folder, &mut stop_after(steps)).await {
            Ok(same) => break assert_eq!(same, moved),
            Err(ImportError::Stopped) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert!(steps > 150, "in {steps} steps");
    let to = open(&dir.path().join("to"));
    assert!(contents_of(&to).await == before);
    // Once more is none too many.
    assert_eq!(import_all(&to, &folder).await.unwrap(), moved);
    assert!(contents_of(&to).await == before);
}

#[tokio::test]
async fn what_is_flushed_between_two_attempts_does_not_return() {
    let dir = TempDir::new().unwrap();
    let (from, to) = (open(&dir.path().join("from")), open(&dir.path().join("to")));
    fill(&from).await;
    let folder = dir.path().join("folder");
    export_all(&from, &folder).await.unwrap();
    import_all(&to, &folder).await.unwrap();
    let alice = to.mailbox(&address("alice@example.org")).await.unwrap().unwrap().account;
    let there = entries(&to, alice).await;
    to.flush(alice, &there[..1]).await.unwrap();
    let again = import_all(&to, &folder).await;
    assert!(matches!(again, Err(ImportError::Differs { .. })), "{again:?}");
    assert_eq!(entries(&to, alice).await, there[1..]);
}

#[tokio::test]
async fn a_store_in_use_takes_no_import() {
    let dir = TempDir::new().unwrap();
    let from = open(&dir.path().join("from"));
    fill(&from).await;
    let folder = dir.path().join("folder");
    export_all(&from, &folder).await.unwrap();

    let to = open(&dir.path().join("stranger"));
    register(&to, "bob@example.org").await;
    refused(&to, &folder, "the account bob@example.org").await;
    let to = open(&dir.path().join("password"));
    to.register(&address("alice@example.org"), Some(&verifier(1)), NOW).await.unwrap();
    refused(&to, &folder, "the account alice@example.org").await;
    let to = open(&dir.path().join("hold"));
    let ended = register(&to, "9@example.org").await;
    to.end_account(ended, later(1)).await.unwrap();
    refused(&to, &folder, "a hold of 9@example.org").await;
    let to = open(&dir.path().join("token"));
    to.add_token(&Token { name: "mine".to_owned(), digest: [1; 32], made_at: NOW }).await.unwrap();
    refused(&to, &folder, "the token mine").await;
    let to = open(&dir.path().join("mail"));
    let postmaster = register(&to, "postmaster@example.org").await;
    deliver(&to, &[postmaster], b"hello").await;
    refused(&to, &folder, "the account postmaster@example.org").await;
    // All accounts are those of the export, and there is other mail.
    let to = open(&dir.path().join("later"));
    let alice = to.register(&address("alice@example.org"), Some(&verifier(2)), NOW).await.unwrap();
    deliver(&to, &[alice], b"hello").await;
    refused(&to, &folder, "message 1").await;

    // What a server makes at its first start is nobody's.
    let to = open(&dir.path().join("fresh"));
    to.register(&address("postmaster@example.org"), Some(&verifier(5)), NOW).await.unwrap();
    to.register(&address("0@example.org"), None, NOW).await.unwrap();
    to.keep_secret(&[1; 32]).await.unwrap();
    import_all(&to, &folder).await.unwrap();
    assert_eq!(to.keep_secret(&SECRET).await.unwrap(), [1; 32]);
}

async fn refused(to: &Embedded, folder: &Path, expected: &str) {
    let before = contents_of(to).await;
    match import_all(to, folder).await {
        Err(ImportError::InUse { what }) => assert_eq!(what, expected),
        other => panic!("{other:?} where there is {expected}"),
    }
    assert!(contents_of(to).await == before);
}

#[tokio::test]
async fn the_postmaster_moves_over_one_that_nobody_has_used() {
    let dir = TempDir::new().unwrap();
    let (from, to) = (open(&dir.path().join("from")), open(&dir.path().join("to")));
    let postmaster = from.register(&address("postmaster@example.org"), Some(&verifier(3)), later(7)).await.unwrap();
    from.set_quota(postmaster, Quota { octets: None, messages: Some(7) }).await.unwrap();
    deliver(&from, &[postmaster], b"hello").await;
    to.register(&address("postmaster@example.org"), Some(&verifier(4)), later(9)).await.unwrap();
    let folder = dir.path().join("folder");
    export_all(&from, &folder).await.unwrap();
    import_all(&to, &folder).await.unwrap();
    assert!(contents_of(&to).await == contents_of(&from).await);
}

#[tokio::test]
async fn a_rotten_octet_is_found() {
    let dir = TempDir::new().unwrap();
    let from = open(&dir.path().join("from"));
    let alice = register(&from, "alice@example.org").await;
    let ended = register(&from, "7@example.org").await;
    from.end_account(ended, later(9)).await.unwrap();
    deliver(&from, &[alice], b"hello").await;
    deliver(&from, &[alice], b"").await;
    let folder = dir.path().join("folder");
    export(&from, &folder, &SECRET, 1, &mut go_on).await.unwrap();
    for name in ["manifest", "accounts", "mail-1", "mail-2"] {
        let path = folder.join(name);
        let good = fs::read(&path).unwrap();
        for at in (0..good.len()).step_by(5).chain([good.len() - 1]) {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            fs::write(&path, &bad).unwrap();
            found(&folder, &path, &format!("octet {at}")).await;
        }
        fs::write(&path, &good[..good.len() - 1]).unwrap();
        found(&folder, &path, "the end").await;
        fs::write(&path, &good).unwrap();
    }
    fs::remove_file(folder.join("mail-2")).unwrap();
    let to = open(&dir.path().join("missing"));
    let missing = import_all(&to, &folder).await;
    assert!(matches!(&missing, Err(ImportError::Folder(FolderError::Io { path, .. })) if path.ends_with("mail-2")));
}

async fn found(folder: &Path, file: &Path, what: &str) {
    let dir = TempDir::new().unwrap();
    match import_all(&open(dir.path()), folder).await {
        Err(ImportError::Folder(FolderError::Damaged { path })) => assert_eq!(path, file),
        other => panic!("{what} of {}: {other:?}", file.display()),
    }
}

#[tokio::test]
async fn what_is_rotten_in_the_store_is_not_exported() {
    let dir = TempDir::new().unwrap();
    let from = open(&dir.path().join("from"));
    let alice = register(&from, "alice@example.org").await;
    let bad = deliver(&from, &[alice], b"something that nothing else looks like").await.message;
    from.answer().await.unwrap();
    let segment = dir.path().join("from/journal/1");
    let mut octets = fs::read(&segment).unwrap();
    let at = octets.windows(9).position(|octets| octets == b"something").unwrap();
    octets[at] = b'S';
    fs::write(&segment, octets).unwrap();
    let exported = export_all(&from, &dir.path().join("folder")).await;
    let is_told =
        matches!(&exported, Err(ExportError::Unreadable { message, error: StoreError::Failed(_) }) if *message == bad);
    assert!(is_told, "{exported:?}");
}

#[tokio::test]
async fn a_folder_is_for_one_export() {
    let dir = TempDir::new().unwrap();
    let (from, other) = (open(&dir.path().join("from")), open(&dir.path().join("other")));
    fill(&from).await;
    let folder = dir.path().join("folder");
    let begun = export(&from, &folder, &SECRET, SMALL_PART, &mut stop_after(3)).await;
    assert!(matches!(begun, Err(ExportError::Stopped)), "{begun:?}");
    let of_another = export_all(&other, &folder).await;
    assert!(matches!(of_another, Err(ExportError::OtherStore { .. })), "{of_another:?}");
    export_all(&from, &folder).await.unwrap();
    let again = export_all(&from, &folder).await;
    assert!(matches!(again, Err(ExportError::Whole { .. })), "{again:?}");

    let taken = dir.path().join("taken");
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("file"), "").unwrap();
    let exported = export_all(&from, &taken).await;
    assert!(matches!(exported, Err(ExportError::Taken { .. })), "{exported:?}");
    let imported = import_all(&other, &taken).await;
    assert!(matches!(imported, Err(ImportError::Folder(FolderError::NoExport { .. }))), "{imported:?}");
    let lock = fs::File::open(&taken).unwrap();
    lock.lock().unwrap();
    let in_use = export_all(&from, &taken).await;
    assert!(matches!(in_use, Err(ExportError::Folder(FolderError::InUse { .. }))), "{in_use:?}");
}

#[tokio::test]
async fn an_account_that_has_gone_since_leaves_its_mail() {
    let dir = TempDir::new().unwrap();
    let (from, to) = (open(&dir.path().join("from")), open(&dir.path().join("to")));
    let (alice, bob) = (register(&from, "alice@example.org").await, register(&from, "bob@example.org").await);
    deliver(&from, &[bob], &noise(1, 100_000)).await;
    deliver(&from, &[alice, bob], &noise(2, 100_000)).await;
    deliver(&from, &[alice], b"unseen").await;
    let folder = dir.path().join("folder");
    let begun = export(&from, &folder, &SECRET, SMALL_PART, &mut stop_after(6)).await;
    assert!(matches!(begun, Err(ExportError::Stopped)), "{begun:?}");
    assert!(folder.join("mail-1").exists());
    // A server ran between the two attempts.
    from.end_account(bob, Timestamp(NOW.0 + 1)).await.unwrap();
    let moved = export_all(&from, &folder).await.unwrap();
    assert_eq!((moved.accounts, moved.holds), (1, 1));
    let moved = import_all(&to, &folder).await.unwrap();
    assert_eq!((moved.accounts, moved.holds, moved.messages, moved.octets), (1, 1, 2, 100_006));
    let alice = to.mailbox(&address("alice@example.org")).await.unwrap().unwrap().account;
    assert!(contents(&to, alice).await == [noise(2, 100_000), b"unseen".to_vec()]);
    assert_eq!(to.messages(None, 10).await.unwrap()[0].message.recipients, message(&[alice]).recipients);
}
