//! `XRETRIEVE WAIT`: a client that waits for its mail.

use std::io;

use crate::client::Client;
use crate::host::Host;

/// Longer than a test has patience for: who is answered at all has been woken.
const FOREVER: &str = "NOOP\r\nXRETRIEVE WAIT=300";

/// Lets a client wait. The reply to what it says before is written only when the server turns to the waiting.
async fn wait(client: &mut Client) -> io::Result<()> {
    client.write(FOREVER).await?;
    assert_eq!(client.reply().await?, "250 OK");
    Ok(())
}

#[tokio::test]
async fn mail_wakes_the_one_who_waits_for_it() -> io::Result<()> {
    let host = Host::new("");
    let mut client = host.registered("").await?;
    let mut sender = host.registered("").await?;
    for text in [b"one\r\n", b"two\r\n"] {
        wait(&mut client).await?;
        sender.send(&[&client.address], text).await?;
        assert_eq!(client.maildrop().await?[0].text, text);
    }
    client.quit().await
}

#[tokio::test]
async fn a_wait_ends_and_the_session_goes_on() -> io::Result<()> {
    let host = Host::new("");
    let mut client = host.registered("").await?;
    assert_eq!(client.say("XRETRIEVE WAIT=1").await?, "250 0 messages");
    // What is said during a wait is answered behind it.
    client.write("XRETRIEVE WAIT=1\r\nNOOP").await?;
    assert_eq!(client.maildrop_count().await?, 0);
    assert_eq!(client.reply().await?, "250 OK");
    let own = client.address.clone();
    client.send(&[&own], b"to myself\r\n").await?;
    client.write(FOREVER.trim_start_matches("NOOP\r\n")).await?;
    assert_eq!(client.maildrop().await?.len(), 1);
    client.quit().await
}

#[tokio::test]
async fn a_client_that_goes_while_it_waits_is_let_go() -> io::Result<()> {
    let host = Host::new("");
    let mut sender = host.registered("").await?;
    let mut client = host.registered("").await?;
    wait(&mut client).await?;
    let (socket, address) = (host.socket_of(&client), client.address.clone());
    drop(client);
    host.closed(&socket).await?;
    assert_eq!(sender.recipient(&address).await?, "550 No such user here");
    Ok(())
}
