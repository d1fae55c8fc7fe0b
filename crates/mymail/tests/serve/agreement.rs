//! One mailbox, whichever way it is read: POP3, XRETRIEVE and `mymail retrieve` give the same octets, of mail made to be
//! spoilt. Everything is sent once to all readers, and each reads another way.

use std::io;
use std::path::Path;
use std::process::{Command, Output};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::Client;
use crate::common::{Home, Server};
use crate::noise::noise;
use crate::until::PATIENCE;

/// How many messages are made of noise, beside those made by hand.
const NOISE_MESSAGES: u64 = 200;
/// Where buffers of this and other programs may end.
const BUFFER_ENDS: [usize; 8] = [78, 512, 998, 1_000, 2_048, 4_096, 8_192, 65_536];

#[tokio::test]
async fn every_way_of_reading_gives_the_same_octets() -> io::Result<()> {
    let home = Home::new();
    let arguments = ["serve", "--listen", "smtp=127.0.0.1:0", "--listen", "pop3=127.0.0.1:0", "--data", "data"];
    let mut server = Server::start(&mut home.command(&arguments));
    let pop3 = server.next_listener();
    let smtp = server.address.clone();

    let mut sender = Client::registered(&smtp, "sender").await?;
    let mut by_xretrieve = Client::registered(&smtp, "xretrieve").await?;
    let mut by_pop3 = Client::registered(&smtp, "pop3").await?;
    let password = by_pop3.password().await?;
    for name in ["raw", "maildir"] {
        output(&mut home.command(&["register", name, "--server", &smtp]));
    }

    let messages = messages();
    let readers = ["xretrieve", "pop3", "raw", "maildir"].map(|name| format!("{name}@mymailserver"));
    for message in &messages {
        let reply = sender.send(&readers.each_ref().map(String::as_str), message).await?;
        assert!(reply.starts_with("250 "), "{reply} for {:?}", beginning(message));
    }

    let retrieved: Vec<_> = by_xretrieve.retrieve().await?.into_iter().map(|mail| mail.text).collect();
    assert_same(&retrieved, &messages);

    let maildrop = maildrop(&pop3, "pop3", &password, messages.len()).await?;
    let untraced: Vec<_> = maildrop.iter().map(|message| without_trace(message)).collect();
    assert_same(&untraced, &messages);

    let raw = output(&mut home.command(&["retrieve", "--account", "raw", "--format", "raw"])).stdout;
    assert!(raw == messages.concat(), "`mymail retrieve` gives something else");
    let folder = home.path("Maildir");
    let maildir = ["retrieve", "--account", "maildir", "--maildir", folder.to_str().unwrap()];
    output(&mut home.command(&maildir));
    assert_filed(&folder.join("new"), &messages);

    // Our client on the way of the others: what POP3 gave, trace lines and all.
    std::fs::write(home.path("password"), &password)?;
    let url = format!("pop3://{pop3}");
    let add =
        ["accounts", "--add", "pop3@mymailserver", "--server", &smtp, "--pop3", &url, "--password-file", "password"];
    output(&mut home.command(&add));
    let raw = output(&mut home.command(&["retrieve", "--account", "pop3", "--format", "raw"])).stdout;
    assert!(raw == maildrop.concat(), "`mymail retrieve` gives something else over POP3");
    Ok(())
}

/// Mail that has made trouble somewhere, or may.
fn messages() -> Vec<Vec<u8>> {
    let by_hand: [&[u8]; 24] = [
        b"",
        b"\r\n",
        b"\r\n\r\n\r\n",
        b".\r\n",
        b"..\r\n",
        b"...\r\n....\r\n",
        b".\r\n.\r\n.\r\n",
        b". \r\n.\t\r\n.x\r\n",
        b"a text without a header\r\n",
        b" \tone that begins with blanks\r\n",
        b"Subject: a header alone\r\n",
        b"Subject: and an empty line\r\n\r\n",
        b"Subject: and an empty text\r\n\r\n\r\n",
        b"Subject:\r\n folded\r\n\tand folded\r\n\r\n \r\n",
        b"*****\r\nFrom: a@mymailserver\r\nTo: b@mymailserver\r\nMIME-Version: 1.0\r\nContent-Type: text\r\n*****\r\nHello both\r\n",
        b"Return-Path: <a@b>\r\nReceived: from x\r\n\tby y\r\n\r\nof another server\r\n",
        b"+OK\r\n-ERR\r\n250 OK\r\nQUIT\r\n",
        b"From a@b Mon Jan  1 00:00:00 2024\r\n>From the start\r\nFrom the start\r\n",
        b"ends with blanks   \t \r\n   \r\n",
        b"\0\r\n\0\0NUL in it\0\r\n",
        b"caf\xe9 \xff\xfe \xc3\r\n\xa9\r\n",
        b"\x1b]0;title\x07\x08\x0b\x0c\x1a\x04\x7f\r\n",
        "Subject: Grüße 你好\r\nX-Ключ: значение\r\n\r\n😀 é e\u{301} \u{feff}\u{202e}\u{2028}\u{85}\r\n".as_bytes(),
        b"=0D=0A.=0D=0A\r\n=\r\n&#10;\\r\\n%0d%0a\r\n",
    ];
    let mut messages: Vec<_> = by_hand.iter().map(|message| message.to_vec()).collect();
    messages.push((0..=255).filter(|octet| !b"\r\n".contains(octet)).chain(*b"\r\n").collect());
    messages
        .push(["Subject: long\r\n".as_bytes(), &b" folded line\r\n".repeat(100_000 / 14), b"\r\ntext\r\n"].concat());
    messages.push([b"Subject: ", &b"long line ".repeat(10_000)[..], b"\r\n\r\ntext\r\n"].concat());
    messages.push([&b".".repeat(100_000)[..], b"\r\n"].concat());
    messages.push(b".\r\n".repeat(30_000));
    for end in BUFFER_ENDS {
        for octets in end - 3..=end + 2 {
            messages.push([&b"x".repeat(octets)[..], b"\r\n.\r\n..\r\n"].concat());
        }
        messages.push(["ä".repeat(end).as_bytes(), b"\r\n"].concat());
    }
    messages.extend((0..NOISE_MESSAGES).map(noisy));
    messages
}

/// Lines of any octets that a line may have, dots before all, and of any length.
fn noisy(seed: u64) -> Vec<u8> {
    let mut state = noise(seed);
    let mut message = Vec::new();
    for _ in 0..state % 30 {
        state = noise(state);
        let octets = if state.is_multiple_of(8) { state % 3_000 } else { state % 70 };
        for _ in 0..octets {
            state = noise(state);
            let octet = state.to_le_bytes()[0];
            message.push(if matches!(octet, b'\r' | b'\n' | 128..160) { b'.' } else { octet });
        }
        message.extend(b"\r\n");
    }
    message
}

/// All messages over POP3, asked for at once, as they come without the stuffed dots. They stay where they are.
async fn maildrop(server: &str, user: &str, password: &str, count: usize) -> io::Result<Vec<Vec<u8>>> {
    let commands: String = (1..=count).map(|number| format!("RETR {number}\r\n")).collect();
    let mut stream = TcpStream::connect(server).await?;
    let mut dialogue = Vec::new();
    timeout(PATIENCE, async {
        let (mut reader, mut writer) = stream.split();
        let commands = format!("USER {user}\r\nPASS {password}\r\n{commands}QUIT\r\n");
        tokio::try_join!(writer.write_all(commands.as_bytes()), reader.read_to_end(&mut dialogue))
    })
    .await
    .unwrap()?;

    let mut lines = dialogue.split_inclusive(|octet| *octet == b'\n');
    let mut reply = |what: &str| assert!(lines.next().unwrap().starts_with(b"+OK"), "{what} is refused");
    reply("the connection");
    reply("USER");
    reply("PASS");
    let mut messages = Vec::new();
    for number in 1..=count {
        let status = lines.next().unwrap();
        let mut message = Vec::new();
        while let Some(line) = lines.next().filter(|line| *line != b".\r\n") {
            message.extend(line.strip_prefix(b".").unwrap_or(line));
        }
        let sized = format!("+OK {} octets\r\n", message.len());
        assert_eq!(String::from_utf8_lossy(status), sized, "for message {number}");
        messages.push(message);
    }
    assert!(lines.next().unwrap().starts_with(b"+OK") && lines.next().is_none(), "QUIT does not end it");
    Ok(messages)
}

/// A message without Return-Path and the three lines of Received, which the message itself may look like; and without the
/// empty line that parts them from a text that has no header.
fn without_trace(message: &[u8]) -> Vec<u8> {
    let mut rest = message;
    for begin in ["Return-Path: <sender@mymailserver>\r\n", "Received: from ", "\tby mymailserver with ", "\t"] {
        assert!(rest.starts_with(begin.as_bytes()), "{:?} instead of {begin:?}", beginning(rest));
        let end = rest.iter().position(|octet| *octet == b'\n').unwrap();
        rest = &rest[end + 1..];
    }
    match rest.strip_prefix(b"\r\n") {
        Some(text) if !begins_with_header(text) => text.to_vec(),
        _ => rest.to_vec(),
    }
}

/// Whether a message begins with a field or with the empty line that ends a header (RFC 5322 §2.2).
fn begins_with_header(message: &[u8]) -> bool {
    let line = message.split(|octet| *octet == b'\r').next().unwrap();
    let name = line.iter().position(|octet| *octet == b':').map(|end| line[..end].trim_ascii_end());
    line.is_empty() || name.is_some_and(|name| !name.is_empty() && name.iter().all(u8::is_ascii_graphic))
}

/// Files end lines in LF, and have what docs/interface.md says before the message.
fn assert_filed(folder: &Path, messages: &[Vec<u8>]) {
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    let count_of = |path: &Path| -> usize {
        let name = path.file_name().unwrap().to_str().unwrap().split('.').nth(1).unwrap();
        name.rsplit('Q').next().unwrap().parse().unwrap()
    };
    paths.sort_by_key(|path| count_of(path));
    let trace = "Return-Path: <sender@mymailserver>\nDelivered-To: maildir@mymailserver\n";
    let header = "From: sender@mymailserver\nTo: maildir@mymailserver\nMIME-Version: 1.0\nContent-Type: text/plain\n\n";
    let filed: Vec<_> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let texts = filed.iter().map(|octets| {
        let text =
            octets.strip_prefix(trace.as_bytes()).unwrap_or_else(|| panic!("{:?} is no trace", beginning(octets)));
        text.strip_prefix(header.as_bytes()).unwrap_or(text).to_vec()
    });
    let messages: Vec<_> = messages.iter().map(|message| with_lf(message)).collect();
    assert_same(&texts.collect::<Vec<_>>(), &messages);
}

fn with_lf(message: &[u8]) -> Vec<u8> {
    // In what was accepted, CR stands nowhere but before LF.
    message.iter().copied().filter(|octet| *octet != b'\r').collect()
}

#[track_caller]
fn assert_same(got: &[Vec<u8>], expected: &[Vec<u8>]) {
    assert_eq!(got.len(), expected.len(), "so many messages");
    for (number, (got, expected)) in got.iter().zip(expected).enumerate() {
        let at = got.iter().zip(expected).position(|(got, expected)| got != expected);
        let at = at.unwrap_or(got.len().min(expected.len()));
        assert!(
            got == expected,
            "message {number} of {} octets instead of {}: from octet {at} it has {:?} instead of {:?}",
            got.len(),
            expected.len(),
            beginning(&got[at..]),
            beginning(&expected[at..])
        );
    }
}

fn beginning(message: &[u8]) -> String {
    String::from_utf8_lossy(&message[..message.len().min(80)]).into_owned()
}

fn output(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}
