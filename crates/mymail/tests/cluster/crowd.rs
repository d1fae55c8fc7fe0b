//! Three nodes and a thousand clients.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, OnceLock};

use testkit::client::{Client, Mail};
use testkit::postgres::Cluster;
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::load::without_trace;
use crate::node::{LONG, Node, raise_descriptor_limit};
use crate::pop3::Pop3;

const NODES: usize = 3;
const CLIENTS: usize = 1000;
/// Whom each writes to: the clients so many places further on, two of them at other nodes and one at the same.
const DISTANCES: [usize; 3] = [1, 2, 501];

/// What all clients share: the nodes, a place to meet, and the addresses.
struct Meeting {
    smtp: Vec<String>,
    pop3: Vec<String>,
    barrier: Barrier,
    addresses: Vec<OnceLock<String>>,
}

/// What a client does with its account.
#[derive(Debug, Clone, Copy)]
enum Kind {
    /// Stays on its connection.
    Settled,
    /// Has a password, and goes to another node to send and to a third one to read, by XRETRIEVE.
    Traveller,
    /// The same, by POP3.
    Popper,
}

impl Kind {
    fn of(index: usize) -> Self {
        match index % 8 {
            0 | 3 => Self::Traveller,
            6 => Self::Popper,
            _ => Self::Settled,
        }
    }
}

impl Meeting {
    fn address(&self, index: usize) -> &str {
        self.addresses[index % CLIENTS].get().unwrap()
    }

    fn smtp(&self, node: usize) -> &str {
        &self.smtp[node % NODES]
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it needs PostgreSQL; CI runs it"]
async fn each_gets_what_was_sent_to_it_and_nothing_else_wherever_it_is() -> io::Result<()> {
    raise_descriptor_limit();
    let cluster = Cluster::start();
    let nodes = Node::start_all(NODES, &cluster.fresh_database(), LONG);
    let meeting = Arc::new(Meeting {
        smtp: nodes.iter().map(|node| node.smtp.clone()).collect(),
        pop3: nodes.iter().map(|node| node.pop3.clone()).collect(),
        barrier: Barrier::new(CLIENTS),
        addresses: (0..CLIENTS).map(|_| OnceLock::new()).collect(),
    });
    let mut clients = JoinSet::new();
    for index in 0..CLIENTS {
        clients.spawn(live(index, meeting.clone()));
    }
    while let Some(result) = clients.join_next().await {
        result.unwrap()?;
    }
    let addresses: HashSet<&str> = (0..CLIENTS).map(|index| meeting.address(index)).collect();
    assert_eq!(addresses.len(), CLIENTS);
    Ok(())
}

/// Registers, writes once everybody has an address, and reads once everybody has written.
async fn live(index: usize, meeting: Arc<Meeting>) -> io::Result<()> {
    let mut client = Client::registered(meeting.smtp(index), "").await?;
    let address = client.address.clone();
    meeting.addresses[index].set(address.clone()).unwrap();
    let kind = Kind::of(index);
    let mut password = String::new();
    if !matches!(kind, Kind::Settled) {
        password = client.password().await?;
        client.quit().await?;
        client = Client::logged_in(meeting.smtp(index + 1), &address, &password).await?;
    }
    meeting.barrier.wait().await;

    let to = DISTANCES.map(|distance| meeting.address(index + distance));
    assert_eq!(client.send(&to, &text(index)).await?, "250 OK");
    meeting.barrier.wait().await;

    match kind {
        Kind::Settled => expect_mail(&mut client, index, &meeting).await?,
        Kind::Traveller => {
            client.quit().await?;
            client = Client::logged_in(meeting.smtp(index + 2), &address, &password).await?;
            expect_mail(&mut client, index, &meeting).await?;
        }
        Kind::Popper => return pop(index, &password, &meeting).await,
    }
    client.quit().await
}

/// The mail that is to come to a client.
fn expected(index: usize, meeting: &Meeting) -> Vec<Mail> {
    let to = meeting.address(index);
    let from = DISTANCES.map(|distance| (index + CLIENTS - distance) % CLIENTS);
    let mail = |from| Mail { from: meeting.address(from).to_owned(), to: to.to_owned(), text: text(from) };
    let mut mails: Vec<_> = from.into_iter().map(mail).collect();
    mails.sort();
    mails
}

async fn expect_mail(client: &mut Client, index: usize, meeting: &Meeting) -> io::Result<()> {
    let mut mails = client.retrieve().await?;
    mails.sort();
    assert_eq!(mails, expected(index, meeting));
    assert_eq!(client.retrieve().await?, []);
    Ok(())
}

async fn pop(index: usize, password: &str, meeting: &Meeting) -> io::Result<()> {
    let (server, address) = (&meeting.pop3[(index + 2) % NODES], meeting.address(index));
    let mut session = Pop3::logged_in(server, address, password).await?.unwrap();
    let found = session.retrieve().await?;
    let mut texts: Vec<_> = found.iter().map(|text| without_trace(text)).collect();
    texts.sort_unstable();
    let expected = expected(index, meeting);
    let mut wanted: Vec<_> = expected.iter().map(|mail| mail.text.as_slice()).collect();
    wanted.sort_unstable();
    assert_eq!(texts, wanted);
    session.delete(1..=found.len()).await?;
    session.quit().await?;
    let mut client = Client::logged_in(meeting.smtp(index), address, password).await?;
    assert_eq!(client.retrieve().await?, []);
    client.quit().await
}

fn text(from: usize) -> Vec<u8> {
    format!("Client {from} writes.\r\n").into_bytes()
}

#[tokio::test]
#[ignore = "it needs PostgreSQL; CI runs it"]
async fn who_waits_at_one_node_is_woken_by_mail_through_another() -> io::Result<()> {
    let cluster = Cluster::start();
    let nodes = Node::start_all(2, &cluster.fresh_database(), LONG);
    let mut reader = Client::registered(&nodes[0].smtp, "").await?;
    let mut writer = Client::registered(&nodes[1].smtp, "").await?;
    for number in 0..3 {
        reader.write("XRETRIEVE WAIT=3600").await?;
        writer.send(&[&reader.address], &text(number)).await?;
        let mails = reader.maildrop().await?;
        assert_eq!(mails, [Mail { from: writer.address.clone(), to: reader.address.clone(), text: text(number) }]);
    }
    Ok(())
}
