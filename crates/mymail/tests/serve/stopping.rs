//! How the server stops.

use std::io;

use rustix::process::Signal;
use tokio::net::TcpStream;

use crate::host::Host;
use crate::until::until;

const STOPPING: &str = "421 mymailserver Server is stopping, try again later";

#[tokio::test]
async fn a_message_on_its_way_is_finished_and_all_others_are_sent_away() -> io::Result<()> {
    for signal in [Signal::TERM, Signal::INT] {
        let mut host = Host::new("timeouts.shutdown = \"60s\"");
        let mut reader = host.registered("alice").await?;
        let password = reader.password().await?;
        let mut waiting = host.registered("").await?;
        waiting.write("NOOP\r\nXRETRIEVE WAIT=300").await?;
        waiting.reply().await?;
        let mut in_transaction = host.registered("").await?;
        in_transaction.expect(&format!("MAIL FROM:<{}>", in_transaction.address), "250 ").await?;
        let mut sender = host.registered("").await?;
        sender.begin(&["alice@mymailserver"]).await?;
        sender.write("A line,").await?;

        host.signal(signal);
        assert_eq!(waiting.maildrop_count().await?, 0);
        for mut idle in [reader, in_transaction, waiting] {
            assert_eq!(idle.reply().await?, STOPPING);
            idle.closed().await?;
        }
        until("nobody can connect", async || Ok(TcpStream::connect(host.address()).await.is_err())).await?;

        sender.write("and another.").await?;
        assert_eq!(sender.say(".").await?, "250 OK");
        assert_eq!(sender.reply().await?, STOPPING);
        sender.closed().await?;
        assert_eq!(host.exit().await?, Some(0));
        assert_eq!(host.rest_of_output(), "");

        host.start_again();
        let mails = host.logged_in("alice@mymailserver", &password).await?.retrieve().await?;
        assert_eq!(mails[0].text, b"A line,\r\nand another.\r\n");
    }
    Ok(())
}

/// Whoever has started it and waits for its first line may tell it something at once.
#[tokio::test]
async fn a_server_that_says_it_is_ready_hears_its_signals() -> io::Result<()> {
    for _ in 0..50 {
        let mut host = Host::new("");
        host.signal(Signal::HUP);
        host.signal(Signal::TERM);
        assert_eq!(host.exit().await?, Some(0));
    }
    Ok(())
}

#[tokio::test]
async fn nobody_can_keep_it_from_stopping() -> io::Result<()> {
    let mut host = Host::new("timeouts.shutdown = \"1s\"");
    let mut sender = host.registered("").await?;
    let own = sender.address.clone();
    sender.begin(&[&own]).await?;
    let mut deaf = host.registered("").await?;
    let text = b"More than the system's buffers take.\r\n".repeat(500_000);
    let (own, mut writer) = (deaf.address.clone(), host.registered("").await?);
    assert_eq!(writer.send(&[&own], &text).await?, "250 OK");
    deaf.write("XRETRIEVE").await?;
    assert_eq!(deaf.maildrop_count().await?, 1);

    host.signal(Signal::TERM);
    assert_eq!(host.exit().await?, Some(0));
    assert!(host.log().contains("cut off"), "{}", host.log());
    Ok(())
}
