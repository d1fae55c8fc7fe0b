//! Mail leaves the mailbox when its reader has shown that it has it, and not before.

use std::io;

use crate::client::Client;
use crate::host::Host;
use crate::noise::message;

/// A server, a client that can come again, and two messages for it.
async fn with_mail(texts: &[&[u8]]) -> io::Result<(Host, String)> {
    let host = Host::new("");
    let mut client = host.registered("alice").await?;
    let password = client.password().await?;
    for text in texts {
        assert_eq!(client.send(&["alice@mymailserver"], text).await?, "250 OK");
    }
    client.quit().await?;
    Ok((host, password))
}

async fn alice(host: &Host, password: &str) -> io::Result<Client> {
    host.logged_in("alice@mymailserver", password).await
}

#[tokio::test]
async fn a_command_behind_the_last_dot_flushes() -> io::Result<()> {
    for command in ["NOOP", "QUIT", "XRETRIEVE", "nonsense"] {
        let (host, password) = with_mail(&[b"one\r\n", b"two\r\n"]).await?;
        let mut client = alice(&host, &password).await?;
        let texts: Vec<_> = client.retrieve().await?.into_iter().map(|mail| mail.text).collect();
        assert_eq!(texts, [b"one\r\n", b"two\r\n"]);
        drop(client);

        let mut client = alice(&host, &password).await?;
        assert_eq!(client.retrieve().await?.len(), 2, "nothing had been shown before {command}");
        client.say(command).await?;
        drop(client);
        assert_eq!(alice(&host, &password).await?.retrieve().await?, [], "after {command}");
    }
    Ok(())
}

#[tokio::test]
async fn commands_sent_before_the_mail_flush_nothing() -> io::Result<()> {
    let (host, password) = with_mail(&[b"one\r\n"]).await?;
    let mut client = alice(&host, &password).await?;
    client.write("XRETRIEVE\r\nNOOP\r\nQUIT").await?;
    assert_eq!(client.maildrop().await?.len(), 1);
    assert_eq!(client.reply().await?, "250 OK");
    assert_eq!(client.reply().await?, "221 mymailserver Connection Closed");
    client.closed().await?;
    assert_eq!(alice(&host, &password).await?.retrieve().await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_reader_that_goes_half_way_loses_nothing() -> io::Result<()> {
    // More than the system's buffers take, so that the server is writing when its reader goes.
    let texts: Vec<Vec<u8>> = (0..20).map(|seed| message(seed, 1 << 20)).collect();
    let (host, password) = with_mail(&texts.iter().map(Vec::as_slice).collect::<Vec<_>>()).await?;
    let mut client = alice(&host, &password).await?;
    client.write("XRETRIEVE").await?;
    assert_eq!(client.maildrop_count().await?, texts.len());
    client.block().await?;
    drop(client);

    let mut client = alice(&host, &password).await?;
    let mails = client.retrieve().await?;
    assert!(mails.iter().map(|mail| &mail.text).eq(&texts), "{} messages came again", mails.len());
    client.quit().await
}

#[tokio::test]
async fn what_comes_after_the_snapshot_stays() -> io::Result<()> {
    let (host, password) = with_mail(&[b"one\r\n"]).await?;
    let mut client = alice(&host, &password).await?;
    assert_eq!(client.retrieve().await?.len(), 1);
    host.registered("").await?.send(&["alice@mymailserver"], b"two\r\n").await?;
    client.expect("NOOP", "250 OK").await?;
    assert_eq!(client.retrieve().await?[0].text, b"two\r\n");
    Ok(())
}
