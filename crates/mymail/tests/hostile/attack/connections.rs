//! Connections that are many, or do nothing.

use std::io;
use std::sync::OnceLock;
use std::time::Duration;

use testkit::client::Client;
use tokio::time::sleep;

use crate::peer::Peer;
use crate::stage::Stage;

/// Few peers that hold all that they can get, and say nothing.
pub(super) async fn silence(stage: &Stage, number: u64) -> io::Result<()> {
    let server = if number.is_multiple_of(3) { &stage.pop3 } else { &stage.smtp };
    let _client = greeting(Peer::hostile(number, 7).connect(server).await?).await?;
    sleep(Duration::from_secs(30)).await;
    Ok(())
}

/// Hardly there, gone again.
pub(super) async fn storm(stage: &Stage, number: u64) -> io::Result<()> {
    let server = if number.is_multiple_of(2) { &stage.smtp } else { &stage.pop3 };
    let client = Peer::hostile(number, 250).connect(server).await?;
    match number % 3 {
        0 => drop(client),
        _ => drop(greeting(client).await?),
    }
    Ok(())
}

/// Lets the server answer a handshake, and goes.
pub(super) async fn handshake(stage: &Stage, number: u64) -> io::Result<()> {
    let mut client = Peer::hostile(number, 50).greeted(&stage.smtp).await?;
    client.expect("STARTTLS", "220 ").await?;
    client.write_octets(client_hello()).await?;
    client.octets(&mut [0; 64]).await
}

/// A command, an octet at a time.
pub(super) async fn slow_command(stage: &Stage, number: u64) -> io::Result<()> {
    let mut client = Peer::hostile(number, 9).greeted(&stage.smtp).await?;
    for octet in b"XRETRIEVE ".iter().cycle() {
        client.write_octets(&[*octet]).await?;
        sleep(Duration::from_millis(200)).await;
    }
    Ok(())
}

/// A client that heard a greeting, and not that there are too many.
async fn greeting(mut client: Client) -> io::Result<Client> {
    let greeting = client.line().await?;
    if greeting.starts_with(b"220 ") || greeting.starts_with(b"+OK") {
        return Ok(client);
    }
    Err(io::Error::other(String::from_utf8_lossy(&greeting)))
}

/// The first words of any TLS client.
fn client_hello() -> &'static [u8] {
    static HELLO: OnceLock<Vec<u8>> = OnceLock::new();
    HELLO.get_or_init(|| {
        let config = rustls::ClientConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let mut client = rustls::ClientConnection::new(config.into(), "localhost".try_into().unwrap()).unwrap();
        let mut hello = Vec::new();
        client.write_tls(&mut hello).unwrap();
        hello
    })
}
