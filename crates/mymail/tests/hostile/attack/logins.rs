//! Who asks for more addresses than anybody needs, for passwords, or which addresses there are.

use std::io;

use testkit::client::{Client, auth_plain};

use crate::peer::Peer;
use crate::stage::Stage;

/// Addresses for nobody.
pub(super) async fn registration(stage: &Stage, number: u64) -> io::Result<()> {
    let name = if number.is_multiple_of(2) { String::new() } else { format!("nobody{number}") };
    let client = Peer::hostile(number, 20).registered(&stage.smtp, &name).await?;
    client.quit().await
}

/// Is anybody's password this one?
pub(super) async fn guess(stage: &Stage, number: u64) -> io::Result<()> {
    let mut client = Client::greeted(&stage.local_smtp).await?;
    for guess in 0.. {
        client.expect(&auth_plain(&format!("user{number}.{guess}"), "12345678"), "535 ").await?;
    }
    Ok(())
}

pub(super) async fn guess_pop3(stage: &Stage, number: u64) -> io::Result<()> {
    let mut client = Client::connect(&stage.local_pop3).await?;
    client.line().await?;
    for guess in 0.. {
        client.write(&format!("USER reader{}\r\nPASS {guess}", number % 10)).await?;
        client.line().await?;
        client.line().await?;
    }
    Ok(())
}

/// Who is number 1, 2, 3?
pub(super) async fn harvest(stage: &Stage, number: u64) -> io::Result<()> {
    let peer = Peer::hostile(number, 50);
    let mut client = match number % 2 {
        0 => peer.registered(&stage.smtp, "").await?,
        _ => peer.greeted(&stage.outside).await?,
    };
    client.expect(&format!("MAIL FROM:<{}>", client.address), "250 ").await?;
    for guess in 1_000_000.. {
        client.expect(&format!("RCPT TO:<{guess}@mymailserver>"), "550 ").await?;
    }
    Ok(())
}
