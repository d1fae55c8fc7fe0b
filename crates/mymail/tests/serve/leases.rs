//! How long an account lives.

use std::io;

use rustix::process::Signal;

use crate::client::auth_plain;
use crate::host::Host;
use crate::until::until;

const NO_SUCH_USER: &str = "550 No such user here";
const OK: &str = "250 OK";

#[tokio::test]
async fn without_a_password_an_account_ends_with_its_connection() -> io::Result<()> {
    let host = Host::new("");
    let mut sender = host.registered("").await?;
    for name in ["", "alice"] {
        let client = host.registered(name).await?;
        let address = client.address.clone();
        assert_eq!(sender.recipient(&address).await?, OK);
        client.quit().await?;
        // Who has seen the connection's end sees the account's.
        assert_eq!(sender.recipient(&address).await?, NO_SUCH_USER);
    }
    let client = host.registered("bob").await?;
    let address = client.address.clone();
    drop(client);
    until("the account ends", async || Ok(sender.recipient(&address).await? == NO_SUCH_USER)).await
}

#[tokio::test]
async fn mail_for_an_account_that_ends_meanwhile_is_nobodys() -> io::Result<()> {
    let host = Host::new("");
    let mut sender = host.registered("").await?;
    let (going, mut staying) = (host.registered("").await?, host.registered("").await?);
    sender.begin(&[&going.address, &staying.address]).await?;
    going.quit().await?;
    sender.write("Hello both").await?;
    assert_eq!(sender.say(".").await?, OK);
    assert_eq!(staying.retrieve().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn with_a_password_an_account_outlives_its_connection() -> io::Result<()> {
    let host = Host::new("");
    let mut sender = host.registered("").await?;
    for name in ["", "alice"] {
        let mut client = host.registered(name).await?;
        let (address, password) = (client.address.clone(), client.password().await?);
        client.quit().await?;
        assert_eq!(sender.send(&[&address], b"later\r\n").await?, OK);
        let mut client = host.logged_in(&address, &password).await?;
        assert_eq!(client.retrieve().await?[0].text, b"later\r\n");
        client.quit().await?;
        let local_part = address.split('@').next().unwrap();
        assert_eq!(host.logged_in(local_part, &password).await?.retrieve().await?, []);
    }
    Ok(())
}

#[tokio::test]
async fn a_number_with_a_password_ends_after_its_lease_and_a_name_never() -> io::Result<()> {
    let host = Host::new("registration.lease = \"1s\"");
    let mut sender = host.registered("").await?;
    let mut named = host.registered("alice").await?;
    named.password().await?;
    named.quit().await?;
    let mut in_use = host.registered("").await?;
    in_use.password().await?;

    let mut numbered = host.registered("").await?;
    let (address, password) = (numbered.address.clone(), numbered.password().await?);
    numbered.quit().await?;
    until("the lease runs out", async || Ok(sender.recipient(&address).await? == NO_SUCH_USER)).await?;
    let mut client = host.client().await?;
    assert!(client.say(&auth_plain(&address, &password)).await?.starts_with("535 "));
    assert_eq!(sender.recipient("alice@mymailserver").await?, OK);
    assert_eq!(sender.recipient(&in_use.address).await?, OK);
    Ok(())
}

#[tokio::test]
async fn without_a_password_an_account_ends_with_the_server() -> io::Result<()> {
    let mut host = Host::new("");
    let (client, mut keeper) = (host.registered("").await?, host.registered("alice").await?);
    let password = keeper.password().await?;
    let address = client.address.clone();
    host.signal(Signal::TERM);
    assert_eq!(host.exit().await?, Some(0));
    host.start_again();
    let mut keeper = host.logged_in("alice@mymailserver", &password).await?;
    assert_eq!(keeper.recipient(&address).await?, NO_SUCH_USER);
    // Its number is held, for mail that is on its way to it.
    let mut numbers = Vec::new();
    while numbers.last() < Some(&client.number()) {
        numbers.push(host.registered("").await?.number());
    }
    assert!(!numbers.contains(&client.number()), "{numbers:?}");
    Ok(())
}

#[tokio::test]
async fn an_unregistered_account_is_gone_for_all_its_sessions() -> io::Result<()> {
    let host = Host::new("");
    let mut client = host.registered("alice").await?;
    let password = client.password().await?;
    let mut other = host.logged_in("alice@mymailserver", &password).await?;
    client.send(&["alice@mymailserver"], b"unread\r\n").await?;
    client.expect("XUNREGISTER", OK).await?;
    assert!(other.say("XRETRIEVE").await?.starts_with("530 "));
    assert!(other.say("MAIL FROM:<alice@mymailserver>").await?.starts_with("530 "));
    assert!(client.say(&auth_plain("alice", &password)).await?.starts_with("535 "));
    assert_eq!(client.say("XREGISTER alice").await?, "550 Name is taken");
    client.register("").await?;
    assert_eq!(client.recipient("alice@mymailserver").await?, NO_SUCH_USER);
    Ok(())
}
