//! What the log says, and what it never says.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::client::auth_plain;
use crate::host::Host;

const TOKEN: &str = "open-sesame";
const TEXT: &str = "nobody-else-reads-this";

#[tokio::test]
async fn neither_secrets_nor_mail_reach_it() -> io::Result<()> {
    let host = Host::logging(&format!("registration.tokens = [\"{TOKEN}\"]"), "trace");
    let mut client = host.client().await?;
    client.expect(&format!("XREGISTER alice TOKEN={TOKEN}"), "250 ").await?;
    client.address = "alice@mymailserver".to_owned();
    let password = client.password().await?;
    client.expect("XUNREGISTER now", "501 ").await?;
    assert_eq!(client.send(&["alice@mymailserver"], format!("{TEXT}\r\n").as_bytes()).await?, "250 OK");
    client.expect(&format!("RCPT {TEXT}"), "503 ").await?;
    client.quit().await?;

    let mut client = host.client().await?;
    client.expect("AUTH PLAIN", "334 ").await?;
    let login = auth_plain("alice", &password);
    let response = login.rsplit(' ').next().unwrap();
    client.expect(response, "235 ").await?;
    assert_eq!(client.retrieve().await?.len(), 1);
    client.quit().await?;

    // A wrong password is often the right one of another account, or the right one mistyped.
    let mistyped = "mistyped-password";
    let mut client = host.client().await?;
    client.expect(&auth_plain("alice", mistyped), "535 ").await?;
    client.expect(&format!("AUTH PLAIN {}", STANDARD.encode(mistyped)), "501 ").await?;
    client.expect(&format!("XREGISTER TOKEN={mistyped}"), "535 ").await?;
    client.quit().await?;

    let log = host.log();
    assert!(log.contains("registered") && log.contains("accepted") && log.contains("flushed"), "{log}");
    for secret in [TOKEN, TEXT, &password, response, mistyped, &STANDARD.encode(mistyped)] {
        assert!(!log.contains(secret), "{secret} is in\n{log}");
    }
    Ok(())
}

#[tokio::test]
async fn whose_connection_it_was_stands_in_each_line_about_it() -> io::Result<()> {
    let host = Host::new("");
    let mut client = host.registered("alice").await?;
    let peer = format!(" peer={} ", client.local_address());
    assert_eq!(client.send(&["alice@mymailserver"], b"Hello\r\n").await?, "250 OK");
    assert_eq!(client.retrieve().await?.len(), 1);
    client.quit().await?;

    let log = host.log();
    for (event, told) in [
        (" registered ", "address=alice@mymailserver"),
        (" accepted ", "protocol=smtp"),
        (" accepted ", "from=\"alice@mymailserver\" recipients=1 octets=7"),
        (" flushed ", "messages=1"),
    ] {
        let line = log.lines().find(|line| line.contains(event)).unwrap_or_else(|| panic!("no{event}in\n{log}"));
        assert!(line.contains(&peer) && line.contains(told), "{line}");
    }
    Ok(())
}
