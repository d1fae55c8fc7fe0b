//! Every store that an earlier version has left is brought up to date, and all of it is there.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::{env, fs};

use proto::{Address, ReversePath};
use rusqlite::Connection;
use store::embedded::check::check;
use store::embedded::{Embedded, JOURNAL_OCTETS_MAX, restore};
use store::{
    Account, AccountId, Form, MaildropEntry, NewMessage, Quota, Recipient, RegistrationMode, Report, Store,
    StoredMessage, Timestamp, Token,
};
use tempfile::TempDir;

mod common;

use common::{NOW, address, body, contents, deliver, entries, later, noise, read, verifier};

/// Settings, quotas, tokens, and binary messages.
const STEP_OF_SETTINGS: usize = 3;
/// The journal.
const STEP_OF_JOURNAL: usize = 4;

const ALICE: AccountId = AccountId(1);
const BOB: AccountId = AccountId(2);
const SEVEN: AccountId = AccountId(3);

/// A message that every fixture has, from some step on.
struct Sent {
    number: i64,
    since: usize,
    from: &'static str,
    to: &'static [AccountId],
    bytes: Vec<u8>,
    form: Form,
}

/// All that are left; 4 has come and gone.
fn sent() -> Vec<Sent> {
    const TEXT: &[u8] = b"Subject: hello\r\n\r\nhello\r\n";
    let text = |number, since, from, to, bytes: &[u8]| Sent {
        number,
        since,
        from,
        to,
        bytes: bytes.to_vec(),
        form: Form::Text,
    };
    let mut sent = vec![
        text(1, 1, "", &[ALICE][..], b""),
        text(2, 1, "carol@example.net", &[ALICE], TEXT),
        text(3, 1, "jürgen@example.net", &[BOB], &noise(3, 900)),
        text(5, 1, "carol@example.net", &[ALICE], &noise(5, 700)),
        text(6, 1, "", &[BOB, ALICE, SEVEN], &noise(6, 300_000)),
        text(7, STEP_OF_SETTINGS, "bob@example.org", &[ALICE], TEXT),
        text(8, STEP_OF_SETTINGS, "", &[BOB], b"Subject: report\r\n\r\nabout 7\r\n"),
        text(9, STEP_OF_JOURNAL, "carol@example.net", &[ALICE, BOB], b"known to the journal alone\r\n"),
    ];
    sent[3].form = Form::Binary { carried_octets: 960 };
    sent
}

fn recipient(account: AccountId) -> Recipient {
    let text = ["alice+lists@example.org", "bob@example.org", "7@example.org", "8@example.org", "gone@example.org"];
    Recipient { account, address: address(text[usize::try_from(account.0).unwrap() - 1]) }
}

fn trace(number: i64, from: &str) -> String {
    format!(
        "Return-Path: <{from}>\r\nReceived: from client by mx.example.org\r\n\twith ESMTP id {number}; Fri, 15 Jan 2027 \
         08:00:0{number} +0000\r\n"
    )
}

fn message(number: i64, from: &str, to: &[AccountId], form: Form) -> NewMessage {
    NewMessage {
        reverse_path: reverse_path(from),
        recipients: to.iter().copied().map(recipient).collect(),
        trace: trace(number, from),
        received_at: later(number),
        form,
    }
}

fn reverse_path(from: &str) -> ReversePath {
    if from.is_empty() { ReversePath::Null } else { ReversePath::Address(from.parse().unwrap()) }
}

fn token() -> Token {
    Token { name: "friends".to_owned(), digest: [7; 32], made_at: later(10) }
}

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// How many steps this program knows.
fn steps() -> usize {
    let dir = TempDir::new().unwrap();
    drop(Embedded::open(dir.path()).unwrap());
    let database = Connection::open(dir.path().join("mail.db")).unwrap();
    database.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap()
}

/// Makes a copy of a fixture.
fn copy(step: usize, dir: &Path) {
    fs::create_dir(dir.join("bodies")).unwrap();
    fs::write(dir.join("bodies/1"), noise(6, 300_000)).unwrap();
    let tables = fs::read_to_string(fixtures().join(format!("{step}.sql"))).unwrap();
    Connection::open(dir.join("mail.db")).unwrap().execute_batch(&tables).unwrap();
    let journal = fixtures().join(format!("{step}/journal"));
    if step >= STEP_OF_JOURNAL {
        fs::create_dir(dir.join("journal")).unwrap();
        for segment in fs::read_dir(journal).unwrap().map(Result::unwrap) {
            fs::copy(segment.path(), dir.join("journal").join(segment.file_name())).unwrap();
        }
    } else {
        assert!(!journal.exists());
    }
}

#[test]
fn there_is_a_fixture_for_each_step() {
    for step in 1..=steps() {
        assert!(
            fixtures().join(format!("{step}.sql")).exists(),
            "{step} is missing: tests/fixtures/README.md says how to make it"
        );
    }
}

#[tokio::test]
async fn all_that_an_earlier_version_has_left_is_there() {
    for step in 1..=steps() {
        let dir = TempDir::new().unwrap();
        copy(step, dir.path());
        for _ in 0..2 {
            let store = Embedded::open(dir.path()).unwrap();
            look_at_accounts(&store, step).await;
            for account in [ALICE, BOB, SEVEN] {
                look_at_mail(&store, account, step).await;
            }
            drop(store);
            let report = check(dir.path(), false, &mut |_| ControlFlow::Continue(())).unwrap();
            assert!(report.is_well(), "{step} {report:?}");
        }
        go_on(dir.path(), step).await;
        let report = check(dir.path(), false, &mut |_| ControlFlow::Continue(())).unwrap();
        assert!(report.is_well(), "{step} {report:?}");
    }
}

#[tokio::test]
async fn a_backup_by_an_earlier_version_is_brought_back_and_up_to_date() {
    for step in 1..=steps() {
        let dir = TempDir::new().unwrap();
        let (backup, restored) = (dir.path().join("backup"), dir.path().join("restored"));
        fs::create_dir(&backup).unwrap();
        copy(step, &backup);
        if step >= STEP_OF_JOURNAL {
            // It has no end that its tables don't know.
            drop(Embedded::open(&backup).unwrap());
        }
        let before = common::traces(&backup);
        let report = restore(&backup, &restored, &mut |_| ControlFlow::Continue(())).unwrap();
        assert!(report.is_well(), "{step} {report:?}");
        assert!(common::traces(&backup) == before, "{step}");
        let store = Embedded::open(&restored).unwrap();
        look_at_accounts(&store, step).await;
        for account in [ALICE, BOB, SEVEN] {
            look_at_mail(&store, account, step).await;
        }
    }
}

async fn look_at_accounts(store: &Embedded, step: usize) {
    let has_settings = step >= STEP_OF_SETTINGS;
    let accounts = store.accounts(None, 10).await.unwrap();
    let there: Vec<_> = accounts.iter().map(|summary| (summary.account.clone(), summary.quota)).collect();
    let account = |id, text: &str, has_password: bool, used| Account {
        id: AccountId(id),
        address: text.parse::<Address>().unwrap(),
        verifier: has_password.then(|| verifier(u8::try_from(id).unwrap())),
        used_at: later(used),
    };
    let quota = if has_settings { Quota { octets: Some(5_000_000), messages: None } } else { Quota::default() };
    let expected = [
        (account(3, "7@example.org", true, 9), Quota::default()),
        (account(4, "8@example.org", false, 3), Quota::default()),
        (account(1, "Alice@example.org", true, 0), quota),
        (account(2, "bob@example.org", true, 1), Quota::default()),
    ];
    assert_eq!(there, expected, "{step}");
    for (account, held_until) in [("gone@example.org", 1_000_000), ("bob@example.org", 0), ("carol@example.org", 0)] {
        for time in [held_until - 1, held_until] {
            assert_eq!(store.is_held(&address(account), later(time)).await.unwrap(), time >= 0 && time < held_until);
        }
    }
    let (mode, tokens) = (store.registration_mode().await.unwrap(), store.tokens().await.unwrap());
    if has_settings {
        assert_eq!((mode, tokens), (RegistrationMode::ByToken, vec![token()]));
        assert_eq!(store.keep_secret(&[8; 32]).await.unwrap(), [9; 32]);
    } else {
        assert_eq!((mode, tokens), (RegistrationMode::Configured, Vec::new()));
    }
}

async fn look_at_mail(store: &Embedded, account: AccountId, step: usize) {
    let maildrop = store.maildrop(account).await.unwrap().entries;
    let expected: Vec<Sent> =
        sent().into_iter().filter(|sent| sent.since <= step && sent.to.contains(&account)).collect();
    assert_eq!(maildrop.len(), expected.len(), "{step} {account:?}");
    for (entry, Sent { number, from, bytes, form, .. }) in maildrop.iter().zip(&expected) {
        let trace = trace(*number, from);
        let form = if step >= STEP_OF_SETTINGS { *form } else { Form::Text };
        let (octets, trace_octets) = (bytes.len() as u64, trace.len() as u64);
        let MaildropEntry { id, .. } = *entry;
        assert_eq!(*entry, MaildropEntry { id, octets, trace_octets, received_at: later(*number), form });
        assert_eq!(id.0, *number);
        let (stored, reader) = store.open(account, id).await.unwrap().unwrap();
        let reverse_path = reverse_path(from);
        assert_eq!(stored, StoredMessage { reverse_path, recipient: recipient(account).address, trace, octets, form });
        assert!(common::read_all(reader).await == *bytes, "{step} {account:?} {number}");
    }
    let summary = store.summary(account).await.unwrap().unwrap();
    let octets: usize = expected.iter().map(|sent| sent.bytes.len()).sum();
    assert_eq!((summary.messages, summary.octets), (expected.len() as u64, octets as u64));
}

/// Delivers and flushes, and looks at it after the next opening.
async fn go_on(dir: &Path, step: usize) {
    let store = Embedded::open(dir).unwrap();
    let before = entries(&store, BOB).await;
    let new = [b"new".to_vec(), noise(10, JOURNAL_OCTETS_MAX + 1)];
    for bytes in &new {
        let number = deliver(&store, &[ALICE, BOB], bytes).await.message.0;
        assert!(number > before.last().unwrap().0, "{step}");
    }
    store.flush(BOB, &before).await.unwrap();
    store.end_account(SEVEN, later(60)).await.unwrap();
    drop(store);
    let store = Embedded::open(dir).unwrap();
    assert!(contents(&store, BOB).await == new, "{step}");
    // The big one that three of them had is alice's alone now.
    let big = read(&store, ALICE, store::EntryId(6)).await.unwrap();
    assert!(big == noise(6, 300_000), "{step}");
    store.flush(ALICE, &entries(&store, ALICE).await).await.unwrap();
    store.touch(&[], Timestamp(NOW.0)).await.unwrap();
    assert!(!dir.join("bodies/1").exists(), "{step}");
}

#[test]
fn what_the_journal_alone_knows_is_no_damage() {
    let dir = TempDir::new().unwrap();
    copy(STEP_OF_JOURNAL, dir.path());
    if steps() == STEP_OF_JOURNAL {
        let report = check(dir.path(), false, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!((report.is_well(), report.messages, report.in_journal), (true, 7, 1), "{report:?}");
    } else {
        check(dir.path(), false, &mut |_| ControlFlow::Continue(())).unwrap_err();
    }
}

#[tokio::test]
#[ignore = "it writes a fixture: tests/fixtures/README.md"]
async fn write_a_fixture() {
    let dir = PathBuf::from(env::var("FIXTURE").unwrap());
    let store = Embedded::open(&dir).unwrap();
    for (number, text, has_password) in [
        (0, "Alice@example.org", true),
        (1, "bob@example.org", true),
        (2, "7@example.org", true),
        (3, "8@example.org", false),
        (4, "gone@example.org", true),
    ] {
        let verifier = has_password.then(|| verifier(number + 1));
        store.register(&address(text), verifier.as_ref(), later(i64::from(number))).await.unwrap();
    }
    let gone = AccountId(5);
    for Sent { number, from, to, bytes, form, .. } in sent() {
        let mut to = to.to_vec();
        match number {
            2 => to.push(BOB),
            5 => {
                let flushed = message(4, "carol@example.net", &[BOB, gone], Form::Text);
                store.deliver(flushed, body(&store, b"flushed\r\n").await, Vec::new()).await.unwrap();
                let of_bob = entries(&store, BOB).await;
                store.flush(BOB, &[of_bob[0], of_bob[2]]).await.unwrap();
                store.end_account(gone, later(1_000_000)).await.unwrap();
            }
            _ => {}
        }
        let reports = match sent().into_iter().find(|report| number == 7 && report.number == 8) {
            Some(Sent { number, from, to, bytes, form, .. }) => {
                vec![Report { message: message(number, from, to, form), text: bytes }]
            }
            None => Vec::new(),
        };
        if number != 8 {
            store.deliver(message(number, from, &to, form), body(&store, &bytes).await, reports).await.unwrap();
        }
    }
    store.touch(&[SEVEN], later(9)).await.unwrap();
    store.set_quota(ALICE, Quota { octets: Some(5_000_000), messages: None }).await.unwrap();
    store.set_registration_mode(RegistrationMode::ByToken).await.unwrap();
    assert!(store.add_token(&token()).await.unwrap());
    store.keep_secret(&[9; 32]).await.unwrap();
    drop(store);
    // What it has written is what the test wants.
    let store = Embedded::open(&dir).unwrap();
    look_at_accounts(&store, usize::MAX).await;
    for account in [ALICE, BOB, SEVEN] {
        look_at_mail(&store, account, usize::MAX).await;
    }
}
