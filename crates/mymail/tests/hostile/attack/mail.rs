//! Mail that is slow, much, or made to be a burden, and readers who do not read.

use std::io;
use std::time::Duration;

use tokio::time::sleep;

use crate::peer::Peer;
use crate::stage::{SINK, Stage, VICTIM};

/// A message, an octet at a time.
pub(super) async fn slow_data(stage: &Stage, number: u64) -> io::Result<()> {
    let mut client = Peer::hostile(number, 9).greeted(&stage.outside).await?;
    client.write(&format!("MAIL FROM:<>\r\nRCPT TO:<{VICTIM}@mymailserver>\r\nDATA")).await?;
    for reply in ["250 ", "250 ", "354 "] {
        client.expect_reply("slowly", reply).await?;
    }
    loop {
        client.write_octets(b".").await?;
        sleep(Duration::from_millis(200)).await;
    }
}

/// Asks for much, and takes none of it.
pub(super) async fn deaf_reader(stage: &Stage, number: u64) -> io::Result<()> {
    let mut client = Peer::hostile(number, 250).registered(&stage.smtp, "").await?;
    let (own, line) = (client.address.clone(), "x".repeat(998));
    let text = format!("{line}\r\n").repeat(2000).into_bytes();
    for _ in 0..3 {
        client.send(&[&own], &text).await?;
    }
    client.write("XRETRIEVE").await?;
    sleep(Duration::from_secs(30)).await;
    Ok(())
}

/// All recipients that may be, and as many again, in one write.
pub(super) async fn recipients(stage: &Stage, number: u64) -> io::Result<()> {
    const RECIPIENTS: usize = 2000;
    let mut client = Peer::hostile(number, 50).greeted(&stage.outside).await?;
    client.expect("MAIL FROM:<>", "250 ").await?;
    let recipient = format!("RCPT TO:<{VICTIM}@mymailserver>\r\n");
    client.write_octets(recipient.repeat(RECIPIENTS).as_bytes()).await?;
    for _ in 0..RECIPIENTS {
        client.reply().await?;
    }
    client.expect("QUIT", "221 ").await.map(drop)
}

/// One mailbox until it is full, and then again and again.
pub(super) async fn full_mailbox(stage: &Stage, number: u64) -> io::Result<()> {
    let mut client = Peer::hostile(number, 50).registered(&stage.smtp, "").await?;
    let text = "What nobody asked for.\r\n".repeat(4000).into_bytes();
    loop {
        let victim = format!("{VICTIM}@mymailserver");
        client.send(&[&victim], &text).await?;
    }
}

/// Chunks that are announced and never come, that come twice, and that are larger than the world.
pub(super) async fn chunks(stage: &Stage, number: u64) -> io::Result<()> {
    let mut client = Peer::hostile(number, 50).greeted(&stage.outside).await?;
    client.write(&format!("MAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<{VICTIM}@mymailserver>")).await?;
    client.reply().await?;
    client.reply().await?;
    match number % 4 {
        0 => client.write_octets(b"BDAT 100000\r\nno more").await,
        1 => client.expect("BDAT 18446744073709551616 LAST", "501 ").await.map(drop),
        2 => client.write("BDAT 99999999999").await,
        _ => {
            client.write_octets(&[&b"BDAT 70000\r\n"[..], &vec![0; 70_000], b"RSET\r\n"].concat()).await?;
            client.expect_reply("BDAT", "250 ").await?;
            client.expect_reply("RSET", "250 ").await.map(drop)
        }
    }
}

/// A message that is a burden to whoever looks into it: parts in parts in parts, and more header than text.
pub(super) async fn bomb(stage: &Stage, number: u64) -> io::Result<()> {
    let mut client = Peer::hostile(number, 50).greeted(&stage.outside).await?;
    let text = match number % 3 {
        0 => "X: y\r\n".repeat(100_000),
        1 => format!("Subject: {}\r\n\r\n", "\r\n x".repeat(100_000)),
        _ => (0..3000).map(|n| format!("Content-Type: multipart/mixed; boundary={n}\r\n\r\n--{n}\r\n")).collect(),
    };
    let text = [text.as_bytes(), b"\r\n\xff\x00\n"].concat();
    client.write(&format!("MAIL FROM:<> BODY=BINARYMIME\r\nRCPT TO:<{SINK}@mymailserver>")).await?;
    client.expect_reply("MAIL", "250 ").await?;
    client.expect_reply("RCPT", "250 ").await?;
    client.write_octets(&[format!("BDAT {} LAST\r\n", text.len()).as_bytes(), &text].concat()).await?;
    client.expect_reply("a bomb", "250 ").await.map(drop)
}
