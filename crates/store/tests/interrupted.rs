//! Kills a process that opens a store after a crash, while it reads the journal again.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

use store::embedded::Embedded;
use tempfile::TempDir;

mod common;

use common::{contents, deliver, register};

/// More than the tables are told at once, each in a record of its own.
const MESSAGES: u32 = 700;
const ROUNDS: u32 = 3;
const FOLDER: &str = "MYMAIL_INTERRUPTED_TEST_FOLDER";

#[tokio::test]
async fn an_opening_that_is_killed_loses_nothing() {
    let (dir, copy) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let store = Embedded::open(dir.path()).unwrap();
    let alice = register(&store, "alice@example.org").await;
    // What a power failure may leave of the tables, which are not synced for what the journal has.
    let tables = ["mail.db", "mail.db-wal"].map(|file| (file, fs::read(dir.path().join(file)).unwrap()));
    for number in 0..MESSAGES {
        deliver(&store, &[alice], &number.to_le_bytes()).await;
    }
    let segment = fs::read(dir.path().join("journal/1")).unwrap();
    drop(store);

    let prepare = || {
        for folder in ["journal", "bodies"] {
            fs::remove_dir_all(copy.path().join(folder)).ok();
            fs::create_dir(copy.path().join(folder)).unwrap();
        }
        fs::write(copy.path().join("journal/1"), &segment).unwrap();
        for (file, bytes) in &tables {
            fs::write(copy.path().join(file), bytes).unwrap();
        }
    };
    prepare();
    let begun = Instant::now();
    drop(Embedded::open(copy.path()).unwrap());
    let whole = begun.elapsed();
    for round in 1..=ROUNDS {
        prepare();
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["--ignored", "--exact", "child"])
            .env(FOLDER, copy.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        // Not to wait for anything, but to kill it at different moments of its work.
        std::thread::sleep(Duration::max(whole * round / (ROUNDS + 1), Duration::from_millis(1)));
        child.kill().unwrap();
        child.wait().unwrap();
        let store = Embedded::open(copy.path()).unwrap();
        let there = contents(&store, alice).await;
        let expected: Vec<_> = (0..MESSAGES).map(|number| number.to_le_bytes().to_vec()).collect();
        assert!(there == expected, "{} of {MESSAGES} messages are there", there.len());
    }
}

#[test]
#[ignore = "it is the process that the other test kills"]
fn child() {
    let dir = env::var(FOLDER).expect("only the other test can run this");
    drop(Embedded::open(Path::new(&dir)).unwrap());
}
