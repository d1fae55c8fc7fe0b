//! `mymail backup` of a server under load, and `mymail restore`: what clients were told before the backup began is true in it.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::io::{self, BufRead, BufReader, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, MutexGuard};
use std::{fs, str};

use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, block_in_place};

use crate::client::{Client, Mail, is_wrong_reply};
use crate::common::Server;
use crate::host::Host;
use crate::noise::{message, noise, seed_of};
use crate::until::until;

/// Exit codes, as docs/interface.md promises them.
const DONE: i32 = 0;
const DATA: i32 = 65;
const CANT_CREATE: i32 = 73;
const CONFIG: i32 = 78;

const BACKUPS: u64 = 3;
const SENDERS: u64 = 4;
/// So many messages are accepted before each backup.
const ACCEPTED: usize = 60;
/// One message in so many has its bytes in a file of its own.
const BIG_ONE_IN: u64 = 16;

const READ: &str = "read@mymailserver";
const KEPT: &str = "kept@mymailserver";

/// What clients have been told.
#[derive(Clone, Default)]
struct Told {
    accepted: HashSet<u64>,
    /// Read by a reader who may have said so.
    confirming: HashSet<u64>,
    /// Read by a reader whose saying so was answered.
    confirmed: HashSet<u64>,
}

#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Told>>);

impl Notes {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_under_load_has_what_clients_were_told() -> io::Result<()> {
    let mut host = Host::new("registration.per_peer_per_hour = 100000");
    let mut passwords = HashMap::new();
    for address in [READ, KEPT] {
        let mut client = host.registered(address.split('@').next().unwrap()).await?;
        passwords.insert(address, client.password().await?);
    }
    let notes = Notes::default();
    let (accepted, mut acceptances) = mpsc::unbounded_channel();
    let mut clients = JoinSet::new();
    for sender in 0..SENDERS {
        let client = host.registered("").await?;
        clients.spawn(send(client, (sender..).step_by(SENDERS as usize), notes.clone(), accepted.clone()));
    }
    clients.spawn(read(host.logged_in(READ, &passwords[READ]).await?, notes.clone()));

    let mut backups = Vec::new();
    for number in 0..BACKUPS {
        for _ in 0..ACCEPTED {
            acceptances.recv().await.unwrap();
        }
        let folder = format!("backup-{number}");
        let before = notes.told().clone();
        let outcome = block_in_place(|| host.run(&["backup", &folder, "--data", "data"]));
        assert_eq!((outcome.code, outcome.stderr.as_str()), (DONE, ""), "{outcome:?}");
        assert!(outcome.stdout.starts_with("backed up 7 accounts, "), "{outcome:?}");
        backups.push((folder, before, notes.told().clone()));
    }
    host.kill();
    while let Some(result) = clients.join_next().await {
        // A client that found something wrong has panicked, or heard it; the others have lost their connection.
        let Err(error) = result.unwrap();
        assert!(!is_wrong_reply(&error), "{error}");
    }
    assert!(!notes.told().confirmed.is_empty(), "the reader never got as far as to confirm");

    for (folder, before, after) in backups {
        let outcome = host.run(&["restore", &folder, "--data", "restored"]);
        assert_eq!((outcome.code, outcome.stderr.as_str()), (DONE, ""), "{outcome:?}");
        assert_eq!(fs::read(host.path("data/tls/key.pem"))?, fs::read(host.path("restored/tls/key.pem"))?);
        compare(&host, &passwords, &before, &after).await?;
        fs::remove_dir_all(host.path("restored"))?;
    }
    Ok(())
}

/// Sends messages to both mailboxes.
async fn send(
    mut client: Client,
    seeds: impl Iterator<Item = u64>,
    notes: Notes,
    accepted: mpsc::UnboundedSender<()>,
) -> io::Result<Infallible> {
    for seed in seeds {
        assert_eq!(client.send(&[READ, KEPT], &content(seed)).await?, "250 OK");
        notes.told().accepted.insert(seed);
        accepted.send(()).ok();
    }
    unreachable!("there is no end of seeds")
}

/// Reads one mailbox as mail comes in.
async fn read(mut client: Client, notes: Notes) -> io::Result<Infallible> {
    loop {
        client.write("XRETRIEVE WAIT=60").await?;
        let seeds = seeds(client.maildrop().await?.iter().map(|mail: &Mail| mail.text.as_slice()));
        notes.told().confirming.extend(&seeds);
        client.expect("NOOP", "250 OK").await?;
        notes.told().confirmed.extend(&seeds);
    }
}

/// Serves what was brought back, and looks whether both mailboxes are as they must be, by POP3 and by XRETRIEVE.
async fn compare(host: &Host, passwords: &HashMap<&str, String>, before: &Told, after: &Told) -> io::Result<()> {
    let listeners = ["--listen", "smtp=127.0.0.1:0", "--listen", "pop3=127.0.0.1:0"];
    let mut server = Server::start(host.command(&["serve", "--data", "restored"]).args(listeners));
    let pop3 = server.next_listener();
    let mut mailboxes = Vec::new();
    for address in [READ, KEPT] {
        let over_pop3 = block_in_place(|| retrieve(&pop3, address, &passwords[address]))?;
        let mut client = Client::logged_in(&server.address, address, &passwords[address]).await?;
        let mails = client.retrieve().await?;
        client.quit().await?;
        let seeds = seeds(mails.iter().map(|mail| mail.text.as_slice()));
        for (whole, mail) in over_pop3.iter().zip(&mails) {
            assert!(whole.ends_with(&mail.text) && whole.starts_with(b"Return-Path: <"), "POP3 has something else");
        }
        assert_eq!(over_pop3.len(), mails.len());
        mailboxes.push(seeds);
    }
    let [read, kept] = mailboxes.try_into().unwrap();
    assert!(before.accepted.is_subset(&kept), "what was accepted is not in the backup");
    assert!(read.is_subset(&kept), "a message is in one mailbox of two");
    assert!(read.is_disjoint(&before.confirmed), "what was confirmed is in the backup");
    assert!(kept.difference(&read).all(|seed| after.confirming.contains(seed)), "a message left by itself");
    Ok(())
}

/// All messages of a mailbox, which stay there.
fn retrieve(server: &str, address: &str, password: &str) -> io::Result<Vec<Vec<u8>>> {
    let mut stream = TcpStream::connect(server)?;
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = move || {
        let mut line = Vec::new();
        reader.read_until(b'\n', &mut line).map(|_| line)
    };
    let ok = |line: Vec<u8>| assert!(line.starts_with(b"+OK"), "{}", String::from_utf8_lossy(&line));
    ok(line()?);
    for command in [format!("USER {address}"), format!("PASS {password}")] {
        stream.write_all(format!("{command}\r\n").as_bytes())?;
        ok(line()?);
    }
    stream.write_all(b"STAT\r\n")?;
    let stat = String::from_utf8(line()?).unwrap();
    let count: usize = stat.split(' ').nth(1).unwrap().parse().unwrap();
    let mut messages = Vec::new();
    for number in 1..=count {
        stream.write_all(format!("RETR {number}\r\n").as_bytes())?;
        ok(line()?);
        let mut message = Vec::new();
        loop {
            let line = line()?;
            match line.strip_prefix(b".") {
                Some(b"\r\n") => break,
                Some(stuffed) => message.extend(stuffed),
                None => message.extend(&line),
            }
        }
        messages.push(message);
    }
    stream.write_all(b"QUIT\r\n")?;
    ok(line()?);
    Ok(messages)
}

/// The seeds of messages, each of which must be whole.
fn seeds<'a>(texts: impl Iterator<Item = &'a [u8]>) -> HashSet<u64> {
    let mut seeds = HashSet::new();
    for text in texts {
        let seed = seed_of(text);
        assert!(text == content(seed), "message {seed} is torn");
        assert!(seeds.insert(seed), "message {seed} is there twice");
    }
    seeds
}

fn content(seed: u64) -> Vec<u8> {
    let octets = if seed.is_multiple_of(BIG_ONE_IN) { 270_000 } else { 3000 };
    message(seed, octets + (noise(seed) % 3000) as usize)
}

#[tokio::test]
async fn a_backup_is_made_with_a_server_and_without() -> io::Result<()> {
    let mut host = Host::new("");
    let mut alice = host.registered("alice").await?;
    alice.password().await?;
    assert_eq!(alice.send(&["alice@mymailserver"], b"hello\r\n").await?, "250 OK");
    let expected = |folder: &str, seconds: &Value| {
        json!({
            "folder": host.path(folder), "accounts": 2, "messages": 1, "octets": 7, "problems": 0, "seconds": seconds,
        })
    };
    let outcome = host.run(&["backup", "there", "--data", "data", "--json"]);
    let made: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(made, expected("there", &made["seconds"]));
    for told in ["the operator makes a backup", "the operator's backup has ended"] {
        until(told, async || Ok(host.log().contains(told))).await?;
    }

    // Who is told nothing goes away, and the socket is there for the next one.
    let mut socket = UnixStream::connect(host.path("data/admin"))?;
    socket.write_all(b"{\"back_up\":{\"folder\":\"relative\"}}\n")?;
    let mut answer = String::new();
    BufReader::new(socket).read_line(&mut answer)?;
    assert_eq!(answer, "{\"refused\":\"bad_request\"}\n");

    let outcome = host.run(&["backup", "there", "--data", "data"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (CANT_CREATE, ""), "{outcome:?}");
    assert!(outcome.stderr.contains("there is there already: name a folder"), "{outcome:?}");
    host.kill();
    let outcome = host.run(&["backup", "there", "--data", "data"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (CANT_CREATE, ""), "{outcome:?}");
    let expected = |folder: &str| format!("to {}\n", host.path(folder).display());
    let outcome = host.run(&["backup", "again", "--data", "data"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (DONE, ""), "{outcome:?}");
    assert!(outcome.stdout.starts_with("backed up 2 accounts, 1 message, 7 B in "), "{outcome:?}");
    assert!(outcome.stdout.ends_with(&expected("again")), "{outcome:?}");
    for folder in ["there", "again"] {
        let outcome = host.run(&["check", "--data", folder]);
        assert_eq!(outcome.stdout, "2 accounts, 1 message, 7 B: all is well\n");
    }

    let outcome = host.run(&["backup", "nothing", "--data", "nowhere"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (CONFIG, ""), "{outcome:?}");
    assert!(!host.path("nowhere").exists() && !host.path("nothing").exists());

    // A damaged store is backed up as it is, and says so.
    for segment in fs::read_dir(host.path("data/journal"))? {
        fs::write(segment?.path(), "")?;
    }
    let outcome = host.run(&["backup", "damaged", "--data", "data"]);
    assert_eq!(outcome.code, DATA, "{outcome:?}");
    assert!(outcome.stderr.contains("`mymail check --data "), "{outcome:?}");
    let outcome = host.run(&["restore", "damaged", "--data", "restored"]);
    assert_eq!(outcome.code, DATA, "{outcome:?}");
    assert!(outcome.stdout.starts_with("message 1 from <alice@mymailserver> "), "{outcome:?}");
    Ok(())
}

#[tokio::test]
async fn a_backup_is_brought_back_where_there_is_no_store() -> io::Result<()> {
    let host = Host::new("");
    assert_eq!(host.run(&["backup", "backup", "--data", "data"]).code, DONE);
    for (arguments, code, reason) in [
        (["restore", "backup", "--data", "data"], CANT_CREATE, "data is not empty: move it aside first"),
        (["restore", "nowhere", "--data", "new"], DATA, "cannot use nowhere: there is no store"),
        (["restore", "backup", "--data", "/proc/new"], CANT_CREATE, "/proc/new"),
    ] {
        let outcome = host.run(&arguments);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (code, ""), "{outcome:?}");
        assert!(outcome.stderr.contains(reason), "{outcome:?}");
    }
    let outcome = host.run(&["restore", "backup", "--data", "new", "--json"]);
    let restored: Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!((outcome.code, &restored["folder"], &restored["accounts"]), (DONE, &json!("new"), &json!(1)));
    assert_eq!(restored["findings"], json!([]));
    Ok(())
}
