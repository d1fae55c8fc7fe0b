//! Several readers of one mailbox at once, by POP3 and by XRETRIEVE, while mail comes in: nothing is lost, and nothing is torn.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod common;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::sync::Mutex;
use std::thread;

use proto::sasl::scram::{ITERATIONS, SALT_OCTETS, Verifier};
use server::Config;
use server::config::{Listen, Tls};

use common::{Connection, Running, listen};

const SMTP: usize = 0;
const POP3: usize = 1;
const MESSAGES: usize = 300;

/// A session, and the end of the connection as an outcome: a reader may be cut off when another one has been faster.
struct Session(BufReader<Connection>);

impl Session {
    fn open(server: &Running, listener: usize) -> Self {
        let mut session = Self(BufReader::new(server.connect(listener)));
        session.line().unwrap();
        session
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        (self.0.read_line(&mut line).ok()? > 0).then(|| line.trim_end_matches("\r\n").to_owned())
    }

    /// Says a command; the first line of what comes back.
    fn say(&mut self, command: &str) -> Option<String> {
        self.0.get_mut().write_all(format!("{command}\r\n").as_bytes()).ok()?;
        self.line()
    }

    /// The lines up to the one with a dot.
    fn text(&mut self) -> Option<Vec<String>> {
        let mut lines = Vec::new();
        loop {
            match self.line()? {
                line if line == "." => return Some(lines),
                line => lines.push(line),
            }
        }
    }
}

/// A message that shows whether it is whole: its number, and as many lines that say it again.
fn message(number: usize) -> Vec<String> {
    // Some are big enough for a file of their own.
    let lines = if number.is_multiple_of(10) { 10_000 } else { 1 + number % 7 };
    std::iter::once(lines.to_string()).chain((0..lines).map(|line| format!("{number} {line} text"))).collect()
}

/// Which message this is, if it is whole.
fn number_of(lines: &[String]) -> usize {
    let number = lines[1].split(' ').next().unwrap().parse().unwrap();
    assert_eq!(lines, message(number), "a message is torn");
    number
}

/// Sends all messages to alice.
fn deliver(server: &Running) {
    let mut session = Session::open(server, SMTP);
    session.say("HELO here").unwrap();
    let own = session.say("XREGISTER").unwrap()["250 ".len()..].to_owned();
    for number in 0..MESSAGES {
        for command in [&format!("MAIL FROM:<{own}>"), "RCPT TO:<alice@mymailserver>", "DATA"] {
            assert!(session.say(command).unwrap().starts_with(['2', '3']));
        }
        assert_eq!(session.say(&(message(number).join("\r\n") + "\r\n.")).as_deref(), Some("250 OK"));
    }
}

const LOGIN: &str = "AUTH PLAIN AGFsaWNlAHNlY3JldA==";

/// Reads by XRETRIEVE; what it then has for sure.
fn retrieve(server: &Running) -> Option<Vec<usize>> {
    let mut session = Session::open(server, SMTP);
    assert_eq!(session.say(LOGIN).as_deref(), Some("235 Authentication successful"));
    let count: usize = session.say("XRETRIEVE")?.split(' ').nth(1).unwrap().parse().unwrap();
    let mut numbers = Vec::new();
    for _ in 0..count {
        // Behind the header block of six lines and its stars.
        numbers.push(number_of(&session.text()?[6..]));
    }
    // The reply says that they are flushed, or were.
    session.say("NOOP").map(|_| numbers)
}

/// Reads by POP3 and deletes what it has read; what it then has for sure.
fn pop(server: &Running) -> Option<Vec<usize>> {
    let mut session = Session::open(server, POP3);
    assert!(session.say(LOGIN).unwrap().starts_with("+OK"));
    let count: usize = session.say("STAT")?.split(' ').nth(1).unwrap().parse().unwrap();
    let mut numbers = Vec::new();
    for at in 1..=count {
        if session.say(&format!("RETR {at}"))?.starts_with("+OK") {
            let lines = session.text()?;
            let text = lines.iter().position(|line| line.parse::<usize>().is_ok()).unwrap();
            assert!(lines[0].starts_with("Return-Path: <") && lines[1].starts_with("Received: "), "{lines:?}");
            numbers.push(number_of(&lines[text..]));
            assert!(session.say(&format!("DELE {at}"))?.starts_with("+OK"));
        }
    }
    session.say("QUIT")?.starts_with("+OK").then_some(numbers)
}

#[test]
fn nothing_is_lost_and_nothing_is_torn() {
    let listeners = vec![listen(Listen::smtp, Tls::Off), listen(Listen::pop3, Tls::Off)];
    let server = Running::start(Config { listen: listeners, ..Config::default() });
    let mut alice = Session::open(&server, SMTP);
    let verifier = Verifier::derive("secret", &[1; SALT_OCTETS], ITERATIONS);
    assert_eq!(alice.say("XREGISTER alice").as_deref(), Some("250 alice@mymailserver"));
    assert_eq!(alice.say(&format!("XPASSWD VERIFIER={verifier}")).as_deref(), Some("250 OK"));

    let had: Mutex<BTreeMap<usize, usize>> = Mutex::default();
    let read = |by: fn(&Running) -> Option<Vec<usize>>| {
        while had.lock().unwrap().len() < MESSAGES {
            for number in by(&server).unwrap_or_default() {
                *had.lock().unwrap().entry(number).or_default() += 1;
            }
        }
    };
    thread::scope(|scope| {
        scope.spawn(|| deliver(&server));
        for by in [retrieve, pop, retrieve, pop] {
            scope.spawn(move || read(by));
        }
    });
    assert!(had.lock().unwrap().keys().copied().eq(0..MESSAGES));
    assert_eq!((retrieve(&server), pop(&server)), (Some(Vec::new()), Some(Vec::new())), "and the mailbox is empty");
}
