//! What stands before a message that POP3 gives: the trace lines, and an empty line where the message itself has no header.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod common;

use std::io::BufReader;

use proto::sasl::scram::{ITERATIONS, SALT_OCTETS, Verifier};
use server::Config;
use server::config::{Listen, Tls};

use common::{Running, exchange, listen};

#[test]
fn a_message_typed_without_a_header_gets_an_empty_line_before_its_text() {
    let listeners = vec![listen(Listen::smtp, Tls::Starttls), listen(Listen::pop3, Tls::Off)];
    let server = Running::start(Config { listen: listeners, ..Config::default() });
    let mut smtp = BufReader::new(server.connect(0));
    exchange(&mut smtp, "EHLO here\r\nSTARTTLS\r\n", "220 2.0.0 ");
    let mut smtp = BufReader::new(server.encrypt(smtp.into_inner()));
    let verifier = Verifier::derive("secret", &[1; SALT_OCTETS], ITERATIONS);
    let account = format!("EHLO here\r\nXREGISTER alice\r\nXPASSWD VERIFIER={verifier}\r\n");
    exchange(&mut smtp, &account, "250 2.0.0 OK");
    let texts = ["Hello both\r\n", "Subject: hello\r\n\r\nboth\r\n", "\r\nboth\r\n", ""];
    for text in texts {
        let mail = format!("MAIL FROM:<alice@mymailserver>\r\nRCPT TO:<alice@mymailserver>\r\nDATA\r\n{text}.\r\n");
        exchange(&mut smtp, &mail, "250 2.6.0 ");
    }

    let mut pop3 = BufReader::new(server.connect(1));
    exchange(&mut pop3, "USER alice\r\nPASS secret\r\n", "+OK maildrop has 4 messages");
    for (at, text) in (1..).zip(texts) {
        let size = exchange(&mut pop3, &format!("LIST {at}\r\n"), "+OK ");
        let size: usize = size.trim_end().rsplit(' ').next().unwrap().parse().unwrap();
        let message = exchange(&mut pop3, &format!("RETR {at}\r\n"), ".");
        let message = message.split_once("\r\n").unwrap().1.strip_suffix(".\r\n").unwrap();
        assert_eq!(message.len(), size);
        let (trace, rest) = message.split_at(message.len() - text.len());
        assert_eq!(rest, text);
        assert!(trace.starts_with("Return-Path: <alice@mymailserver>\r\nReceived: from here ([127.0.0.1])\r\n\tby mymailserver with ESMTPS id "), "{trace}");
        assert_eq!(trace.ends_with("\r\n\r\n"), text == texts[0], "{trace}");
    }
}
