//! Checking a store, and mending it: damage of each kind is made by hand.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::fs::{self, File, Permissions};
use std::ops::ControlFlow;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::PathBuf;

use proto::ReversePath;
use rusqlite::Connection;
use store::embedded::check::{CheckError, Damage, Problem, Report, check};
use store::embedded::{Embedded, JOURNAL_OCTETS_MAX, OpenError};
use store::{AccountId, NewMessage, Progress, Store};
use tempfile::TempDir;

mod common;

use common::{body, contents, deliver, entries, later, message, noise, register, traces};

const ALICE: &str = "alice@example.org";
const BOB: &str = "bob@example.org";
const BIG: usize = JOURNAL_OCTETS_MAX + 1;

/// A store with two accounts: alice has messages 1, 2 and 4, bob 2 and 3; 4 is big, 1 to 3 are in the first segment.
struct World {
    _home: TempDir,
    dir: PathBuf,
    alice: AccountId,
    bob: AccountId,
}

impl World {
    async fn new() -> Self {
        let home = TempDir::new().unwrap();
        let dir = home.path().join("store");
        let store = Embedded::open(&dir).unwrap();
        let (alice, bob) = (register(&store, ALICE).await, register(&store, BOB).await);
        let ended = register(&store, "ended@example.org").await;
        store.end_account(ended, later(60)).await.unwrap();
        let from_carol = NewMessage {
            reverse_path: ReversePath::Address("carol@example.net".parse().unwrap()),
            ..message(&[alice])
        };
        store.deliver(from_carol, body(&store, b"first").await, Vec::new()).await.unwrap();
        deliver(&store, &[alice, bob], b"second").await;
        deliver(&store, &[bob], b"third").await;
        deliver(&store, &[alice], &noise(4, BIG)).await;
        Self { _home: home, dir, alice, bob }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    fn check(&self, mend: bool) -> Report {
        check(&self.dir, mend, &mut |_| ControlFlow::Continue(())).unwrap()
    }

    fn change(&self, sql: &str) {
        Connection::open(self.path("mail.db")).unwrap().execute_batch(sql).unwrap();
    }

    fn change_file(&self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = fs::read(self.path(name)).unwrap();
        change(&mut bytes);
        fs::write(self.path(name), bytes).unwrap();
    }

    /// What each of both can read.
    async fn mail(&self) -> [Vec<Vec<u8>>; 2] {
        let store = Embedded::open(&self.dir).unwrap();
        let mail = [contents(&store, self.alice).await, contents(&store, self.bob).await];
        for (account, mail) in [self.alice, self.bob].into_iter().zip(&mail) {
            let summary = store.summary(account).await.unwrap().unwrap();
            let octets: usize = mail.iter().map(Vec::len).sum();
            assert_eq!((summary.messages, summary.octets), (mail.len() as u64, octets as u64));
        }
        mail
    }
}

/// What is wrong, in words, and whether it was mended.
fn findings(report: &Report) -> Vec<(String, bool)> {
    report.findings.iter().map(|finding| (finding.problem.to_string(), finding.mended)).collect()
}

#[tokio::test]
async fn a_store_that_is_well_is_left_as_it_is() {
    let world = World::new().await;
    let before = traces(&world.dir);
    let mut told = Vec::new();
    let report = check(&world.dir, false, &mut |progress| {
        told.push(progress);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert!(traces(&world.dir) == before);
    let octets = 16 + BIG as u64;
    let well = Report { accounts: 2, messages: 4, octets, ..Report::default() };
    assert_eq!(report, well);
    assert_eq!(told.last(), Some(&Progress { octets, octets_total: octets }));
    assert!(told.is_sorted_by_key(|progress| progress.octets));
    assert_eq!(world.check(true), well);
    assert_eq!(
        world.mail().await,
        [vec![b"first".to_vec(), b"second".to_vec(), noise(4, BIG)], vec![b"second".to_vec(), b"third".to_vec()]]
    );
}

#[tokio::test]
async fn what_a_crash_leaves_is_well_and_is_left_as_it_is() {
    let world = World::new().await;
    let store = Embedded::open(&world.dir).unwrap();
    store.touch(&[world.bob], later(1)).await.unwrap();
    let tables = ["mail.db", "mail.db-wal"].map(|name| (name, fs::read(world.path(name)).unwrap()));
    deliver(&store, &[world.alice, world.bob], b"fifth").await;
    deliver(&store, &[world.alice], &noise(6, BIG)).await;
    let segment = fs::read(world.path("journal/2")).unwrap();
    drop(store);
    for (name, bytes) in tables {
        fs::write(world.path(name), bytes).unwrap();
    }
    fs::write(world.path("journal/2"), segment).unwrap();
    // So were these: a body that was not finished, and a segment that has no record yet.
    fs::write(world.path("bodies/77"), "unfinished").unwrap();
    fs::write(world.path("journal/78"), vec![0; 4096]).unwrap();
    for name in ["mail.db", "mail.db-wal", "bodies/77", "journal/78"] {
        fs::set_permissions(world.path(name), Permissions::from_mode(0o600)).unwrap();
    }

    let before = traces(&world.dir);
    for _ in 0..2 {
        let report = world.check(false);
        assert!(traces(&world.dir) == before);
        assert!(report.is_well() && report.is_mended(), "{report:?}");
        assert_eq!((report.messages, report.in_journal), (4, 2));
        assert_eq!((report.left_over.count, report.left_over_octets), (2, 4106));
        assert_eq!((report.unknown.count, report.exposed.count), (0, 0), "{report:?}");
    }
    // Mending deletes what is of no use, and nothing else.
    let report = world.check(true);
    assert_eq!((report.is_well(), report.in_journal, report.left_over.count), (true, 2, 0));
    assert!(!world.path("bodies/77").exists() && !world.path("journal/78").exists());
    let [alice, bob] = world.mail().await;
    assert_eq!((alice.len(), bob.len()), (5, 3));
    assert!(alice[3] == b"fifth" && alice[4] == noise(6, BIG));
}

#[tokio::test]
async fn tables_that_disagree_are_found_and_mended() {
    let alice = "alice@example.org counts";
    for (damage, problems) in [
        (
            "INSERT INTO entry VALUES (1, 99, 'alice@example.org', 0, NULL, 0, 0)",
            &[
                "the mailbox of account 1 names message 99, which is not there".to_owned(),
                format!("{alice} 262156 octets in 3 messages and has 262156 in 4"),
            ][..],
        ),
        (
            "INSERT INTO entry SELECT 3, message, recipient, octets, NULL, trace_octets, received_at FROM entry
             WHERE account = 1 AND message = 1;
             UPDATE message SET mailboxes = 2 WHERE id = 1; UPDATE account SET octets = 5, messages = 1 WHERE id = 3",
            &["message 1 is in the mailbox of account 3, which is not there".to_owned()],
        ),
        (
            "INSERT INTO entry SELECT 98, message, recipient, octets, NULL, trace_octets, received_at FROM entry
             WHERE account = 1 AND message = 1; UPDATE message SET mailboxes = 2 WHERE id = 1",
            &["message 1 is in the mailbox of account 98, which is not there".to_owned()],
        ),
        (
            "UPDATE entry SET octets = 6 WHERE account = 1 AND message = 1; UPDATE account SET octets = octets + 1 WHERE id = 1",
            &["the mailbox of account 1 says other things of message 1 than the message does".to_owned()],
        ),
        (
            "UPDATE entry SET trace_octets = 1 WHERE account = 1 AND message = 1;
             UPDATE entry SET received_at = 1 WHERE account = 1 AND message = 2;
             UPDATE entry SET carried_octets = 1 WHERE account = 2 AND message = 2",
            &[
                "the mailbox of account 1 says other things of message 1 than the message does".to_owned(),
                "the mailbox of account 1 says other things of message 2 than the message does".to_owned(),
                "the mailbox of account 2 says other things of message 2 than the message does".to_owned(),
            ],
        ),
        (
            "UPDATE entry SET recipient = 'nobody' WHERE account = 2 AND message = 2",
            &["the mailbox of account 2 has message 2 under an address that cannot be understood".to_owned()],
        ),
        ("UPDATE message SET mailboxes = 1 WHERE id = 2", &["message 2 counts 1 mailboxes and is in 2".to_owned()]),
        (
            "UPDATE account SET octets = 7, messages = 8 WHERE id = 1",
            &[format!("{alice} 7 octets in 8 messages and has 262156 in 3")],
        ),
        ("UPDATE segment SET live = 0", &["segment 1 of the journal counts 0 octets in use and has 1552".to_owned()]),
        (
            "DELETE FROM segment",
            &["segment 1 of the journal has bytes of messages and is not in the tables".to_owned()],
        ),
        (
            "UPDATE position SET next_message = 4",
            &["the next message would be 4, and there is one of number 4".to_owned()],
        ),
    ] {
        let world = World::new().await;
        let mail = world.mail().await;
        world.change(damage);
        let report = world.check(false);
        assert!(!report.is_well() && !report.is_mended(), "{damage}");
        let found = findings(&report);
        assert_eq!(found, problems.iter().map(|problem| (problem.clone(), false)).collect::<Vec<_>>(), "{damage}");

        let report = world.check(true);
        assert!(!report.is_well() && report.is_mended(), "{damage} {report:?}");
        assert_eq!(findings(&report), problems.iter().map(|problem| (problem.clone(), true)).collect::<Vec<_>>());
        assert_eq!(world.check(false).findings, [], "{damage}");
        assert!(world.mail().await == mail, "{damage}");
        assert!(!world.path("lost").exists(), "{damage}");
        let store = Embedded::open(&world.dir).unwrap();
        assert!(deliver(&store, &[world.alice], b"more").await.message.0 >= 5);
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_saved_before_it_leaves_its_mailboxes() {
    type Case = (fn(&World), &'static [(i64, Damage, &'static [u8])]);
    let damages: [Case; 8] = [
        (|world| world.change_file("journal/1", |bytes| *at(bytes, b"second") ^= 1), &[(2, Damage::Bytes, b"recond")]),
        (
            |world| {
                world.change_file("journal/1", |bytes| {
                    let end = position(bytes, b"third") + 2;
                    bytes.truncate(end);
                });
            },
            &[(3, Damage::Length, b"th")],
        ),
        (
            |world| fs::remove_file(world.path("journal/1")).unwrap(),
            &[(1, Damage::Missing, b""), (2, Damage::Missing, b""), (3, Damage::Missing, b"")],
        ),
        (|world| fs::remove_file(world.path("bodies/1")).unwrap(), &[(4, Damage::Missing, b"")]),
        (|world| world.change_file("bodies/1", |bytes| bytes.truncate(3)), &[(4, Damage::Length, &[0; 3])]),
        (|world| world.change_file("bodies/1", |bytes| bytes.push(7)), &[(4, Damage::Length, &[0; BIG + 1])]),
        (|world| world.change_file("bodies/1", |bytes| bytes[BIG / 2] ^= 1), &[(4, Damage::Bytes, &[0; BIG])]),
        (|world| world.change("UPDATE message SET reverse_path = 'x' WHERE id = 1"), &[(1, Damage::Sender, b"first")]),
    ];
    for (damage, expected) in damages {
        let world = World::new().await;
        let [mut alice, mut bob] = world.mail().await;
        damage(&world);
        let lost = |report: &Report| -> Vec<_> {
            let lost = report.findings.iter().map(|finding| match &finding.problem {
                Problem::LostMessage(lost) => (lost.clone(), finding.mended),
                other => panic!("{other}"),
            });
            lost.collect()
        };
        let before = lost(&world.check(false));
        let damages: Vec<_> =
            before.iter().map(|(lost, mended)| (lost.message, lost.damage.clone(), *mended)).collect();
        assert_eq!(damages, expected.iter().map(|(id, damage, _)| (*id, damage.clone(), false)).collect::<Vec<_>>());

        let report = world.check(true);
        assert!(report.is_mended(), "{report:?}");
        let after = lost(&report);
        assert_eq!(after.len(), expected.len());
        for ((lost, _), (id, damage, left)) in after.iter().zip(expected) {
            assert_eq!((&lost.message, &lost.damage), (id, damage));
            let name = lost.saved_to.as_deref().unwrap();
            assert_eq!(name, format!("lost/{id}-{}", common::NOW.0));
            assert_eq!(fs::metadata(world.path(name)).unwrap().mode() & 0o777, 0o600);
            let saved = fs::read(world.path(name)).unwrap();
            let head_octets = position(&saved, b"Received: by test\r\n") + "Received: by test\r\n".len();
            let head = str::from_utf8(&saved[..head_octets]).unwrap();
            assert!(head.starts_with(&format!("X-Mymail-Lost: message {id} from ")), "{head}");
            let to: &[&str] = [&[ALICE][..], &[ALICE, BOB], &[BOB], &[ALICE]][*id as usize - 1];
            assert!(head.contains(&format!(" to {}, received 2027-01-15T08:00:00Z, ", to.join(", "))), "{head}");
            assert_eq!(saved.len() - head_octets, left.len());
            assert!(*id == 4 || saved[head_octets..] == **left);
            // Nobody else loses anything.
            alice.retain(|bytes| bytes != [&b"first"[..], b"second", b"third", &noise(4, BIG)][*id as usize - 1]);
            bob.retain(|bytes| bytes != [&b"first"[..], b"second", b"third", &[]][*id as usize - 1]);
        }
        assert_eq!(world.check(false).findings, []);
        assert!(world.mail().await == [alice, bob]);
    }
}

fn position(bytes: &[u8], text: &[u8]) -> usize {
    bytes.windows(text.len()).position(|part| part == text).unwrap()
}

fn at<'a>(bytes: &'a mut [u8], text: &[u8]) -> &'a mut u8 {
    let position = position(bytes, text);
    &mut bytes[position]
}

#[tokio::test]
async fn a_message_that_is_in_no_mailbox_is_saved() {
    for damage in [
        "DELETE FROM entry WHERE message = 1; UPDATE account SET octets = octets - 5, messages = messages - 1 WHERE id = 1",
        // Nobody's, as it turns out while it is mended.
        "UPDATE entry SET account = 99 WHERE message = 1; UPDATE account SET octets = octets - 5, messages = messages - 1 WHERE id = 1",
    ] {
        let world = World::new().await;
        world.change(damage);
        let report = world.check(true);
        let saved = report.findings.iter().find_map(|finding| match &finding.problem {
            Problem::LostMessage(lost) => Some(lost),
            _ => None,
        });
        let saved = saved.unwrap();
        assert_eq!((saved.message, &saved.damage, report.is_mended()), (1, &Damage::NoMailbox, true));
        assert!(fs::read(world.path(saved.saved_to.as_deref().unwrap())).unwrap().ends_with(b"\r\nfirst"));
        assert_eq!(world.check(false).findings, []);
        assert_eq!(world.mail().await[0].len(), 2);
    }
}

#[tokio::test]
async fn an_account_that_nobody_can_make_sense_of_is_left() {
    for (damage, problem) in [
        ("UPDATE account SET address = 'bob' WHERE id = 2", "account 2: its address cannot be understood"),
        ("UPDATE account SET verifier = 'x' WHERE id = 2", "account 2: its password cannot be understood"),
    ] {
        let world = World::new().await;
        world.change(damage);
        let report = world.check(true);
        assert_eq!(findings(&report), [(problem.to_owned(), false)]);
        assert!(!report.is_mended());
    }
}

#[tokio::test]
async fn an_index_that_is_damaged_is_made_anew() {
    let world = World::new().await;
    // While SQLite does not know of the index it is not kept up to date.
    let (root, sql) = {
        let database = Connection::open(world.path("mail.db")).unwrap();
        let find = "SELECT rootpage, sql FROM sqlite_schema WHERE name = 'account_unclaimed'";
        database.query_row(find, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))).unwrap()
    };
    world.change("PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'account_unclaimed'");
    world.change("UPDATE account SET verifier = NULL WHERE id = 2");
    world.change(&format!(
        "PRAGMA writable_schema = ON;
         INSERT INTO sqlite_schema VALUES ('index', 'account_unclaimed', 'account', {root}, '{sql}')"
    ));
    let found = findings(&world.check(false));
    assert!(found[0].0.contains("missing from index account_unclaimed") && !found[0].1, "{found:?}");
    let report = world.check(true);
    assert!(report.is_mended() && findings(&report).len() == found.len(), "{report:?}");
    assert_eq!(world.check(false).findings, []);
}

#[tokio::test]
async fn what_cannot_be_checked_is_said() {
    let world = World::new().await;
    let failed = |mend| check(&world.dir, mend, &mut |_| ControlFlow::Continue(())).unwrap_err();
    let whole = fs::read(world.path("mail.db")).unwrap();

    let store = Embedded::open(&world.dir).unwrap();
    for mend in [false, true] {
        assert!(matches!(failed(mend), CheckError::Open(OpenError::InUse)));
    }
    drop(store);

    for mend in [false, true] {
        // Its root pages are gone.
        world.change_file("mail.db", |bytes| bytes[4096..].fill(0xee));
        assert!(matches!(failed(mend), CheckError::Damaged(_)));
        fs::write(world.path("mail.db"), &whole).unwrap();
        world.change_file("mail.db", |bytes| bytes[..4096].fill(0xee));
        assert!(matches!(failed(mend), CheckError::NotOurs));
        File::create(world.path("mail.db")).unwrap();
        assert!(matches!(failed(mend), CheckError::NoTables));
        fs::remove_file(world.path("mail.db")).unwrap();
        assert!(matches!(failed(mend), CheckError::NoTables));
        assert!(!world.path("mail.db").exists());
        fs::write(world.path("mail.db"), &whole).unwrap();
        world.change("PRAGMA user_version = 99");
        assert!(matches!(failed(mend), CheckError::Open(OpenError::Newer { found: 99, .. })));
        fs::write(world.path("mail.db"), &whole).unwrap();
    }
    world.change("PRAGMA user_version = 1");
    assert!(matches!(failed(false), CheckError::Older { found: 1, .. }));

    let nothing = TempDir::new().unwrap();
    for mend in [false, true] {
        assert!(matches!(check(nothing.path(), mend, &mut |_| ControlFlow::Continue(())), Err(CheckError::NoStore)));
        let nowhere = nothing.path().join("nowhere");
        assert!(matches!(check(&nowhere, mend, &mut |_| ControlFlow::Continue(())), Err(CheckError::NoStore)));
    }
    assert_eq!(fs::read_dir(nothing.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn what_is_not_of_the_store_or_open_to_others_is_mentioned() {
    let world = World::new().await;
    let make = |name: &str, mode| {
        fs::create_dir_all(world.path(name).parent().unwrap()).unwrap();
        fs::write(world.path(name), "").unwrap();
        fs::set_permissions(world.path(name), Permissions::from_mode(mode)).unwrap();
    };
    make("notes.txt", 0o600);
    make("bodies/core", 0o600);
    make("tls/certificate.pem", 0o644);
    make("tls/key.pem", 0o640);
    for (name, mode) in [("tls", 0o700), ("journal", 0o755), ("mail.db", 0o604)] {
        fs::set_permissions(world.path(name), Permissions::from_mode(mode)).unwrap();
    }
    for mend in [false, true] {
        let mut report = world.check(mend);
        report.unknown.first.sort();
        report.exposed.first.sort();
        assert!(report.is_well());
        assert_eq!(report.unknown.first, ["bodies/core", "notes.txt"]);
        assert_eq!(report.exposed.first, ["journal (mode 755)", "mail.db (mode 604)", "tls/key.pem (mode 640)"]);
    }
    assert_eq!(entries(&Embedded::open(&world.dir).unwrap(), world.alice).await.len(), 3);
}
