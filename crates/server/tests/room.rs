//! A disk with too little room for mail: none is taken, and what is there is read and deleted, by XRETRIEVE and POP3.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod common;

use std::io::BufReader;

use bytesize::ByteSize;
use proto::sasl::scram::{ITERATIONS, SALT_OCTETS, Verifier};
use server::Config;
use server::config::{Listen, Tls};

use common::{Connection, Running, exchange, listen};

const SMTP: usize = 0;
const POP3: usize = 1;
const MESSAGES: usize = 4;

/// As alice, whose password is "secret".
const LOGIN: &str = "AUTH PLAIN AGFsaWNlAHNlY3JldA==";

fn with_reserve(reserve: ByteSize) -> Config {
    let mut config =
        Config { listen: vec![listen(Listen::smtp, Tls::Off), listen(Listen::pop3, Tls::Off)], ..Config::default() };
    config.limits.reserve = reserve;
    config
}

fn open(server: &Running, listener: usize) -> BufReader<Connection> {
    let mut session = BufReader::new(server.connect(listener));
    exchange(&mut session, "", if listener == SMTP { "220 " } else { "+OK" });
    session
}

/// Says a line and takes the reply, whose last line begins like this.
fn say(session: &mut BufReader<Connection>, line: &str, last: &str) -> String {
    exchange(session, &format!("{line}\r\n"), last)
}

fn pop3(server: &Running) -> BufReader<Connection> {
    let mut session = open(server, POP3);
    say(&mut session, "USER alice", "+OK");
    say(&mut session, "PASS secret", "+OK");
    session
}

#[test]
fn what_is_there_is_read_and_deleted() {
    let server = Running::start(with_reserve(ByteSize::b(0)));
    let mut session = open(&server, SMTP);
    say(&mut session, "HELO here", "250 ");
    say(&mut session, "XREGISTER alice", "250 ");
    let verifier = Verifier::derive("secret", &[1; SALT_OCTETS], ITERATIONS);
    say(&mut session, &format!("XPASSWD VERIFIER={verifier}"), "250 ");
    for number in 0..MESSAGES {
        say(&mut session, "MAIL FROM:<alice@mymailserver>\r\nRCPT TO:<alice@mymailserver>\r\nDATA", "354 ");
        say(&mut session, &format!("Message {number}\r\n."), "250 ");
    }

    let server = server.start_again(with_reserve(ByteSize::pib(100)));
    let mut session = pop3(&server);
    say(&mut session, "STAT", &format!("+OK {MESSAGES} "));
    assert!(say(&mut session, "RETR 1", ".").contains("\r\nMessage 0\r\n"));
    say(&mut session, "DELE 1", "+OK");
    say(&mut session, "QUIT", "+OK");
    say(&mut pop3(&server), "STAT", &format!("+OK {} ", MESSAGES - 1));

    let mut session = open(&server, SMTP);
    say(&mut session, "HELO here", "250 ");
    say(&mut session, "XREGISTER bob", "250 ");
    say(&mut session, "MAIL FROM:<bob@mymailserver>", "452 Out of storage");
    say(&mut session, "XUNREGISTER", "250 ");
    say(&mut session, LOGIN, "235 ");
    let mail = say(&mut session, "XRETRIEVE\r\nNOOP", "250 OK");
    assert!(mail.starts_with("250 3 messages") && mail.contains("\r\nMessage 3\r\n"), "{mail}");
    say(&mut session, "XRETRIEVE", "250 0 messages");
    say(&mut pop3(&server), "STAT", "+OK 0 ");
}
