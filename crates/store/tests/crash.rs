//! Kills a process that delivers and flushes under load, again and again, at any moment, and looks what is left.
//!
//! The child says on its standard output what it is about to do and what the store has acknowledged. Whatever it said last,
//! afterwards every acknowledged message must be there to the last byte unless its flush had begun, every flushed one
//! gone, and nothing torn: neither a message's bytes nor its delivery to two mailboxes and of the report about it to
//! a third.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::collections::{HashMap, HashSet};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use std::{env, fs, thread};

use store::embedded::{Embedded, JOURNAL_OCTETS_MAX};
use store::{AccountId, EntryId, Store};
use tempfile::TempDir;

mod common;

use common::{body, contents, entries, message, noise, read, register, report};

const ROUNDS: u64 = 40;
/// The child is killed after at most so many lines.
const LINES_MAX: u64 = 600;
/// And at most so much later.
const MICROSECONDS_MAX: u64 = 2000;
const SENDERS: u64 = 8;
const SIGKILL: i32 = 9;
const FOLDER: &str = "MYMAIL_CRASH_TEST_FOLDER";
const FIRST_SEED: &str = "MYMAIL_CRASH_TEST_FIRST_SEED";

#[tokio::test]
async fn what_was_acknowledged_survives_being_killed() {
    let dir = TempDir::new().unwrap();
    let store = Embedded::open(dir.path()).unwrap();
    let inbox = register(&store, "inbox@example.org").await;
    let archive = register(&store, "archive@example.org").await;
    let reports = register(&store, "reports@example.org").await;
    drop(store);

    let mut history = History::default();
    for round in 0..ROUNDS {
        history.live_and_die(dir.path(), round);
        let store = Embedded::open(dir.path()).unwrap();
        let there = history.compare(&store, inbox, archive, reports).await;
        let files = fs::read_dir(dir.path().join("bodies")).unwrap().count();
        assert_eq!(files, there.iter().filter(|seed| is_big(**seed)).count());
        // Keeps the rounds short.
        for account in [inbox, archive, reports] {
            store.flush(account, &entries(&store, account).await).await.unwrap();
        }
    }
    assert!(history.acknowledged > 10 * ROUNDS, "only {} messages were acknowledged", history.acknowledged);
    assert!(history.flushed > ROUNDS, "only {} messages were flushed", history.flushed);
}

#[derive(Default)]
struct History {
    acknowledged: u64,
    flushed: u64,
    /// Of the last life: what became of each message, by its seed.
    last: HashMap<u64, Fate>,
}

/// In the order in which they come to pass, though not always in which they are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    Delivered,
    Flushing,
    Flushed,
}

impl History {
    /// Runs the child until it has said enough.
    fn live_and_die(&mut self, dir: &Path, round: u64) {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact", "child", "--nocapture"])
            .env(FOLDER, dir)
            .env(FIRST_SEED, (round << 32).to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let chance = u64::from_le_bytes(noise(round, 8).try_into().unwrap());
        self.last.clear();
        lines.by_ref().take((chance % LINES_MAX) as usize).for_each(|line| self.note(&line));
        // Not to wait for anything, but so that it does not always die with a line on its lips.
        thread::sleep(Duration::from_micros((chance >> 32) % MICROSECONDS_MAX));
        child.kill().unwrap();
        // What it said before it died counts.
        lines.for_each(|line| self.note(&line));
        assert_eq!(child.wait().unwrap().signal(), Some(SIGKILL), "the child ended by itself");
    }

    fn note(&mut self, line: &str) {
        let Some((said, seed)) = line.split_once(' ') else { return };
        let fate = match said {
            "delivered" => Fate::Delivered,
            "flushing" => Fate::Flushing,
            "flushed" => Fate::Flushed,
            _ => return,
        };
        self.acknowledged += u64::from(fate == Fate::Delivered);
        self.flushed += u64::from(fate == Fate::Flushed);
        let last = self.last.entry(seed.parse().unwrap()).or_insert(fate);
        *last = fate.max(*last);
    }

    /// Looks whether the mailboxes are as the last life must have left them. The seeds of all that is there.
    async fn compare(
        &self,
        store: &Embedded,
        inbox: AccountId,
        archive: AccountId,
        reports: AccountId,
    ) -> HashSet<u64> {
        let in_inbox = seeds(store, inbox, content).await;
        let in_archive = seeds(store, archive, content).await;
        let in_reports = seeds(store, reports, report_about).await;
        assert!(
            in_reports == in_archive,
            "a message was delivered without its report, or a report without its message"
        );
        for (seed, fate) in &self.last {
            assert!(in_archive.contains(seed), "message {seed} was acknowledged and is lost");
            match fate {
                Fate::Delivered => assert!(in_inbox.contains(seed), "message {seed} was acknowledged and is lost"),
                Fate::Flushing => {}
                Fate::Flushed => assert!(!in_inbox.contains(seed), "message {seed} was flushed and is back"),
            }
        }
        assert!(in_inbox.is_subset(&in_archive), "a message was delivered to one mailbox of two");
        for seed in in_archive.difference(&in_inbox) {
            let fate = self.last.get(seed);
            assert!(matches!(fate, Some(Fate::Flushing | Fate::Flushed)), "message {seed} left by itself: {fate:?}");
        }
        in_archive
    }
}

/// The seeds of a mailbox's messages, each of which must be whole, and counted.
async fn seeds(store: &Embedded, account: AccountId, content: impl Fn(u64) -> Vec<u8>) -> HashSet<u64> {
    let mut seeds = HashSet::new();
    let contents = contents(store, account).await;
    let summary = store.summary(account).await.unwrap().unwrap();
    let octets = contents.iter().map(|bytes| bytes.len() as u64).sum::<u64>();
    assert_eq!((summary.messages, summary.octets), (contents.len() as u64, octets));
    for bytes in contents {
        let seed = u64::from_le_bytes(bytes[..8].try_into().unwrap());
        assert!(bytes == content(seed), "message {seed} is torn");
        assert!(seeds.insert(seed), "message {seed} is there twice");
    }
    seeds
}

fn is_big(seed: u64) -> bool {
    seed % 8 == 7
}

/// A message that tells its own seed.
fn content(seed: u64) -> Vec<u8> {
    let octets = if is_big(seed) { JOURNAL_OCTETS_MAX as u64 + seed * 7919 % 50_000 } else { seed * 7919 % 4000 };
    let mut bytes = seed.to_le_bytes().to_vec();
    bytes.extend(noise(seed, octets as usize));
    bytes
}

/// It tells the seed of the message.
fn report_about(seed: u64) -> Vec<u8> {
    [seed.to_le_bytes(), (!seed).to_le_bytes()].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it is the process that the other test kills"]
async fn child() {
    let dir = env::var(FOLDER).expect("only the other test can run this");
    let next_seed = Arc::new(AtomicU64::new(env::var(FIRST_SEED).unwrap().parse().unwrap()));
    let store = Arc::new(Embedded::open(Path::new(&dir)).unwrap());
    let account = async |text| store.mailbox(&common::address(text)).await.unwrap().unwrap().account;
    let (inbox, archive) = (account("inbox@example.org").await, account("archive@example.org").await);
    let reports = account("reports@example.org").await;
    // The test harness may have left a line unfinished; it ends here.
    say("begins", 0);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..SENDERS {
        let (store, next_seed) = (Arc::clone(&store), Arc::clone(&next_seed));
        tasks.spawn(async move {
            loop {
                let seed = next_seed.fetch_add(1, Ordering::Relaxed);
                let body = body(&*store, &content(seed)).await;
                let reports = vec![report(&[reports], &report_about(seed))];
                store.deliver(message(&[inbox, archive]), body, reports).await.unwrap();
                say("delivered", seed);
            }
        });
    }
    tasks.spawn(async move { flush_now_and_then(&store, inbox).await });
    tasks.join_next().await.unwrap().unwrap();
}

/// Flushes the older half of the mailbox whenever there is one, as a reader would.
async fn flush_now_and_then(store: &Embedded, inbox: AccountId) {
    let mut arrivals = store.arrivals(inbox);
    loop {
        arrivals.wait().await;
        let all = entries(store, inbox).await;
        let mut flushed: Vec<(EntryId, u64)> = Vec::new();
        for entry in &all[..all.len() / 2] {
            let bytes = read(store, inbox, *entry).await.unwrap();
            let seed = u64::from_le_bytes(bytes[..8].try_into().unwrap());
            say("flushing", seed);
            flushed.push((*entry, seed));
        }
        let ids: Vec<EntryId> = flushed.iter().map(|(entry, _)| *entry).collect();
        store.flush(inbox, &ids).await.unwrap();
        flushed.iter().for_each(|(_, seed)| say("flushed", *seed));
    }
}

/// One line, written at once.
fn say(what: &str, seed: u64) {
    let mut output = std::io::stdout().lock();
    output.write_all(format!("{what} {seed}\n").as_bytes()).unwrap();
    output.flush().unwrap();
}
