//! A message whose bytes are gone from the disk, all or some, keeps nobody from the mail behind it.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod common;

use std::fs;
use std::io::{BufRead, BufReader, Write};

use server::Config;
use server::config::{Listen, Tls};

use common::{Connection, Running, listen};

/// Says something and gives the lines of the answer, to the one that ends with `last`.
fn exchange(connection: &mut BufReader<Connection>, said: &str, last: &str) -> Vec<String> {
    connection.get_mut().write_all(said.as_bytes()).unwrap();
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line: &String| !line.ends_with(last)) {
        let mut line = String::new();
        assert!(connection.read_line(&mut line).unwrap() > 0, "closed after {lines:?}");
        lines.push(line.trim_end().to_owned());
    }
    lines
}

#[test]
fn what_can_be_read_is_handed_over_and_what_cannot_is_kept() {
    let server = Running::start(Config { listen: vec![listen(Listen::smtp, Tls::Off)], ..Config::default() });
    let mut alice = BufReader::new(server.connect(0));
    exchange(&mut alice, "HELO here\r\nXREGISTER alice\r\n", "250 alice@mymailserver");
    let transaction = "MAIL FROM:<alice@mymailserver>\r\nRCPT TO:<alice@mymailserver>\r\nDATA\r\n";
    for text in ["x".repeat(300_000), "x".repeat(300_000), "small".to_owned()] {
        exchange(&mut alice, transaction, "<CRLF>.<CRLF>");
        assert_eq!(exchange(&mut alice, &format!("{text}\r\n.\r\n"), "OK"), ["250 OK"]);
    }
    let mut bodies = fs::read_dir(server.data.path().join("bodies")).unwrap();
    fs::remove_file(bodies.next().unwrap().unwrap().path()).unwrap();
    fs::write(bodies.next().unwrap().unwrap().path(), "cut short").unwrap();

    let answer = exchange(&mut alice, "XRETRIEVE\r\n", "small").join("\n");
    assert!(answer.starts_with("250 3 messages"), "{answer}");
    assert_eq!(answer.matches("This message is damaged").count(), 2, "{answer}");
    assert_eq!(exchange(&mut alice, "NOOP\r\n", "OK"), [".", "250 OK"]);
    let answer = exchange(&mut alice, "XRETRIEVE\r\n", "operator.").join("\n");
    assert!(answer.starts_with("250 2 messages"), "{answer}");
}
