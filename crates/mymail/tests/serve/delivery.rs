//! A message is delivered when its last line has come, and not before.

use std::io;

use crate::host::Host;
use crate::noise::message;

/// What a client sends of a message before it goes, and whether it is all of it.
async fn check(data: &[u8], is_whole: bool) -> io::Result<()> {
    let host = Host::new("");
    let mut reader = host.registered("").await?;
    let mut sender = host.registered("").await?;
    sender.begin(&[&reader.address]).await?;
    sender.write_octets(data).await?;
    let socket = host.socket_of(&sender);
    drop(sender);
    host.closed(&socket).await?;
    assert_eq!(reader.retrieve().await?.len(), usize::from(is_whole), "{} octets", data.len());
    Ok(())
}

#[tokio::test]
async fn a_message_that_is_cut_off_is_nobodys() -> io::Result<()> {
    check(b"", false).await?;
    check(b"Hello\r\n", false).await?;
    check(b"Hello\r\n.", false).await?;
    check(b"Hello\r\n.\r", false).await?;
    // Enough to have a file of its own.
    check(&message(1, 200_000), false).await
}

#[tokio::test]
async fn a_message_that_is_whole_needs_nobody_to_hear_so() -> io::Result<()> {
    check(b"Hello\r\n.\r\n", true).await
}
