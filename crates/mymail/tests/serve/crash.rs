//! Kills the server with clients at work, again and again, and looks what is left.
//!
//! Senders write to two mailboxes at once, a reader empties one of them, newcomers get accounts. Whatever was told to a client
//! before the kill must be true afterwards: accepted messages are there to the last byte, confirmed ones stay gone, accounts
//! with a password can log in. What was not told may have happened or not, but wholly.

use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};
use std::{io, mem};

use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::client::{Client, Mail, is_wrong_reply};
use crate::host::Host;
use crate::noise::{message, noise, seed_of};

const ROUNDS: u64 = 20;
const SENDERS: u64 = 4;
/// The server is killed after at most so many accepted messages.
const ACCEPTED_MAX: u64 = 100;
/// One message in so many has its bytes in a file of its own.
const BIG_ONE_IN: u64 = 8;

const READ: &str = "read@mymailserver";
const KEPT: &str = "kept@mymailserver";

/// An account's address, or its local part, and its password.
type Login = (String, String);

/// What clients have been told in one life of the server.
#[derive(Default)]
struct Told {
    accepted: HashSet<u64>,
    /// Read by a reader who may have said so.
    confirming: HashSet<u64>,
    /// Read by a reader whose saying so was answered.
    confirmed: HashSet<u64>,
    logins: Vec<Login>,
}

/// Written down by all clients.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Told>>);

impl Notes {
    fn told(&self) -> MutexGuard<'_, Told> {
        self.0.lock().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_clients_were_told_is_true_after_a_kill() -> io::Result<()> {
    let mut host = Host::new("registration.per_peer_per_hour = 100000");
    let mut logins = HashMap::new();
    for address in [READ, KEPT] {
        let mut client = host.registered(address.split('@').next().unwrap()).await?;
        logins.insert(address, client.password().await?);
    }
    let mut confirmed = 0;
    for round in 0..ROUNDS {
        let nameless = host.registered("").await?;
        let told = live_until_killed(&mut host, &logins, round).await?;
        host.start_again();
        compare(&host, &logins, &told, round).await?;
        confirmed += told.confirmed.len();
        for (address, password) in &told.logins {
            host.logged_in(address, password).await?.quit().await?;
        }
        let gone = host.logged_in(KEPT, &logins[KEPT]).await?.recipient(&nameless.address).await?;
        assert_eq!(gone, "550 No such user here");
    }
    assert!(confirmed > 0, "no reader ever got as far as to confirm");
    Ok(())
}

/// Lets clients work, and kills the server in the midst of it. What they had been told by then.
async fn live_until_killed(host: &mut Host, logins: &HashMap<&str, String>, round: u64) -> io::Result<Told> {
    let notes = Notes::default();
    let (accepted, mut acceptances) = mpsc::unbounded_channel();
    let mut clients = JoinSet::new();
    for sender in 0..SENDERS {
        let client = host.registered("").await?;
        let seeds = (0..).map(move |number| (round << 32) + number * SENDERS + sender);
        clients.spawn(send(client, seeds, notes.clone(), accepted.clone()));
    }
    clients.spawn(read(host.logged_in(READ, &logins[READ]).await?, notes.clone()));
    clients.spawn(join(host.address().to_owned(), round, notes.clone()));

    for _ in 0..=noise(round) % ACCEPTED_MAX {
        acceptances.recv().await.unwrap();
    }
    host.kill();
    while let Some(result) = clients.join_next().await {
        // A client that found something wrong has panicked, or heard it; the others have lost their connection.
        let Err(error) = result.unwrap();
        assert!(!is_wrong_reply(&error), "{error}");
    }
    Ok(mem::take(&mut notes.told()))
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
        accepted.send(()).unwrap();
    }
    unreachable!("there is no end of seeds")
}

/// Reads one mailbox as mail comes in.
async fn read(mut client: Client, notes: Notes) -> io::Result<Infallible> {
    loop {
        client.write("XRETRIEVE WAIT=60").await?;
        let seeds = seeds(&client.maildrop().await?);
        notes.told().confirming.extend(&seeds);
        client.expect("NOOP", "250 OK").await?;
        notes.told().confirmed.extend(&seeds);
    }
}

/// Registers one account after the other.
async fn join(server: String, round: u64, notes: Notes) -> io::Result<Infallible> {
    for number in 0.. {
        let name = if number % 2 == 0 { String::new() } else { format!("newcomer-{round}-{number}") };
        let mut client = Client::registered(&server, &name).await?;
        let password = client.password().await?;
        notes.told().logins.push((client.address.clone(), password));
    }
    unreachable!("there is no end of numbers")
}

/// Looks whether both mailboxes are as they must be, and empties them.
async fn compare(host: &Host, logins: &HashMap<&str, String>, told: &Told, round: u64) -> io::Result<()> {
    let read = empty(host, READ, &logins[READ]).await?;
    let kept = empty(host, KEPT, &logins[KEPT]).await?;
    for seed in &kept {
        assert_eq!(seed >> 32, round, "message {seed} was confirmed and is back");
    }
    for seed in &told.accepted {
        assert!(kept.contains(seed), "message {seed} was accepted and is lost");
        let may_be_gone = told.confirming.contains(seed);
        assert!(may_be_gone || read.contains(seed), "message {seed} was accepted and is lost");
    }
    assert!(read.is_disjoint(&told.confirmed), "a message was confirmed and is back");
    assert!(read.is_subset(&kept), "a message was delivered to one of two mailboxes");
    assert!(kept.difference(&read).all(|seed| told.confirming.contains(seed)), "a message left by itself");
    Ok(())
}

async fn empty(host: &Host, address: &str, password: &str) -> io::Result<HashSet<u64>> {
    let mut client = host.logged_in(address, password).await?;
    let seeds = seeds(&client.retrieve().await?);
    client.quit().await?;
    Ok(seeds)
}

/// The seeds of messages, each of which must be whole.
fn seeds(mails: &[Mail]) -> HashSet<u64> {
    let mut seeds = HashSet::new();
    for mail in mails {
        let seed = seed_of(&mail.text);
        assert!(mail.text == content(seed), "message {seed} is torn");
        assert!(seeds.insert(seed), "message {seed} is there twice");
    }
    seeds
}

fn content(seed: u64) -> Vec<u8> {
    let octets = if seed.is_multiple_of(BIG_ONE_IN) { 70_000 } else { 3000 };
    message(seed, octets + (noise(seed) % 3000) as usize)
}
