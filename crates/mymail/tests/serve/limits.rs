//! How much is taken: what is over a limit gets a clear reply, and the session goes on.

use std::io;

use rustix::process::Signal;

use crate::client::Client;
use crate::host::Host;
use crate::until::until;

const TOO_MANY_CONNECTIONS: &str = "421 mymailserver Too many connections, try again later";
/// The least that can be configured (RFC 5321 §4.5.3.1.7).
const MESSAGE_OCTETS_MAX: usize = 64 << 10;

/// So many octets of message.
fn text(octets: usize) -> Vec<u8> {
    let mut text = vec![b'x'; octets - 2];
    text.extend(b"\r\n");
    text
}

#[tokio::test]
async fn connections_of_a_peer_and_in_all() -> io::Result<()> {
    for config in ["limits.connections_per_peer = 2", "limits.connections = 2"] {
        let host = Host::new(config);
        let (first, mut second) = (host.client().await?, host.client().await?);
        for _ in 0..3 {
            let mut third = Client::connect(host.address()).await?;
            assert_eq!(third.reply().await?, TOO_MANY_CONNECTIONS, "{config}");
            third.closed().await?;
        }
        second.expect("NOOP", "250 OK").await?;
        first.quit().await?;
        until("there is room again", async || {
            Ok(Client::connect(host.address()).await?.reply().await?.starts_with("220 "))
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn recipients() -> io::Result<()> {
    let host = Host::new("limits.recipients = 2");
    let mut client = host.registered("").await?;
    client.expect("EHLO client.example", "250-mymailserver\n").await?;
    client.expect(&format!("MAIL FROM:<{}>", client.address), "250 2.1.0 OK").await?;
    let mut others = Vec::new();
    for reply in ["250 2.1.5 OK", "250 2.1.5 OK", "452 4.5.3 Too many recipients"] {
        others.push(host.registered("").await?);
        client.expect(&format!("RCPT TO:<{}>", others.last().unwrap().address), reply).await?;
    }
    client.expect("DATA", "354 ").await?;
    client.expect("Hello both\r\n.", "250 2.6.0 OK").await?;
    for (other, count) in others.iter_mut().zip([1, 1, 0]) {
        assert_eq!(other.retrieve().await?.len(), count);
    }
    Ok(())
}

#[tokio::test]
async fn the_size_of_a_message() -> io::Result<()> {
    let host = Host::new("limits.message_size = \"64 KiB\"");
    let mut client = host.registered("").await?;
    let own = client.address.clone();
    assert_eq!(client.send(&[&own], &text(MESSAGE_OCTETS_MAX)).await?, "250 OK");
    assert_eq!(client.send(&[&own], &text(MESSAGE_OCTETS_MAX + 1)).await?, "552 Message too large");
    assert_eq!(client.retrieve().await?.len(), 1);

    assert!(client.say("EHLO client.example").await?.contains("250-SIZE 65536\n"));
    client.expect(&format!("MAIL FROM:<{own}> SIZE=65537"), "552 5.3.4 Message too large").await?;
    client.expect(&format!("MAIL FROM:<{own}> SIZE=65536"), "250 2.1.0 OK").await?;
    Ok(())
}

#[tokio::test]
async fn the_size_of_a_file() -> io::Result<()> {
    let host = Host::new("");
    let mut client = host.registered("").await?;
    let own = client.address.clone();
    host.limit_files(1 << 20);
    let refusal = client.send(&[&own], &text(2 << 20)).await?;
    assert!(refusal.starts_with("45"), "{refusal}");
    assert_eq!(client.send(&[&own], &text(1000)).await?, "250 OK", "the server lives, and takes what fits");
    host.limit_files(1 << 30);
    assert_eq!(client.send(&[&own], &text(2 << 20)).await?, "250 OK");
    assert_eq!(client.retrieve().await?.len(), 2);
    Ok(())
}

#[tokio::test]
async fn the_size_of_a_mailbox() -> io::Result<()> {
    let host = Host::new("limits.mailbox_size = \"1 KiB\"");
    let mut sender = host.registered("").await?;
    let mut reader = host.registered("").await?;
    let other = host.registered("").await?;
    let to = reader.address.clone();
    assert_eq!(sender.send(&[&to], &text(1000)).await?, "250 OK");
    sender.expect("EHLO client.example", "250-").await?;

    sender.expect(&format!("MAIL FROM:<{}> SIZE=100", sender.address), "250 ").await?;
    sender.expect(&format!("RCPT TO:<{to}>"), "552 5.2.2 Mailbox full").await?;
    sender.expect(&format!("RCPT TO:<{}>", other.address), "250 ").await?;
    sender.expect("RSET", "250 ").await?;
    assert_eq!(sender.send(&[&to], &text(1000)).await?, "552 5.2.2 Mailbox full");
    assert_eq!(sender.send(&[&to], &text(20)).await?, "250 2.6.0 OK");

    assert_eq!(reader.retrieve().await?.len(), 2);
    reader.expect("NOOP", "250 ").await?;
    assert_eq!(sender.recipient(&to).await?, "250 2.1.5 OK");
    Ok(())
}

#[tokio::test]
async fn the_reserve_of_the_disk() -> io::Result<()> {
    const NO_ROOM: &str = "452 Out of storage, try again later";
    const WARNING: &str = "the disk is almost full";
    const RELIEF: &str = "there is room on the disk again";
    let host = Host::new("");
    let mut reader = host.registered("reader").await?;
    let password = reader.password().await?;
    let to = reader.address.clone();
    assert_eq!(reader.send(&[&to], &text(1000)).await?, "250 OK");

    host.configure("limits.reserve = \"100 PiB\"");
    host.signal(Signal::HUP);
    until("a new connection finds it", async || {
        let mut sender = host.registered("").await?;
        Ok(sender.say(&format!("MAIL FROM:<{}>", sender.address)).await? == NO_ROOM)
    })
    .await?;
    // All else goes on.
    let mut reader = host.logged_in(&to, &password).await?;
    assert_eq!(reader.retrieve().await?.len(), 1);
    assert_eq!(reader.say(&format!("MAIL FROM:<{to}>")).await?, NO_ROOM);
    assert_eq!(reader.retrieve().await?.len(), 0, "it was flushed");
    let mut is_told_of = async |what: &str| {
        until(&format!("the log says that {what}"), async || {
            // The store is asked once a second, when there is mail.
            reader.say(&format!("MAIL FROM:<{to}>")).await?;
            reader.say("RSET").await?;
            Ok(host.log().contains(what))
        })
        .await
    };
    is_told_of(WARNING).await?;

    host.configure("limits.reserve = \"1 KiB\"");
    host.signal(Signal::HUP);
    until("a new connection finds it", async || {
        let mut sender = host.registered("").await?;
        Ok(sender.say(&format!("MAIL FROM:<{}>", sender.address)).await? == "250 OK")
    })
    .await?;
    assert_eq!(host.registered("").await?.send(&[&to], &text(1000)).await?, "250 OK");
    is_told_of(RELIEF).await?;
    let log = host.log();
    assert_eq!((log.matches(WARNING).count(), log.matches(RELIEF).count()), (1, 1), "{log}");
    Ok(())
}

#[tokio::test]
async fn errors() -> io::Result<()> {
    let host = Host::new("limits.errors_per_session = 2");
    let mut clumsy = host.client().await?;
    for reply in ["500 ", "500 ", "421 mymailserver Too many errors"] {
        clumsy.expect("nonsense", reply).await?;
    }
    clumsy.closed().await?;
    let peer = clumsy.local_address();
    until("the log tells of it", async || {
        let log = host.log();
        let told = log.lines().find(|line| line.contains("a session was ended") && line.contains(&peer.to_string()));
        Ok(told.is_some_and(|line| line.contains("Too many errors")))
    })
    .await?;
    assert!(host.log().contains("errors_per_session=2"), "the limits stand at its beginning");
    Ok(())
}

#[tokio::test]
async fn time() -> io::Result<()> {
    let host = Host::new("timeouts.command = \"1s\"");
    let mut silent = Client::connect(host.address()).await?;
    assert_eq!(silent.reply().await?, "220 mymailserver ESMTP Service Ready");
    assert_eq!(silent.reply().await?, "421 mymailserver Timeout, closing connection");
    silent.closed().await
}
