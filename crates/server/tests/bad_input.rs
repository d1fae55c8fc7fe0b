//! Every row of the table of bad input in `docs/wire.md`, at every listener that speaks SMTP or LMTP: in clear text and under TLS.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod common;

use std::io::{BufRead, BufReader, Read, Write};
use std::time::Duration;

use bytesize::ByteSize;
use proto::sasl::scram::{ITERATIONS, SALT_OCTETS, Verifier};
use server::Config;
use server::config::{Listen, Protocol, Tls};

use common::{Connection, Running, listen};

/// A listener, and how one comes to send there.
#[derive(Clone, Copy)]
struct Place {
    protocol: Protocol,
    from_outside: bool,
    tls: Tls,
    hello: &'static str,
    login: Option<&'static str>,
    sender: &'static str,
}

const LOGIN: Option<&str> = Some("AUTH PLAIN AGFsaWNlAHNlY3JldA==");

/// Where the listeners stand in the configuration.
const PLACES: [Place; 8] = [
    Place::new(Protocol::Smtp, false, Tls::Starttls, "EHLO client.example", LOGIN, "alice@mymailserver"),
    Place::new(Protocol::Smtp, true, Tls::Starttls, "EHLO mx.example", None, "x@elsewhere.example"),
    Place::new(Protocol::Submission, false, Tls::Starttls, "EHLO client.example", LOGIN, "alice@mymailserver"),
    Place::new(Protocol::Lmtp, false, Tls::Starttls, "LHLO mx.example", None, "x@elsewhere.example"),
    Place::new(Protocol::Smtp, false, Tls::Implicit, "EHLO client.example", LOGIN, "alice@mymailserver"),
    Place::new(Protocol::Smtp, true, Tls::Implicit, "EHLO mx.example", None, "x@elsewhere.example"),
    Place::new(Protocol::Submission, false, Tls::Implicit, "EHLO client.example", LOGIN, "alice@mymailserver"),
    Place::new(Protocol::Lmtp, false, Tls::Implicit, "LHLO mx.example", None, "x@elsewhere.example"),
];

impl Place {
    const fn new(
        protocol: Protocol,
        from_outside: bool,
        tls: Tls,
        hello: &'static str,
        login: Option<&'static str>,
        sender: &'static str,
    ) -> Self {
        Self { protocol, from_outside, tls, hello, login, sender }
    }

    fn is_strict(self) -> bool {
        self.from_outside || self.protocol == Protocol::Lmtp
    }

    fn mail(self) -> String {
        format!("MAIL FROM:<{}>", self.sender)
    }
}

/// A connection with one of the places.
struct Session(BufReader<Connection>);

impl Session {
    fn open(server: &Running, at: usize) -> Self {
        let connection = server.connect(at);
        let connection = if PLACES[at].tls == Tls::Implicit { server.encrypt(connection) } else { connection };
        Self(BufReader::new(connection))
    }

    /// Greeted, and logged in where that is needed.
    fn ready(server: &Running, at: usize) -> Self {
        let mut session = Self::open(server, at);
        session.hears("220 ");
        for command in [Some(PLACES[at].hello), PLACES[at].login].into_iter().flatten() {
            session.says(command, "2");
        }
        session
    }

    fn sends(&mut self, octets: &[u8]) {
        let connection = self.0.get_mut();
        connection.write_all(octets).unwrap();
        connection.flush().unwrap();
    }

    /// The next reply begins so.
    fn hears(&mut self, begins: &str) {
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            if line.as_bytes().get(3) != Some(&b'-') {
                return assert!(line.starts_with(begins), "{line:?} instead of {begins:?}");
            }
        }
    }

    fn says(&mut self, command: &str, hears: &str) {
        self.sends(format!("{command}\r\n").as_bytes());
        self.hears(hears);
    }

    fn is_closed(&mut self) {
        let mut rest = Vec::new();
        match self.0.read_to_end(&mut rest) {
            Ok(_) => assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(&rest)),
            // The server has closed without reading all that was sent.
            Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset),
        }
    }
}

fn start(change: impl FnOnce(&mut Config)) -> Running {
    let listener = |place: &Place| Listen {
        protocol: place.protocol,
        from_outside: place.from_outside,
        ..listen(Listen::smtp, place.tls)
    };
    let mut config = Config { listen: PLACES.iter().map(listener).collect(), ..Config::default() };
    config.limits.message_size = ByteSize::b(10_000);
    config.limits.recipients = 2;
    config.limits.errors_per_session = 30;
    change(&mut config);
    let server = Running::start(config);
    let mut session = Session::open(&server, 0);
    session.hears("220 ");
    let verifier = Verifier::derive("secret", &[1; SALT_OCTETS], ITERATIONS);
    for command in ["HELO", "XREGISTER alice", &format!("XPASSWD VERIFIER={verifier}")] {
        session.says(command, "250 ");
    }
    session.says("QUIT", "221 ");
    session.is_closed();
    server
}

fn at_every_place(change: impl FnOnce(&mut Config), row: impl Fn(&Running, usize, Place)) {
    let server = start(change);
    for (at, place) in PLACES.into_iter().enumerate() {
        row(&server, at, place);
    }
}

#[test]
fn commands() {
    at_every_place(
        |_| (),
        |server, at, place| {
            let mut session = Session::ready(server, at);
            session.says("DANCE", "500 5.5.1 Command unrecognized\r\n");
            session.says("MAIL alice", "501 5.5.4 ");
            session.says("RCPT TO:<alice@mymailserver>", "503 5.5.1 ");
            session.says("DATA", "503 5.5.1 ");
            session.says(&"x".repeat(100_000), "500 5.5.6 Line too long\r\n");
            session.says("NOOP", "250 ");
            session.says("NOOP a\0b", "501 5.5.4 ");
            session.says("NOOP grün", "501 5.5.4 ");
            session.says("MAIL FROM:<grün@mymailserver>", "501 5.5.4 ");
            session.says(&format!("MAIL FROM:<{}@mymailserver>", "x".repeat(65)), "501 5.1.7 Local part");
            session.says(&format!("MAIL FROM:<x@{}>", "x.".repeat(128)), "501 5.1.7 Domain");
            session.says(&place.mail(), "250 2.1.0 ");
            session.says(&format!("RCPT TO:<{}@mymailserver>", "x".repeat(65)), "501 5.1.3 Local part");
            let path = format!("RCPT TO:<@{}:alice@mymailserver>", ["abc.example"; 30].join(",@"));
            session.says(&path, "501 5.1.3 Path");
            session.sends(b"NOOP a\nQUIT\r\n");
            session.hears("550 5.6.11 Bare <CR> or <LF>\r\n");
            session.says("NOOP a\rQUIT", "550 5.6.11 ");
            session.says("NOOP", "250 ");
        },
    );
}

#[test]
fn sizes_and_counts() {
    let limits = |config: &mut Config| config.limits.mailbox_size = ByteSize::b(8_000);
    at_every_place(limits, |server, at, place| {
        let mut session = Session::ready(server, at);
        session.says(&format!("{} SIZE=10001", place.mail()), "552 5.3.4 ");
        session.says(&format!("{} SIZE=9000", place.mail()), "250 ");
        session.says("RCPT TO:<alice@mymailserver>", "552 5.2.2 Mailbox full\r\n");
        session.says("RCPT TO:<postmaster+x@mymailserver> COLOUR=red", "555 5.5.4 ");
        session.says("RSET", "250 ");
        session.says(&place.mail(), "250 ");
        session.says("RCPT TO:<alice@mymailserver>", "250 ");
        session.says("RCPT TO:<postmaster>", "250 ");
        session.says("RCPT TO:<alice+x@mymailserver>", "452 4.5.3 Too many recipients\r\n");
        session.says("RSET", "250 ");
        session.says(&place.mail(), "250 ");
        session.says("RCPT TO:<alice@mymailserver>", "250 ");
        session.says("DATA", "354 ");
        session.says(&format!("{}\r\n.", "x".repeat(10_000)), "552 5.3.4 ");
        // A long line is no fault.
        session.says(&place.mail(), "250 ");
        session.says("RCPT TO:<alice@mymailserver>", "250 ");
        session.says("DATA", "354 ");
        session.says(&format!("{}\r\n.", "x".repeat(1001 - 7 * usize::from(at > 0))), "250 2.6.0 ");
    });
}

#[test]
fn false_ends_of_data() {
    const FALSE_ENDS: [&str; 9] =
        ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n\n.\r\n", "\r\n.\r\r\n", "\r\n\r.\r\n"];
    at_every_place(
        |_| (),
        |server, at, place| {
            for false_end in FALSE_ENDS {
                let mut session = Session::ready(server, at);
                session.says(&place.mail(), "250 ");
                session.says("RCPT TO:<alice@mymailserver>", "250 ");
                session.says("DATA", "354 ");
                let smuggled = format!("{}\r\nRCPT TO:<alice@mymailserver>\r\nDATA\r\nsmuggled", place.mail());
                session.says(&format!("text{false_end}{smuggled}\r\n."), "550 5.6.11 Bare <CR> or <LF>\r\n");
                session.says("QUIT", "221 ");
                session.is_closed();
            }
        },
    );
}

#[test]
fn what_comes_first() {
    at_every_place(
        |_| (),
        |server, at, place| {
            for opening in
                ["GET / HTTP/1.1\r\nHost: x\r\n\r\n", "POST / HTTP/1.1\r\n\r\n", "\x16\x03\x01\x02\0\x01\r\n"]
            {
                let mut session = Session::open(server, at);
                session.hears("220 ");
                session.sends(opening.as_bytes());
                session.hears("554 This is an SMTP server\r\n");
                session.is_closed();
            }
            if place.tls == Tls::Starttls {
                let mut session = Session::ready(server, at);
                session.sends(b"STARTTLS\r\nNOOP\r\n");
                if place.is_strict() {
                    session.hears("554 5.5.0 Sent before its turn\r\n");
                }
                session.is_closed();
            }
        },
    );
}

#[test]
fn too_much() {
    at_every_place(
        |config| config.limits.errors_per_session = 3,
        |server, at, _| {
            let mut session = Session::ready(server, at);
            for _ in 0..3 {
                session.says("DANCE", "500 5.5.1 ");
            }
            session.says("DANCE", "421 4.7.0 mymailserver Too many errors\r\n");
            session.is_closed();
        },
    );
    at_every_place(
        |config| config.timeouts.command = Duration::from_millis(300),
        |server, at, _| {
            let mut session = Session::ready(server, at);
            session.hears("421 4.4.2 mymailserver Timeout");
            session.is_closed();
        },
    );
}

#[test]
fn too_many_connections() {
    for (at, place) in PLACES.into_iter().enumerate().filter(|(_, place)| place.tls == Tls::Starttls) {
        let server = start(|config| config.limits.connections_per_peer = 1);
        let mut first = Session::open(&server, at);
        first.hears("220 ");
        let mut second = Session::open(&server, at);
        second.hears("421 mymailserver Too many connections");
        second.is_closed();
        first.says(place.hello, "250 ");
    }
}

#[test]
fn before_its_turn() {
    at_every_place(
        |_| (),
        |server, at, place| {
            let mut session = Session::ready(server, at);
            session.sends(b"NOOP\r\nNOOP\r\n");
            if place.is_strict() {
                session.hears("554 5.5.0 Sent before its turn\r\n");
                session.is_closed();
            } else {
                session.hears("250 ");
                session.hears("250 ");
            }
        },
    );
}
