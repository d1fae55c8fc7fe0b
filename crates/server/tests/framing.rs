//! A binary message holds whatever its sender likes, and no reader sees an end in it: not one that takes a lone CR or LF near a dot
//! for one either, as another server does to which the message may go on.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod common;

use std::io::{BufRead, BufReader, Read, Write};

use server::Config;
use server::config::{Listen, Tls};
use testkit::smuggling::{AROUND, lenient_end};

use common::{Running, exchange, listen};

/// Headers under which a body is handed over as it is, as lines, in base64 or in parts.
const HEADERS: [&str; 6] = [
    "",
    "Subject: x\r\n\r\n",
    "Content-Transfer-Encoding: binary\r\n\r\n",
    "Content-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: binary\r\n\r\n--b\r\n\r\n",
    "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Transfer-Encoding: binary\r\n\r\n",
    "Content-Type: message/rfc822\nContent-Transfer-Encoding: binary\r\r\nSubject: y\n.\n",
];

/// Every false end of data, with a command behind it, and more of the message.
fn body() -> Vec<u8> {
    let ends = AROUND.iter().flat_map(|before| AROUND.map(|after| [before, &b"."[..], after].concat()));
    ends.flat_map(|end| [b"x", &end[..], b"MAIL FROM:<smuggled@elsewhere.example>\n--b\r"].concat()).collect()
}

/// Everything up to the end that a strict reader sees.
fn framed(reader: &mut BufReader<impl Read>) -> Vec<u8> {
    let mut wire = Vec::new();
    while wire != b".\r\n" && !wire.ends_with(b"\r\n.\r\n") {
        assert!(reader.read_until(b'\n', &mut wire).unwrap() > 0, "closed");
    }
    wire
}

#[test]
fn a_binary_message_has_one_end() {
    let listeners = vec![listen(Listen::smtp, Tls::Off), listen(Listen::pop3, Tls::Off)];
    let server = Running::start(Config { listen: listeners, ..Config::default() });
    let mut alice = BufReader::new(server.connect(0));
    let password = exchange(&mut alice, "EHLO x\r\nXREGISTER alice\r\nXPASSWD\r\n", "250 2.7.0 ");
    let password = password.trim_end().rsplit(' ').next().unwrap();
    for header in HEADERS {
        let message = [header.as_bytes(), &body()].concat();
        exchange(&mut alice, "MAIL FROM:<alice@mymailserver> BODY=BINARYMIME\r\n", "250 ");
        exchange(&mut alice, "RCPT TO:<alice@mymailserver>\r\n", "250 ");
        alice.get_mut().write_all(format!("BDAT {} LAST\r\n", message.len()).as_bytes()).unwrap();
        alice.get_mut().write_all(&message).unwrap();
        exchange(&mut alice, "", "250 2.6.0 ");

        let mut pop3 = BufReader::new(server.connect(1));
        exchange(&mut pop3, &format!("USER alice\r\nPASS {password}\r\n"), "+OK maildrop has 1 message");
        for command in ["RETR 1", "TOP 1 1", "TOP 1 100000"] {
            exchange(&mut pop3, &format!("{command}\r\n"), "+OK");
            let wire = framed(&mut pop3);
            assert_eq!(lenient_end(&wire), Some(wire.len()), "{command}: {header:?}");
        }
        exchange(&mut alice, "XRETRIEVE\r\n", "250 2.0.0 1 messages");
        let wire = framed(&mut alice);
        assert_eq!(lenient_end(&wire), Some(wire.len()), "XRETRIEVE: {header:?}");
        exchange(&mut alice, "NOOP\r\n", "250 2.0.0 OK");
    }
}
