//! One call after the other fails: each sync, and each write to the store's files. Alone, for then the disk seems to be in order
//! again; or with all that follow, as when the disk is full or gone.

use std::io;
use std::path::PathBuf;

use crate::host::Host;
use crate::life::{BIG_OCTETS, Life, SMALL_OCTETS};
use crate::strace::{Fault, Injected};

const ROUNDS: usize = 3;
/// More calls than a thread makes in them.
const CALLS_MAX: u32 = 2000;
/// Enough changes of the tables that their log is moved into the database.
const MANY: usize = 3000;

const SYNCS: &str = "fsync,fdatasync";
const WRITES: &str = "write,writev,pwrite64,pwritev,pwritev2";

const SYNC_FAILS: Fault = Fault { calls: SYNCS, files: Vec::new(), error: "EIO", first: 1, is_single: true };
const DISK_IS_FULL: Fault = Fault { calls: WRITES, files: Vec::new(), error: "ENOSPC", first: 1, is_single: false };
const WRITE_FAILS: Fault = Fault { calls: WRITES, files: Vec::new(), error: "EIO", first: 1, is_single: true };

/// What says whose a message is, and its bytes if they are few.
const TABLES_AND_JOURNAL: &[&str] = &["mail.db", "mail.db-wal", "mail.db-shm", "journal/"];

/// Files of the store. What has a number for a name has a low one, for the store is new.
fn files(host: &Host, names: &[&str]) -> Vec<PathBuf> {
    let paths = |name: &&str| match name.strip_suffix('/') {
        Some(folder) => (0..100).map(|number| host.path("data").join(folder).join(number.to_string())).collect(),
        None => vec![host.path("data").join(name)],
    };
    names.iter().flat_map(paths).collect()
}

/// Lets the first call fail, then one behind it, and so on until there is none; in a new server each time. Nothing is written
/// after that.
async fn fail_each(fault: Fault, names: &[&str], stride: usize) -> io::Result<()> {
    let mut doubles = 0;
    for first in (1..CALLS_MAX).step_by(stride) {
        let mut life = Life::begin().await?;
        let fault = Fault { first, files: files(&life.host, names), ..fault.clone() };
        let injected = Injected::into(&life.host, &fault);
        life.go_on(ROUNDS).await?;
        if injected.count() == 0 {
            assert!(first > 1, "there is no such call");
            drop(injected);
            life.expect_no_failure().await?;
            println!("{fault}: {first} calls; {doubles} messages were kept though they were refused");
            return Ok(());
        }
        life.expect_end_of_writing().await?;
        drop(injected);
        // By force and in order, by turns.
        life.start_again((first as usize / stride).is_multiple_of(2)).await?;
        doubles += life.doubles().await?;
    }
    panic!("there is no end of calls")
}

#[tokio::test]
#[ignore = "it needs strace and root; CI runs it"]
async fn a_sync_fails_once() -> io::Result<()> {
    fail_each(SYNC_FAILS, &[], 1).await
}

#[tokio::test]
#[ignore = "it needs strace and root; CI runs it"]
async fn syncs_fail_from_now_on() -> io::Result<()> {
    fail_each(Fault { is_single: false, ..SYNC_FAILS }, &[], 1).await
}

#[tokio::test]
#[ignore = "it needs strace and root; CI runs it"]
async fn a_write_to_tables_or_journal_fails_once() -> io::Result<()> {
    fail_each(WRITE_FAILS, TABLES_AND_JOURNAL, 5).await
}

#[tokio::test]
#[ignore = "it needs strace and root; CI runs it"]
async fn there_is_no_room_for_tables_and_journal() -> io::Result<()> {
    fail_each(DISK_IS_FULL, TABLES_AND_JOURNAL, 5).await
}

/// A message whose file can't be written is refused, and no other.
#[tokio::test]
#[ignore = "it needs strace and root; CI runs it"]
async fn a_write_to_a_big_body_fails() -> io::Result<()> {
    for (fault, code) in [(WRITE_FAILS, "451 "), (DISK_IS_FULL, "452 ")] {
        for first in [1, 2] {
            let mut life = Life::begin().await?;
            let fault = Fault { first, files: files(&life.host, &["bodies/"]), ..fault.clone() };
            let injected = Injected::into(&life.host, &fault);
            life.send(SMALL_OCTETS).await?;
            while injected.count() == 0 {
                let reply = life.send(BIG_OCTETS).await?;
                assert!(reply.starts_with(if injected.count() == 0 { "250 " } else { code }), "{fault}: {reply}");
            }
            life.send(SMALL_OCTETS).await?;
            drop(injected);
            life.send(BIG_OCTETS).await?;
            life.expect_failure_of_big_ones().await?;
            life.start_again(true).await?;
            assert_eq!(life.doubles().await?, 0, "a message that could not be written whole");
        }
    }
    Ok(())
}

/// Nobody waits for it, so nobody hears of it; but it is the last that is written.
#[tokio::test]
#[ignore = "it needs strace and root; CI runs it"]
async fn the_log_can_not_be_moved_into_the_database() -> io::Result<()> {
    for fault in [SYNC_FAILS, WRITE_FAILS, DISK_IS_FULL] {
        let mut life = Life::begin().await?;
        let fault = Fault { files: files(&life.host, &["mail.db"]), ..fault };
        let injected = Injected::into(&life.host, &fault);
        for _ in 0..MANY {
            // The tables are told of mail when there is nothing better to do, but of a login at once, and then of both.
            life.send(SMALL_OCTETS).await?;
            life.log_in().await?;
            if injected.count() > 0 {
                break;
            }
        }
        assert!(injected.count() > 0, "{fault}: the log was not moved");
        life.expect_end_of_writing().await?;
        drop(injected);
        life.start_again(true).await?;
    }
    Ok(())
}
