//! The number of an address is a descriptor of its client's connection, in the server.

use std::collections::HashSet;
use std::io;

use tokio::task::JoinSet;

use crate::client::Client;
use crate::host::Host;
use crate::noise::message;
use crate::until::until;

/// A message of so many octets has a file of its own.
const BIG_OCTETS: usize = 300_000;

#[tokio::test]
async fn a_number_is_the_descriptor_of_the_clients_own_connection() -> io::Result<()> {
    let host = Host::new("");
    let clients = [host.registered("").await?, host.registered("").await?, host.registered("").await?];
    for client in &clients {
        assert_eq!(host.descriptors_of(&host.socket_of(client)), [client.number()]);
    }
    Ok(())
}

#[tokio::test]
async fn a_number_that_is_held_is_stepped_over() -> io::Result<()> {
    let host = Host::new("");
    let mut sender = host.registered("").await?;
    let first = host.registered("").await?;
    let (held, held_address) = (first.number(), first.address.clone());
    host.dismiss(first).await?;

    let mut second = host.client().await?;
    let socket = host.socket_of(&second);
    assert_eq!(host.descriptors_of(&socket), [held], "the system gives the lowest descriptor that is free");
    second.register("").await?;
    assert_eq!(host.descriptors_of(&socket), [held, second.number()]);

    // Those who come meanwhile get neither.
    let third = host.registered("").await?;
    assert_eq!(host.descriptors_of(&host.socket_of(&third)), [third.number()]);
    assert_eq!(host.descriptors_of(&socket), [held, second.number()]);

    // No mail for the one who left reaches the one who has its descriptor now.
    assert_eq!(sender.recipient(&held_address).await?, "550 No such user here");
    assert_eq!(sender.send(&[&second.address], b"for the second\r\n").await?, "250 OK");
    assert_eq!(second.retrieve().await?.len(), 1);

    // With its connection both descriptors go.
    host.dismiss(second).await
}

#[tokio::test]
async fn no_address_is_given_twice_however_connections_come_and_go() -> io::Result<()> {
    const TASKS: usize = 8;
    const ROUNDS: usize = 50;
    async fn come_and_go(server: String, task: usize) -> io::Result<Vec<String>> {
        let mut addresses = Vec::new();
        for round in 0..ROUNDS {
            let client = Client::registered(&server, "").await?;
            addresses.push(client.address.clone());
            // Some say good-bye, some just go, with or without a password.
            match (task + round) % 3 {
                0 => client.quit().await?,
                1 => drop(client),
                _ => drop({ client }.password().await?),
            }
        }
        Ok(addresses)
    }

    let host = Host::new("");
    host.dismiss(host.client().await?).await?;
    let before = host.descriptors().len();
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        tasks.spawn(come_and_go(host.address().to_owned(), task));
    }
    let mut seen = HashSet::new();
    while let Some(addresses) = tasks.join_next().await {
        for address in addresses.unwrap()? {
            assert!(seen.insert(address.clone()), "{address} was given twice");
        }
    }
    assert_eq!(seen.len(), TASKS * ROUNDS);
    until("all descriptors are closed", async || Ok(host.descriptors().len() == before)).await
}

#[tokio::test]
async fn a_number_is_free_again_after_its_lease() -> io::Result<()> {
    let host = Host::new("registration.lease = \"1s\"");
    let first = host.registered("").await?;
    let number = first.number();
    first.quit().await?;
    until("the number is free again", async || {
        let client = host.registered("").await?;
        let is_free = client.number() == number;
        client.quit().await?;
        Ok(is_free)
    })
    .await
}

#[tokio::test]
async fn when_no_number_is_left_the_client_is_told() -> io::Result<()> {
    let host = Host::new("");
    let first = host.registered("").await?;
    let held = first.number();
    host.dismiss(first).await?;
    let mut second = host.client().await?;
    host.limit_descriptors(u64::from(held) + 1);
    assert_eq!(second.say("XREGISTER").await?, "452 No address left, try again later");
    second.register("alice").await?;
    Ok(())
}

#[tokio::test]
async fn a_server_out_of_descriptors_serves_on() -> io::Result<()> {
    let host = Host::new("");
    let mut first = host.registered("").await?;
    let own = first.address.clone();
    // The server has the file by then that small messages go to.
    assert_eq!(first.send(&[&own], b"served\r\n").await?, "250 OK");
    assert_eq!(first.retrieve().await?.len(), 1);
    host.limit_descriptors(u64::from(first.number()) + 1);
    let mut second = Client::connect(host.address()).await?;
    until("the server runs out of descriptors", async || Ok(host.log().contains("cannot accept"))).await?;
    assert_eq!(first.send(&[&own], b"still served\r\n").await?, "250 OK");
    assert_eq!(first.retrieve().await?.len(), 1);
    let big = message(1, BIG_OCTETS);
    assert_eq!(first.send(&[&own], &big).await?, "451 Local error, try again later", "it needs a file");

    host.limit_descriptors(u64::from(first.number()) + 10);
    assert_eq!(second.reply().await?, "220 mymailserver ESMTP Service Ready");
    assert_eq!(first.send(&[&own], &big).await?, "250 OK");
    assert_eq!(first.retrieve().await?[0].text, big);
    Ok(())
}

#[tokio::test]
async fn a_message_that_needs_a_descriptor_waits_until_there_is_one() -> io::Result<()> {
    let host = Host::new("");
    let mut reader = host.registered("reader").await?;
    let (own, password) = (reader.address.clone(), reader.password().await?);
    let big = message(1, BIG_OCTETS);
    assert_eq!(reader.send(&[&own], b"small\r\n").await?, "250 OK");
    assert_eq!(reader.send(&[&own], &big).await?, "250 OK");

    let last = *host.descriptors_of(&host.socket_of(&reader)).last().unwrap();
    host.limit_descriptors(u64::from(last) + 1);
    let cut_off = reader.retrieve().await;
    assert!(cut_off.is_err(), "{cut_off:?}");

    host.limit_descriptors(u64::from(last) + 10);
    let mails = host.logged_in(&own, &password).await?.retrieve().await?;
    assert_eq!(mails.len(), 2);
    assert!(mails[1].text == big);
    Ok(())
}

#[tokio::test]
async fn a_first_message_that_finds_no_descriptor_is_not_the_last() -> io::Result<()> {
    let host = Host::new("");
    let mut client = host.registered("").await?;
    let own = client.address.clone();
    host.limit_descriptors(u64::from(client.number()) + 1);
    let reply = client.send(&[&own], b"early\r\n").await?;
    assert!(["250 OK", "451 Local error, try again later"].contains(&reply.as_str()), "{reply}");
    host.limit_descriptors(u64::from(client.number()) + 10);
    assert_eq!(client.send(&[&own], b"later\r\n").await?, "250 OK");
    Ok(())
}
