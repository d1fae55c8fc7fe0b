//! A thousand clients at once.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, OnceLock};

use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::client::{Client, Mail};
use crate::host::{Host, raise_descriptor_limit};

const CLIENTS: usize = 1000;
/// Whom each writes to: the clients so many places further on.
const DISTANCES: [usize; 3] = [1, 2, 500];

/// How many say no more than hello, and what each of them may cost.
const IDLE_CLIENTS: usize = 4000;
const IDLE_OCTETS_MAX: u64 = 4 << 10;

const CONFIG: &str = "
[registration]
per_peer_per_hour = 100000
[limits]
connections_per_peer = 10000
";

/// What all clients share: a place to meet, and the addresses.
struct Meeting {
    barrier: Barrier,
    addresses: Vec<OnceLock<String>>,
}

impl Meeting {
    fn address(&self, index: usize) -> &str {
        self.addresses[index % CLIENTS].get().unwrap()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_gets_what_was_sent_to_it_and_nothing_else() -> io::Result<()> {
    raise_descriptor_limit();
    let host = Host::new(CONFIG);
    let addresses = (0..CLIENTS).map(|_| OnceLock::new()).collect();
    let meeting = Arc::new(Meeting { barrier: Barrier::new(CLIENTS), addresses });
    let mut clients = JoinSet::new();
    for index in 0..CLIENTS {
        clients.spawn(live(host.address().to_owned(), index, meeting.clone()));
    }
    while let Some(result) = clients.join_next().await {
        result.unwrap()?;
    }
    let addresses: HashSet<&str> = (0..CLIENTS).map(|index| meeting.address(index)).collect();
    assert_eq!(addresses.len(), CLIENTS);
    Ok(())
}

/// Registers, writes once everybody has an address, and reads once everybody has written: all on one connection.
async fn live(server: String, index: usize, meeting: Arc<Meeting>) -> io::Result<()> {
    let mut client = Client::registered(&server, "").await?;
    meeting.addresses[index].set(client.address.clone()).unwrap();
    meeting.barrier.wait().await;

    let to = DISTANCES.map(|distance| meeting.address(index + distance));
    assert_eq!(client.send(&to, &text(index)).await?, "250 OK");
    meeting.barrier.wait().await;

    let mut expected = DISTANCES.map(|distance| {
        let from = (index + CLIENTS - distance) % CLIENTS;
        Mail { from: meeting.address(from).to_owned(), to: client.address.clone(), text: text(from) }
    });
    let mut mails = client.retrieve().await?;
    mails.sort();
    expected.sort();
    assert_eq!(mails, expected);
    assert_eq!(client.retrieve().await?, []);
    client.quit().await
}

fn text(from: usize) -> Vec<u8> {
    format!("Client {from} writes.\r\n").into_bytes()
}

#[tokio::test]
async fn whoever_says_nothing_costs_little_memory() -> io::Result<()> {
    raise_descriptor_limit();
    let host = Host::new(CONFIG);
    let mut clients = Vec::new();
    let mut before = 0;
    for index in 0..IDLE_CLIENTS + 100 {
        if index == 100 {
            // What all of them share is there by now.
            before = host.peak_memory_kib();
        }
        let mut client = host.client().await?;
        client.expect("EHLO client.example", "250-mymailserver\n").await?;
        clients.push(client);
    }
    let octets = (host.peak_memory_kib() - before) * 1024 / IDLE_CLIENTS as u64;
    assert!(octets <= IDLE_OCTETS_MAX, "{octets} octets for each");
    Ok(())
}
