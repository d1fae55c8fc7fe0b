//! Who may have an address, as it is configured.

use std::io;

use crate::host::Host;

/// A server with this configuration, and what it answers a client of each of these commands.
async fn check(config: &str, commands: &[(&str, &str)]) -> io::Result<()> {
    let host = Host::new(config);
    for (command, reply) in commands {
        let mut client = host.client().await?;
        client.expect("EHLO client.example", "250-").await?;
        client.expect(command, reply).await?;
    }
    Ok(())
}

#[tokio::test]
async fn with_invite_tokens() -> io::Result<()> {
    const REFUSED: &str = "535 5.7.8 Invite token missing or wrong";
    check(
        "registration.tokens = [\"sesame\", \"mellon\"]",
        &[
            ("XREGISTER", REFUSED),
            ("XREGISTER alice", REFUSED),
            // Strangers are not told which names there are.
            ("XREGISTER postmaster", REFUSED),
            ("XREGISTER TOKEN=", REFUSED),
            ("XREGISTER TOKEN=sesam", REFUSED),
            ("XREGISTER alice TOKEN=Sesame", REFUSED),
            ("XREGISTER TOKEN=sesame", "250 2.1.0 "),
            ("xregister alice token=mellon", "250 2.1.0 alice@mymailserver"),
        ],
    )
    .await
}

#[tokio::test]
async fn without_names() -> io::Result<()> {
    check("registration.names = false", &[("XREGISTER alice", "553 5.1.3 "), ("XREGISTER", "250 2.1.0 ")]).await
}

#[tokio::test]
async fn closed() -> io::Result<()> {
    const CLOSED: &str = "550 5.7.1 Registration is closed";
    check("registration.open = false", &[("XREGISTER", CLOSED), ("XREGISTER alice", CLOSED)]).await
}

#[tokio::test]
async fn so_often_in_an_hour() -> io::Result<()> {
    let names = [
        ("XREGISTER", "250 2.1.0 "),
        // What is refused for another reason does not count.
        ("XREGISTER postmaster", "553 5.1.3 "),
        ("XREGISTER alice", "250 2.1.0 "),
        ("XREGISTER bob", "450 4.7.1 "),
        ("XREGISTER", "450 4.7.1 "),
    ];
    check("registration.per_peer_per_hour = 2", &names).await
}
