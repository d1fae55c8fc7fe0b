//! Words that are none.

use std::io;

use testkit::noise::noise;

use crate::peer::Peer;
use crate::stage::Stage;

/// Octets of all kinds, and other protocols.
pub(super) async fn junk(stage: &Stage, number: u64) -> io::Result<()> {
    let server = if number.is_multiple_of(2) { &stage.smtp } else { &stage.pop3 };
    let mut client = Peer::hostile(number, 50).connect(server).await?;
    client.line().await?;
    let noise: Vec<u8> = (0..2000).flat_map(|n| noise(number ^ n).to_le_bytes()).collect();
    let words: [&[u8]; 5] = [
        b"GET / HTTP/1.1\r\nHost: mymailserver\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"EHLO \0\r\n\0\0\r\nRCPT TO:<\x1b[2J\x07>\r\nMAIL FROM:<a@b\r\r\n\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        &noise,
    ];
    client.write_octets(words[number as usize % words.len()]).await?;
    client.write_octets(b"\r\nQUIT\r\n").await?;
    while client.line().await.is_ok() {}
    Ok(())
}

/// A line without an end, as long as the server listens.
pub(super) async fn long_line(stage: &Stage, number: u64) -> io::Result<()> {
    let server = if number.is_multiple_of(2) { &stage.smtp } else { &stage.pop3 };
    let mut client = Peer::hostile(number, 50).connect(server).await?;
    client.line().await?;
    for _ in 0..100 {
        client.write_octets(&[b'x'; 65_536]).await?;
    }
    client.write_octets(b"\r\n").await?;
    client.line().await.map(drop)
}

/// Thousands of commands at once that cost little, do nothing, and are answered at length.
pub(super) async fn empty_words(stage: &Stage, number: u64) -> io::Result<()> {
    const TIMES: usize = 2000;
    let peer = Peer::hostile(number, 50);
    let (mut client, command) = match number % 2 {
        0 => (peer.greeted(&stage.smtp).await?, "HELP\r\n"),
        _ => (peer.connect(&stage.pop3).await?, "CAPA\r\n"),
    };
    loop {
        client.write_octets(command.repeat(TIMES).as_bytes()).await?;
        // Octets and not lines, so that the server has the work and not this client.
        client.octets(&mut [0; 200_000]).await?;
    }
}
