//! SIGHUP: the configuration is read again.

use std::io;

use rustix::process::Signal;

use crate::client::Client;
use crate::host::Host;
use crate::until::until;

const TOO_MANY: &str = "452 Too many recipients";

/// How many recipients a client of a server with one other user may name.
async fn allowed(client: &mut Client) -> io::Result<usize> {
    client.expect(&format!("MAIL FROM:<{}>", client.address), "250 ").await?;
    let mut count = 0;
    while client.say(&format!("RCPT TO:<{}>", client.address)).await? != TOO_MANY {
        count += 1;
    }
    client.expect("RSET", "250 ").await?;
    Ok(count)
}

#[tokio::test]
async fn new_connections_find_the_new_limits() -> io::Result<()> {
    let host = Host::new("limits.recipients = 1");
    let mut old = host.registered("").await?;
    assert_eq!(allowed(&mut old).await?, 1);
    host.configure("limits.recipients = 3");
    host.signal(Signal::HUP);
    until("a new connection finds it", async || Ok(allowed(&mut host.registered("").await?).await? == 3)).await?;
    assert_eq!(allowed(&mut old).await?, 1, "a connection keeps what it has found");
    Ok(())
}

#[tokio::test]
async fn new_connections_find_the_new_aliases() -> io::Result<()> {
    let host = Host::new("");
    let alice = host.registered("alice").await?;
    let info = async || {
        let mut client = host.registered("").await?;
        client.expect(&format!("MAIL FROM:<{}>", client.address), "250 ").await?;
        client.say("RCPT TO:<info@mymailserver>").await
    };
    assert!(info().await?.starts_with("550 "));
    host.configure("aliases.info = \"alice\"");
    host.signal(Signal::HUP);
    until("a new connection finds it", async || Ok(info().await?.starts_with("250 "))).await?;
    host.configure("aliases.info = \"alice@elsewhere.example\"");
    host.signal(Signal::HUP);
    until("it is told", async || Ok(host.log().contains("[aliases], info: alice@elsewhere.example is not here")))
        .await?;
    assert!(info().await?.starts_with("250 "), "nothing has changed");
    drop(alice);
    Ok(())
}

#[tokio::test]
async fn a_configuration_that_is_wrong_changes_nothing() -> io::Result<()> {
    let mut host = Host::new("limits.recipients = 2");
    let mut old = host.registered("").await?;
    host.configure("limits.recipients = 3\nlimits.recipient = 3");
    host.signal(Signal::HUP);
    until("it is told", async || Ok(host.log().contains("the configuration is wrong"))).await?;
    assert!(host.log().contains("line 2"), "{}", host.log());
    assert_eq!(allowed(&mut old).await?, 2);
    assert_eq!(allowed(&mut host.registered("").await?).await?, 2);
    host.signal(Signal::TERM);
    assert_eq!(host.exit().await?, Some(0));
    Ok(())
}
