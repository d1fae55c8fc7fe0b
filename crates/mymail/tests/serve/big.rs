//! The largest message that is allowed, and what it costs.

use std::io;

use crate::client::{Client, stuffed};
use crate::host::Host;

/// A piece of the message; 50 of them are as much as the default limit allows, to the octet.
const PIECE_OCTETS: usize = 1 << 20;
const PIECES: usize = 50;
/// How much more memory the server may have had for it.
const MEMORY_KIB_MAX: u64 = 30 << 10;

#[tokio::test]
async fn fifty_mebibytes_take_little_memory() -> io::Result<()> {
    let host = Host::new("");
    let mut sender = host.registered("").await?;
    let mut readers = [host.registered("").await?, host.registered("").await?, host.registered("").await?];
    let addresses = readers.each_ref().map(|reader| reader.address.clone());
    let to = addresses.each_ref().map(String::as_str);

    sender.send(&to, b"The first message has costs of its own.\r\n").await?;
    for reader in &mut readers {
        assert_eq!(reader.retrieve().await?.len(), 1);
    }
    let before = host.peak_memory_kib();

    let piece = stuffed(&piece());
    sender.begin(&to).await?;
    for _ in 0..PIECES {
        sender.write_octets(&piece).await?;
    }
    assert_eq!(sender.say(".").await?, "250 OK");
    for reader in &mut readers {
        read(reader, &piece).await?;
    }
    let more = host.peak_memory_kib() - before;
    assert!(more < MEMORY_KIB_MAX, "{more} KiB more");
    Ok(())
}

/// Takes the message, as it goes over the wire.
async fn read(reader: &mut Client, piece: &[u8]) -> io::Result<()> {
    reader.write("XRETRIEVE").await?;
    assert_eq!(reader.maildrop_count().await?, 1);
    reader.block().await?;
    let mut octets = vec![0; piece.len()];
    for at in 0..PIECES {
        reader.octets(&mut octets).await?;
        assert!(octets == piece, "piece {at} is not as it was sent");
    }
    assert_eq!(reader.line().await?, b".");
    reader.expect("NOOP", "250 OK").await.map(drop)
}

/// Lines of 64 octets, some of which begin with a dot.
fn piece() -> Vec<u8> {
    let lines = (0..PIECE_OCTETS / 64).map(|number| {
        let begin = if number % 7 == 0 { "." } else { "line" };
        format!("{begin:.<8}{number:0>54}\r\n")
    });
    let piece = lines.collect::<String>().into_bytes();
    assert_eq!(piece.len(), PIECE_OCTETS);
    piece
}
