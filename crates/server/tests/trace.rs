//! What stands before a message that POP3 gives: the trace lines, and an empty line where the message itself has no header.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod common;

use std::io::BufReader;

use proto::sasl::scram::{ITERATIONS, SALT_OCTETS, Verifier};
use server::Config;
use server::config::{Listen, Protocol, Tls};

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

/// What stands before the only message of alice's mailbox, and the message.
fn message(server: &Running, pop3: usize) -> String {
    let mut pop3 = BufReader::new(server.connect(pop3));
    exchange(&mut pop3, "USER alice\r\nPASS secret\r\n", "+OK maildrop has 1 message");
    let message = exchange(&mut pop3, "RETR 1\r\n", ".");
    exchange(&mut pop3, "DELE 1\r\nQUIT\r\n", "+OK mymailserver POP3 server signing off");
    message.split_once("\r\n").unwrap().1.strip_suffix(".\r\n").unwrap().to_owned()
}

#[test]
fn received_says_by_what_protocol() {
    let lmtp = Listen { protocol: Protocol::Lmtp, ..listen(Listen::smtp, Tls::Starttls) };
    let listeners = vec![listen(Listen::smtp, Tls::Starttls), listen(Listen::pop3, Tls::Off), lmtp];
    let server = Running::start(Config { listen: listeners, ..Config::default() });
    let mut smtp = BufReader::new(server.connect(0));
    let verifier = Verifier::derive("secret", &[1; SALT_OCTETS], ITERATIONS);
    exchange(&mut smtp, &format!("HELO\r\nXREGISTER alice\r\nXPASSWD VERIFIER={verifier}\r\n"), "250 OK");

    let (smtp, lmtp) = (0, 2);
    const LOGIN: &str = "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n";
    for (listener, is_encrypted, hello, login, utf8, protocol) in [
        (smtp, false, "HELO here", LOGIN, "", "SMTP"),
        (smtp, false, "EHLO here", LOGIN, "", "ESMTPA"),
        (smtp, true, "EHLO here", LOGIN, "", "ESMTPSA"),
        (smtp, false, "EHLO here", LOGIN, " SMTPUTF8", "UTF8SMTPA"),
        (smtp, true, "EHLO here", LOGIN, " SMTPUTF8", "UTF8SMTPSA"),
        (lmtp, false, "LHLO here", "", "", "LMTP"),
        (lmtp, true, "LHLO here", "", "", "LMTPS"),
        (lmtp, false, "LHLO here", "", " SMTPUTF8", "UTF8LMTP"),
        (lmtp, true, "LHLO here", "", " SMTPUTF8", "UTF8LMTPS"),
    ] {
        let mut session = BufReader::new(server.connect(listener));
        exchange(&mut session, "", "220 ");
        if is_encrypted {
            exchange(&mut session, &format!("{hello}\r\n"), "250 HELP");
            exchange(&mut session, "STARTTLS\r\n", "220 2.0.0 ");
            session = BufReader::new(server.encrypt(session.into_inner()));
        }
        exchange(&mut session, &format!("{hello}\r\n"), "250 ");
        if !login.is_empty() {
            exchange(&mut session, login, "235 ");
        }
        for command in [&format!("MAIL FROM:<alice@mymailserver>{utf8}\r\n"), "RCPT TO:<alice@mymailserver>\r\n"] {
            exchange(&mut session, command, "250 ");
        }
        exchange(&mut session, "DATA\r\n", "354 ");
        exchange(&mut session, "Subject: hello\r\n.\r\n", "250 ");
        let message = message(&server, 1);
        assert!(message.contains(&format!("\tby mymailserver with {protocol} id ")), "{protocol}: {message}");
    }
}

#[test]
fn a_submitted_message_gets_the_fields_that_it_lacks() {
    let submission = Listen { protocol: Protocol::Submission, ..listen(Listen::smtp, Tls::Starttls) };
    let listeners = vec![listen(Listen::smtp, Tls::Starttls), listen(Listen::pop3, Tls::Off), submission];
    let server = Running::start(Config { listen: listeners, ..Config::default() });
    let mut smtp = BufReader::new(server.connect(0));
    let verifier = Verifier::derive("secret", &[1; SALT_OCTETS], ITERATIONS);
    exchange(&mut smtp, &format!("HELO\r\nXREGISTER alice\r\nXPASSWD VERIFIER={verifier}\r\n"), "250 OK");

    for (text, gets_date, gets_id) in [
        ("Subject: hello\r\n\r\nHello\r\n", true, true),
        ("DATE: today\r\n\r\nHello\r\n", false, true),
        ("Message-Id: <1@here>\r\n\r\nDate: in the text\r\n", true, false),
        ("Hello both\r\n", true, true),
    ] {
        for (listener, is_submission) in [(2, true), (0, false)] {
            let mut session = BufReader::new(server.connect(listener));
            let login = "HELO here\r\nAUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n";
            exchange(&mut session, login, "235 ");
            let mail = "MAIL FROM:<alice@mymailserver>\r\nRCPT TO:<alice@mymailserver>\r\nDATA\r\n";
            exchange(&mut session, mail, "354 ");
            exchange(&mut session, &format!("{text}.\r\n"), "250 ");
            let message = message(&server, 1);
            let added = message.strip_suffix(text).unwrap();
            assert_eq!(added.contains("\r\nDate: "), is_submission && gets_date, "{message}");
            assert_eq!(added.contains("\r\nMessage-ID: <"), is_submission && gets_id, "{message}");
        }
    }
}
