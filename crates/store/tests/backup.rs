//! Backups, made while mail comes and goes, and brought back.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use store::embedded::check::{CheckError, Report, check};
use store::embedded::{Embedded, JOURNAL_OCTETS_MAX, RestoreError, restore};
use store::{AccountId, BackUpError, BackedUp, EntryId, Progress, Store};
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;

mod common;

use common::{NOW, Trace, body, contents, deliver, entries, message, noise, read, register, report, traces};

const BACKUPS: usize = 5;
const SENDERS: usize = 6;
/// So many messages come in before each backup.
const MESSAGES: u64 = 100;

fn go_on(_: Progress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

async fn back_up(store: &Embedded, folder: &Path) -> Result<BackedUp, BackUpError> {
    store.back_up(folder, go_on).await
}

fn check_well(dir: &Path) -> Report {
    let report = check(dir, false, &mut go_on).unwrap();
    assert!(report.is_well() && report.in_journal == 0 && report.left_over.count == 0, "{report:?}");
    assert_eq!((report.unknown.count, report.exposed.count), (0, 0), "{report:?}");
    report
}

/// What was told of messages, by their seeds. Those with an even seed are in the archive too.
#[derive(Clone, Default)]
struct Told {
    delivered: HashSet<u64>,
    flushing: HashSet<u64>,
    flushed: HashSet<u64>,
}

#[derive(Clone, Copy)]
struct Accounts {
    inbox: AccountId,
    archive: AccountId,
    reports: AccountId,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn backups_are_whole_while_mail_comes_and_goes() {
    let home = TempDir::new().unwrap();
    let dir = home.path().join("store");
    let store = Arc::new(Embedded::open(&dir).unwrap());
    let accounts = Accounts {
        inbox: register(&*store, "inbox@example.org").await,
        archive: register(&*store, "archive@example.org").await,
        reports: register(&*store, "reports@example.org").await,
    };
    let (told, next_seed) = (Arc::new(Mutex::new(Told::default())), Arc::new(AtomicU64::new(0)));
    let stop = watch::Sender::new(false);
    let mut tasks = JoinSet::new();
    for _ in 0..SENDERS {
        tasks.spawn(send(store.clone(), accounts, told.clone(), next_seed.clone(), stop.subscribe()));
    }
    tasks.spawn(flush(store.clone(), accounts.inbox, told.clone(), stop.subscribe()));

    let (mut arrivals, mut backups) = (store.arrivals(accounts.reports), Vec::new());
    for number in 0..BACKUPS {
        let enough = next_seed.load(Ordering::Relaxed) + MESSAGES;
        while next_seed.load(Ordering::Relaxed) < enough {
            arrivals.wait().await;
        }
        let backup = home.path().join(format!("backup-{number}"));
        let before = told.lock().unwrap().clone();
        let backed_up = back_up(&store, &backup).await.unwrap();
        backups.push((backup, backed_up, before, told.lock().unwrap().clone()));
    }
    stop.send(true).unwrap();
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
    for (backup, backed_up, before, after) in backups {
        let there = check_well(&backup);
        let said = BackedUp { accounts: 3, messages: there.messages, octets: there.octets, problems: 0 };
        assert_eq!(backed_up, said);
        let restored = home.path().join("restored");
        assert_eq!(restore(&backup, &restored, &mut go_on).unwrap(), there);
        compare(&Embedded::open(&restored).unwrap(), accounts, &before, &after).await;
        check_well(&restored);
        fs::remove_dir_all(restored).unwrap();
    }
    let told = told.lock().unwrap().clone();
    assert!(told.flushed.len() > 10 * BACKUPS, "only {} messages were flushed", told.flushed.len());
    compare(&store, accounts, &told, &told).await;
    drop(arrivals);
    // What could not be deleted while a backup was made has been since.
    drop(Arc::into_inner(store).unwrap());
    check_well(&dir);
}

async fn send(
    store: Arc<Embedded>,
    accounts: Accounts,
    told: Arc<Mutex<Told>>,
    next_seed: Arc<AtomicU64>,
    stop: watch::Receiver<bool>,
) {
    let Accounts { inbox, archive, reports } = accounts;
    while !*stop.borrow() {
        let seed = next_seed.fetch_add(1, Ordering::Relaxed);
        let to = if seed.is_multiple_of(2) { &[inbox, archive][..] } else { &[inbox] };
        let body = body(&*store, &content(seed)).await;
        store.deliver(message(to), body, vec![report(&[reports], &seed.to_le_bytes())]).await.unwrap();
        told.lock().unwrap().delivered.insert(seed);
    }
}

/// Flushes the older half of the mailbox whenever there is one, as a reader would.
async fn flush(store: Arc<Embedded>, inbox: AccountId, told: Arc<Mutex<Told>>, stop: watch::Receiver<bool>) {
    let mut arrivals = store.arrivals(inbox);
    while !*stop.borrow() {
        arrivals.wait().await;
        let all = entries(&*store, inbox).await;
        let half: Vec<EntryId> = all[..all.len() / 2].to_vec();
        let mut seeds = Vec::new();
        for entry in &half {
            seeds.push(seed_of(&read(&*store, inbox, *entry).await.unwrap()));
        }
        told.lock().unwrap().flushing.extend(&seeds);
        store.flush(inbox, &half).await.unwrap();
        told.lock().unwrap().flushed.extend(&seeds);
    }
}

/// Looks whether a copy that was made between these two moments is as it must be.
async fn compare(copy: &Embedded, accounts: Accounts, before: &Told, after: &Told) {
    let in_inbox = seeds(copy, accounts.inbox, content).await;
    let in_archive = seeds(copy, accounts.archive, content).await;
    let in_reports = seeds(copy, accounts.reports, |seed| seed.to_le_bytes().to_vec()).await;
    let even = |seed: &&u64| seed.is_multiple_of(2);
    assert!(before.delivered.is_subset(&in_reports), "what was acknowledged is not in the backup");
    assert_eq!(in_archive, in_reports.iter().filter(even).copied().collect(), "a message and its report are one");
    assert!(in_inbox.is_subset(&in_reports), "a message and its report are one");
    assert!(in_inbox.is_disjoint(&before.flushed), "what was flushed is in the backup");
    let gone = in_reports.difference(&in_inbox);
    assert!(gone.into_iter().all(|seed| after.flushing.contains(seed)), "what nobody flushed is not in the backup");
}

async fn seeds(store: &Embedded, account: AccountId, content: impl Fn(u64) -> Vec<u8>) -> HashSet<u64> {
    let mut seeds = HashSet::new();
    for bytes in contents(store, account).await {
        let seed = seed_of(&bytes);
        assert!(bytes == content(seed), "message {seed} is torn");
        assert!(seeds.insert(seed), "message {seed} is there twice");
    }
    seeds
}

/// A message that tells its own seed; some are big.
fn content(seed: u64) -> Vec<u8> {
    let big = if seed % 32 >= 30 { JOURNAL_OCTETS_MAX as u64 } else { 0 };
    let mut bytes = seed.to_le_bytes().to_vec();
    bytes.extend(noise(seed, (big + seed * 7919 % 4000) as usize));
    bytes
}

fn seed_of(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes[..8].try_into().unwrap())
}

/// A store with a small and a big message, and what a server keeps beside it.
struct World {
    home: TempDir,
    store: Embedded,
    alice: AccountId,
}

impl World {
    async fn new() -> Self {
        let home = TempDir::new().unwrap();
        let dir = home.path().join("store");
        let store = Embedded::open(&dir).unwrap();
        let alice = register(&store, "alice@example.org").await;
        deliver(&store, &[alice], b"small").await;
        deliver(&store, &[alice], &noise(1, JOURNAL_OCTETS_MAX + 1)).await;
        fs::create_dir(dir.join("tls")).unwrap();
        for (name, mode) in [("certificate.pem", 0o644), ("key.pem", 0o600), ("key.new", 0o600)] {
            fs::write(dir.join("tls").join(name), name).unwrap();
            fs::set_permissions(dir.join("tls").join(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::set_permissions(dir.join("tls"), fs::Permissions::from_mode(0o700)).unwrap();
        Self { home, store, alice }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The names that are there, beside the store's.
    fn names(&self) -> Vec<String> {
        let names =
            fs::read_dir(self.home.path()).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name != "store").collect();
        names.sort();
        names
    }
}

#[tokio::test]
async fn a_backup_has_what_the_store_is_and_nothing_else() {
    let world = World::new().await;
    for name in ["backup", "a/b/c"] {
        let backup = world.path(name);
        let said = BackedUp { accounts: 1, messages: 2, octets: 5 + JOURNAL_OCTETS_MAX as u64 + 1, problems: 0 };
        assert_eq!(back_up(&world.store, &backup).await.unwrap(), said);
        let there: Vec<_> = traces(&backup).into_iter().map(|(name, (_, mode, _))| (name, mode & 0o777)).collect();
        let expected = [
            ("bodies", 0o700),
            ("bodies/1", 0o600),
            ("journal", 0o700),
            ("journal/1", 0o600),
            ("mail.db", 0o600),
            ("tls", 0o700),
            ("tls/certificate.pem", 0o644),
            ("tls/key.pem", 0o600),
        ];
        assert_eq!(there, expected.map(|(name, mode)| (name.to_owned(), mode)));
        assert_eq!(fs::metadata(&backup).unwrap().permissions().mode() & 0o777, 0o700);
        check_well(&backup);
    }
    assert_eq!(world.names(), ["a", "backup"]);
}

#[tokio::test]
async fn a_backup_is_put_where_nothing_is() {
    let world = World::new().await;
    let backup = world.path("backup");
    fs::create_dir(&backup).unwrap();
    back_up(&world.store, &backup).await.unwrap();
    fs::write(world.path("file"), "").unwrap();
    for taken in [&backup, &world.path("file"), Path::new("/")] {
        let error = back_up(&world.store, taken).await.unwrap_err();
        assert!(matches!(error, BackUpError::Taken { .. }), "{error}");
    }
    fs::create_dir(world.path("other.incomplete")).unwrap();
    let error = back_up(&world.store, &world.path("other")).await.unwrap_err();
    assert!(matches!(error, BackUpError::Unfinished { .. }), "{error}");
    let error = back_up(&world.store, Path::new("/proc")).await.unwrap_err();
    assert!(matches!(error, BackUpError::Taken { .. } | BackUpError::MountPoint { .. }), "{error}");
    let error = back_up(&world.store, Path::new("/proc/backup")).await.unwrap_err();
    assert!(matches!(error, BackUpError::Io { .. }), "{error}");
    assert_eq!(world.names(), ["backup", "file", "other.incomplete"]);
    check_well(&backup);
}

#[tokio::test]
async fn a_backup_that_is_stopped_leaves_nothing() {
    let world = World::new().await;
    let mut calls = 0;
    for stop_at in 1.. {
        let (steps, mut count) = watch::channel(0);
        let stop = move |_| {
            steps.send_modify(|steps| *steps += 1);
            if *steps.borrow() == stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        let backed_up = world.store.back_up(&world.path("backup"), stop).await;
        let told = *count.borrow_and_update();
        match backed_up {
            Err(BackUpError::Stopped) => assert_eq!((told, world.names()), (stop_at, Vec::new())),
            done => {
                done.unwrap();
                calls = told;
                break;
            }
        }
    }
    assert!(calls >= 4, "it is told of in {calls} steps");
    check_well(&world.path("backup"));
    // Files are deleted again.
    world.store.flush(world.alice, &entries(&world.store, world.alice).await).await.unwrap();
    world.store.touch(&[], NOW).await.unwrap();
    assert_eq!(fs::read_dir(world.path("store/bodies")).unwrap().count(), 0);
}

#[tokio::test]
async fn a_store_that_is_damaged_is_backed_up_as_it_is() {
    let world = World::new().await;
    fs::remove_file(world.path("store/bodies/1")).unwrap();
    let backed_up = back_up(&world.store, &world.path("backup")).await.unwrap();
    assert_eq!((backed_up.messages, backed_up.problems), (2, 1));
    let report = restore(&world.path("backup"), &world.path("restored"), &mut go_on).unwrap();
    assert!(!report.is_well());
    let restored = Embedded::open(&world.path("restored")).unwrap();
    let small = entries(&restored, world.alice).await[0];
    assert_eq!(read(&restored, world.alice, small).await.unwrap(), b"small");
}

#[tokio::test]
async fn a_backup_is_brought_back_as_often_as_is_liked() {
    let world = World::new().await;
    let backup = world.path("backup");
    back_up(&world.store, &backup).await.unwrap();
    let before = traces(&backup);
    fs::create_dir(world.path("second")).unwrap();
    for name in ["first", "second"] {
        let report = restore(&backup, &world.path(name), &mut go_on).unwrap();
        assert!(report.is_well());
        assert!(traces(&backup) == before);
        let mut there = traces(&world.path(name));
        let lock = there.remove("lock").map(|(bytes, mode, _)| (bytes, mode & 0o777));
        assert_eq!(lock, Some((Vec::new(), 0o600)));
        // SQLite counts how often its file was written.
        let what = |traces: BTreeMap<String, Trace>| -> Vec<_> {
            let files = traces.into_iter().filter(|(name, _)| name != "mail.db");
            files.map(|(name, (bytes, mode, _))| (name, bytes, mode)).collect()
        };
        assert!(what(there) == what(before.clone()));
        let store = Embedded::open(&world.path(name)).unwrap();
        deliver(&store, &[world.alice], b"later").await;
        assert_eq!(contents(&store, world.alice).await.len(), 3);
    }
    // Nor is a store in the way touched.
    let store = traces(&world.path("first"));
    for taken in ["first", "backup"] {
        let error = restore(&backup, &world.path(taken), &mut go_on).unwrap_err();
        assert!(matches!(error, RestoreError::Taken { .. }), "{error}");
    }
    assert!(traces(&world.path("first")) == store && traces(&backup) == before);
}

#[tokio::test]
async fn what_is_no_backup_is_not_brought_back() {
    let world = World::new().await;
    fs::create_dir(world.path("empty")).unwrap();
    let nothing: [&str; 2] = ["empty", "nowhere"];
    for name in nothing {
        let error = restore(&world.path(name), &world.path("restored"), &mut go_on).unwrap_err();
        assert!(matches!(error, RestoreError::NoBackup { error: CheckError::NoStore, .. }), "{error}");
    }
    // A store that is open, and one whose server was killed.
    let error = restore(&world.path("store"), &world.path("restored"), &mut go_on).unwrap_err();
    assert!(matches!(error, RestoreError::NoBackup { error: CheckError::Open(_), .. }), "{error}");
    world.store.touch(&[], NOW).await.unwrap();
    let tables = ["mail.db", "mail.db-wal"].map(|name| (name, fs::read(world.path("store").join(name)).unwrap()));
    deliver(&world.store, &[world.alice], b"third").await;
    let segment = fs::read(world.path("store/journal/1")).unwrap();
    for (name, bytes) in tables {
        fs::write(world.path("empty").join(name), bytes).unwrap();
    }
    fs::create_dir(world.path("empty/journal")).unwrap();
    fs::write(world.path("empty/journal/1"), segment).unwrap();
    let error = restore(&world.path("empty"), &world.path("restored"), &mut go_on).unwrap_err();
    assert!(matches!(error, RestoreError::NotClosed { .. }), "{error}");

    back_up(&world.store, &world.path("backup")).await.unwrap();
    fs::create_dir(world.path("there")).unwrap();
    for name in ["restored", "there"] {
        let error = restore(&world.path("backup"), &world.path(name), &mut |_| ControlFlow::Break(())).unwrap_err();
        assert!(matches!(error, RestoreError::Stopped), "{error}");
    }
    assert_eq!(world.names(), ["backup", "empty", "there"]);
    assert_eq!(fs::read_dir(world.path("there")).unwrap().count(), 0);
    // One that was closed is as good as a backup.
    let World { home, store, .. } = world;
    drop(store);
    assert!(restore(&home.path().join("store"), &home.path().join("restored"), &mut go_on).unwrap().is_well());
}
