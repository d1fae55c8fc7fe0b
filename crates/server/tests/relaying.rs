//! Nothing is passed on: whoever asks, at whatever listener, and however the address is written.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod common;

use std::io::BufReader;

use proto::sasl::scram::{ITERATIONS, SALT_OCTETS, Verifier};
use server::Config;
use server::config::{Listen, Protocol, Tls};
use testkit::relay::foreign_paths;

use common::{Running, exchange, listen};

/// Where one begins, how, what is said to it last, and the sender.
const OPENINGS: [(usize, &str, &str, &str); 8] = [
    (0, "EHLO x\r\nXREGISTER bob\r\n", "250 2.1.0 ", "bob@mymailserver"),
    (0, LOGIN, "235 ", "alice@mymailserver"),
    (1, "EHLO x\r\n", "250 ", "x@elsewhere.example"),
    (1, "EHLO x\r\n", "250 ", ""),
    (1, LOGIN, "235 ", "alice@mymailserver"),
    (2, LOGIN, "235 ", "alice@mymailserver"),
    (2, LOGIN, "235 ", ""),
    (3, "LHLO x\r\n", "250 ", "x@elsewhere.example"),
];

const LOGIN: &str = "EHLO x\r\nAUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n";

#[test]
fn no_form_of_an_address_leads_elsewhere() {
    let smtp = listen(Listen::smtp, Tls::Off);
    let outside = Listen { from_outside: true, ..listen(Listen::smtp, Tls::Off) };
    let [submission, lmtp] =
        [Protocol::Submission, Protocol::Lmtp].map(|protocol| Listen { protocol, ..listen(Listen::smtp, Tls::Off) });
    let mut config = Config { listen: vec![smtp, outside, submission, lmtp], ..Config::default() };
    config.limits.errors_per_session = 1000;
    let server = Running::start(config);
    let mut alice = BufReader::new(server.connect(0));
    let verifier = Verifier::derive("secret", &[1; SALT_OCTETS], ITERATIONS);
    exchange(&mut alice, &format!("EHLO x\r\nXREGISTER alice\r\nXPASSWD VERIFIER={verifier}\r\n"), "250 2.0.0 OK");

    for (listener, opening, last, sender) in OPENINGS {
        let mut peer = BufReader::new(server.connect(listener));
        exchange(&mut peer, "", "220 ");
        // Between other servers nobody says two things at once.
        for command in opening.split_inclusive('\n') {
            exchange(&mut peer, command, if opening.ends_with(command) { last } else { "250 " });
        }
        exchange(&mut peer, &format!("MAIL FROM:<{sender}> SMTPUTF8\r\n"), "250 2.1.0 ");
        for path in foreign_paths("mymailserver", "[127.0.0.1]") {
            let reply = exchange(&mut peer, &format!("RCPT TO:{path}\r\n"), "");
            assert!(reply.starts_with('5'), "{opening}{sender} {path}: {reply}");
        }
        // It is not that nothing is taken.
        for path in ["<postmaster@MyMailServer>", "<@elsewhere.example:\"postmaster\"@\u{ff4d}ymailserver>"] {
            exchange(&mut peer, &format!("RCPT TO:{path}\r\n"), "250 2.1.5 ");
        }
    }
}
