//! A node that is killed, and one that is only thought to be dead.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use rustix::process::Signal;
use testkit::client::{Client, Mail};
use testkit::postgres::Cluster;
use testkit::until::until;
use tokio::time::Instant;

use crate::load::Load;
use crate::node::{Leases, Node};

const LEASES: Leases = Leases { registration: "20s", node: "6s" };
/// The least time for which a node is thought to live that was seen to live: its lease without the time between two signs of life,
/// and much less on a machine that does more else.
const THOUGHT_ALIVE_MIN: Duration = Duration::from_secs(2);
/// So many clients are at the node that is lost.
const CLIENTS: usize = 5;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it needs PostgreSQL; CI runs it"]
async fn the_clients_of_a_killed_node_go_on_at_the_others() -> io::Result<()> {
    let cluster = Cluster::start();
    let mut nodes = Node::start_all(3, &cluster.fresh_database(), LEASES);
    let load = Load::start(&nodes).await?;
    let (mut named, mut numbered) =
        (Client::registered(&nodes[0].smtp, "alice").await?, Client::registered(&nodes[0].smtp, "").await?);
    let passwords = [named.password().await?, numbered.password().await?];
    let unclaimed = register(&nodes[0], CLIENTS).await?;
    load.flows().await?;

    load.close(0);
    nodes[0].kill();
    let killed_at = Instant::now();
    // With a password nothing is lost.
    for (address, password) in [&named.address, &numbered.address].into_iter().zip(&passwords) {
        let mut client = Client::logged_in(&nodes[1].smtp, address, password).await?;
        assert_eq!(client.send(&[address], b"I am here now\r\n").await?, "250 OK");
        let mut elsewhere = Client::logged_in(&nodes[2].smtp, address, password).await?;
        let mail = Mail { from: address.clone(), to: address.clone(), text: b"I am here now\r\n".to_vec() };
        assert_eq!(elsewhere.retrieve().await?, [mail]);
    }
    // Without one, it is kept until the node is thought dead, and then ends.
    let addresses: HashSet<String> = unclaimed.iter().map(|client| client.address.clone()).collect();
    let newcomers = register(&nodes[1], 10 * CLIENTS).await?;
    let mut asker = Client::registered(&nodes[2].smtp, "").await?;
    let mut first_ended_after = None;
    for address in &addresses {
        until("the account ends", async || {
            let has_ended = asker.recipient(address).await?.starts_with("550 ");
            if has_ended && first_ended_after.is_none() {
                first_ended_after = Some(killed_at.elapsed());
            }
            Ok(has_ended)
        })
        .await?;
    }
    assert!(first_ended_after.unwrap() >= THOUGHT_ALIVE_MIN, "after {first_ended_after:?}");
    // These came while it was not over.
    for client in &newcomers {
        assert!(!addresses.contains(&client.address), "{} was given to another", client.address);
    }
    load.flows().await?;
    load.end().await
}

/// A node that stood still for longer than its lease does not know that its clients' addresses are others' by now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it needs PostgreSQL; CI runs it"]
async fn a_node_that_was_thought_dead_shares_no_address() -> io::Result<()> {
    let cluster = Cluster::start();
    let nodes = Node::start_all(2, &cluster.fresh_database(), Leases { registration: "4s", node: "3s" });
    let mut old = register(&nodes[0], 3 * CLIENTS).await?;
    let mut sender = Client::registered(&nodes[1].smtp, "sender").await?;
    sender.password().await?;
    sender.send(&[&old[0].address], b"For the old one\r\n").await?;

    nodes[0].signal(Signal::STOP);
    // What they say is the first thing that the node hears when it goes on.
    let (readers, writers) = old.split_at_mut(CLIENTS);
    for client in readers.iter_mut() {
        client.write("XRETRIEVE").await?;
    }
    for client in writers.iter_mut() {
        let address = &client.address;
        let mail = format!("MAIL FROM:<{address}>\r\nRCPT TO:<{}>\r\nBDAT 8 LAST\r\nForged\r\n", sender.address);
        client.write_octets(mail.as_bytes()).await?;
    }
    let addresses: HashSet<String> = readers.iter().chain(&*writers).map(|client| client.address.clone()).collect();
    let mut new = Vec::new();
    until("an address of theirs is given to another", async || {
        let mut client = Client::registered(&nodes[1].smtp, "").await?;
        if addresses.contains(&client.address) {
            new.push(client);
        } else {
            client.expect("XUNREGISTER", "250 ").await?;
        }
        Ok(!new.is_empty())
    })
    .await?;
    let mut new = new.remove(0);
    sender.send(&[&new.address], b"For the new one\r\n").await?;

    nodes[0].signal(Signal::CONT);
    for client in readers {
        let reply = client.reply().await?;
        assert!(reply == "250 0 messages" || is_refusal(&reply), "{} is told {reply:?}", client.address);
    }
    for client in writers {
        let replies = [client.reply().await?, client.reply().await?, client.reply().await?];
        assert!(is_refusal(&replies[2]), "{} is told {replies:?}", client.address);
    }
    let mail = Mail { from: sender.address.clone(), to: new.address.clone(), text: b"For the new one\r\n".to_vec() };
    assert_eq!(new.retrieve().await?, [mail]);
    assert_eq!(sender.retrieve().await?, []);
    // They are told, and it takes clients again.
    for client in &mut old {
        until("the account is gone", async || {
            client.expect("RSET", "250 ").await?;
            Ok(client.say(&format!("MAIL FROM:<{}>", client.address)).await?.starts_with("530 "))
        })
        .await?;
    }
    until("the node is another one", async || Ok(Client::registered(&nodes[0].smtp, "").await.is_ok())).await
}

fn is_refusal(reply: &str) -> bool {
    ["421 ", "451 ", "503 ", "530 "].iter().any(|code| reply.starts_with(code))
}

async fn register(node: &Node, count: usize) -> io::Result<Vec<Client>> {
    let mut clients = Vec::new();
    for _ in 0..count {
        clients.push(Client::registered(&node.smtp, "").await?);
    }
    Ok(clients)
}
