//! Messages that are made to be hard to read: headers without end, parts in parts in parts. The server looks into them, for loops,
//! for reports and for a form in lines, and that takes little memory and no more time than to send them.

use std::io;

use crate::client::Client;
use crate::host::Host;

const MESSAGE_OCTETS: usize = 3 << 20;
/// How much more memory the server may have had for all of them: less than for keeping one whole.
const MEMORY_KIB_MAX: u64 = 3 << 10;

/// What a message begins with, and what it consists of then.
fn bombs() -> Vec<(String, String)> {
    let long = "x".repeat(60_000);
    let blanks = " ".repeat(60_000);
    let depths = (0..40_000).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n"));
    let multipart = "Content-Type: multipart/digest; boundary=----------\r\nContent-Transfer-Encoding: binary\r\n\r\n";
    vec![
        (String::new(), "X-Field: x\r\n".to_owned()),
        (String::new(), "Received: x\r".to_owned()),
        (String::new(), "Subject: x".to_owned()),
        ("Subject:\r\n".to_owned(), " folded\r\n".to_owned()),
        ("Content-Type: ".to_owned(), "(".to_owned()),
        (depths.collect(), "x\r\n".to_owned()),
        (String::new(), "Content-Type: message/rfc822\r\nContent-Transfer-Encoding: binary\r\n\r\n".to_owned()),
        (multipart.to_owned(), "\r\n------------\r\n".to_owned()),
        (multipart.to_owned(), format!("------------{blanks}x\r\n------------\r\nContent-Type: x/{long}")),
        (multipart.to_owned(), format!("------------\r\nContent-Type: x; {}\r\n\r\n", ";(\\\"=".repeat(10_000))),
        (multipart.to_owned(), "-".to_owned()),
        (multipart.to_owned(), "\r".to_owned()),
    ]
}

#[tokio::test]
async fn bombs_take_little_memory() -> io::Result<()> {
    let host = Host::new("limits.errors_per_session = 1000");
    let mut alice = host.registered("alice").await?;
    alice.say("EHLO x").await?;
    send_and_read(&mut alice, "", "first costs\r\n").await?;
    let before = host.peak_memory_kib();
    for (number, (head, piece)) in bombs().iter().enumerate() {
        send_and_read(&mut alice, head, piece).await?;
        let more = host.peak_memory_kib() - before;
        assert!(more < MEMORY_KIB_MAX, "{more} KiB more with bomb {number}");
    }
    Ok(())
}

/// Sends it and has it handed over, with a report on it.
async fn send_and_read(alice: &mut Client, head: &str, piece: &str) -> io::Result<()> {
    let message = head.to_owned() + &piece.repeat((MESSAGE_OCTETS - head.len()) / piece.len());
    alice.expect("MAIL FROM:<alice@mymailserver> BODY=BINARYMIME RET=FULL", "250 ").await?;
    alice.expect("RCPT TO:<alice@mymailserver> NOTIFY=SUCCESS", "250 ").await?;
    alice.write(&format!("BDAT {} LAST", message.len())).await?;
    alice.write_octets(message.as_bytes()).await?;
    // A message in circles is no message.
    let reply = alice.reply().await?;
    assert!(reply.starts_with("250 2.6.0 ") || reply.starts_with("554 5.4.6 "), "{reply}");
    alice.write("XRETRIEVE").await?;
    let count = alice.reply().await?;
    assert!(count.starts_with("250 2.0.0 2 ") == reply.starts_with("250 "), "{count}");
    for _ in 0..if reply.starts_with("250 ") { 2 } else { 0 } {
        alice.block().await?;
        alice.text().await?;
    }
    alice.expect("NOOP", "250 ").await.map(drop)
}
