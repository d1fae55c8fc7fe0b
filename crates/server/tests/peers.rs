//! What one peer may do and no more, however many connections it makes: asking which addresses exist, registering, connecting.
//! Peers from everywhere are told by a PROXY header.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod common;

use std::io::{BufReader, Read};

use server::Config;
use server::config::{Listen, Tls};

use common::{Connection, Running, exchange, listen};

/// Where this machine connects directly, and where a proxy does.
const DIRECT: usize = 0;
const PROXIED: usize = 1;

fn start(change: impl FnOnce(&mut Config)) -> Running {
    let direct = listen(Listen::smtp, Tls::Off);
    let proxied = Listen { proxied_by: vec!["127.0.0.1/32".parse().unwrap()], ..direct.clone() };
    let mut config = Config { listen: vec![direct, proxied], ..Config::default() };
    change(&mut config);
    Running::start(config)
}

/// A session of this peer that has been greeted; `None`: it was refused.
fn connect(server: &Running, peer: &str) -> Option<BufReader<Connection>> {
    let (place, header) = match peer {
        "here" => (DIRECT, String::new()),
        v6 if v6.contains(':') => (PROXIED, format!("PROXY TCP6 {v6} ::1 1000 25\r\n")),
        v4 => (PROXIED, format!("PROXY TCP4 {v4} 127.0.0.1 1000 25\r\n")),
    };
    let mut session = BufReader::new(server.connect(place));
    let greeting = exchange(&mut session, &header, "");
    greeting.starts_with("220 ").then_some(session)
}

fn say(session: &mut BufReader<Connection>, line: &str, hears: &str) {
    let heard = exchange(session, &format!("{line}\r\n"), "");
    assert!(heard.starts_with(hears), "{line}: {heard}");
}

/// With an address, in a transaction.
fn sender(server: &Running, peer: &str, name: &str) -> BufReader<Connection> {
    let mut session = connect(server, peer).unwrap();
    say(&mut session, "HELO here", "250 ");
    say(&mut session, &format!("XREGISTER {name}"), "250 ");
    say(&mut session, &format!("MAIL FROM:<{name}@mymailserver>"), "250 ");
    session
}

fn is_closed(mut session: BufReader<Connection>) -> bool {
    let mut rest = Vec::new();
    session.read_to_end(&mut rest).is_ok() && rest.is_empty()
}

#[test]
fn a_session_asks_for_so_many_addresses_that_are_not_there() {
    let server = start(|config| config.limits.unknown_recipients = 12);
    for (name, verb) in [("alice", "RCPT TO:<1@mymailserver>"), ("bob", "VRFY 1")] {
        let mut session = sender(&server, "here", name);
        (0..12).for_each(|_| say(&mut session, verb, "550 No such user here"));
        say(&mut session, &format!("RCPT TO:<{name}@mymailserver>"), "250 ");
        say(&mut session, verb, "421 mymailserver Too many unknown recipients");
        assert!(is_closed(session));
    }
}

/// All of its /64 are one peer. Once it has asked for too many, it does not even hear who is there.
#[test]
fn a_peer_asks_for_so_many_however_often_it_connects() {
    let server = start(|config| config.limits.unknown_recipients_per_peer_per_hour = 20);
    let mut alice = sender(&server, "192.0.2.1", "alice");
    for n in 0..3 {
        let mut session = sender(&server, &format!("2001:db8::{n:x}"), &format!("spy{n}"));
        (0..7).for_each(|n| say(&mut session, &format!("RCPT TO:<{n}@mymailserver>"), "550 No such user here"));
    }
    let mut late = sender(&server, "2001:db8::ffff", "late");
    for recipient in ["1", "alice", "late"] {
        say(
            &mut late,
            &format!("RCPT TO:<{recipient}@mymailserver>"),
            "450 Too many unknown recipients, try again later",
        );
        say(&mut late, &format!("VRFY {recipient}"), "450 Too many unknown recipients, try again later");
    }
    for session in [&mut alice, &mut sender(&server, "2001:db8:0:1::1", "bob"), &mut sender(&server, "here", "carol")] {
        say(session, "RCPT TO:<late@mymailserver>", "250 ");
    }
}

#[test]
fn this_machine_has_no_such_limit() {
    let server = start(|config| config.limits.unknown_recipients_per_peer_per_hour = 1);
    let mut session = sender(&server, "here", "alice");
    (0..5).for_each(|n| say(&mut session, &format!("RCPT TO:<{n}@mymailserver>"), "550 No such user here"));
    say(&mut session, "RCPT TO:<alice@mymailserver>", "250 ");
}

#[test]
fn a_peer_registers_so_often() {
    let server = start(|config| config.registration.per_peer_per_hour = 3);
    for name in ["a", "b", "c"] {
        sender(&server, "192.0.2.1", name);
    }
    let mut session = connect(&server, "192.0.2.1").unwrap();
    say(&mut session, "XREGISTER d", "450 Too many registrations, try again later");
    sender(&server, "192.0.2.2", "d");
}

/// Few peers can't take all connections: there is one left for whoever has none.
#[test]
fn there_is_a_connection_left_for_others() {
    let server = start(|config| config.limits.connections = 12);
    let mut held = Vec::new();
    for _ in 0..10 {
        held.extend(["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(|peer| connect(&server, peer)).into_iter().flatten());
    }
    assert!((8..=10).contains(&held.len()), "{}", held.len());
    assert!(connect(&server, "192.0.2.4").is_some());
    assert!(connect(&server, "here").is_some());
}
