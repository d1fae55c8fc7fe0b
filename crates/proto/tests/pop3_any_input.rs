//! Whatever a client sends, and however it is split, a POP3 session answers the same: one response for each thing asked, each
//! a well-formed line. And it never holds more of its answers than it says.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proto::pop3::server::{Config, Limits, Message, Session, Step};
use proto::sasl::Channel;
use testkit::{Dialogue, Pop3World, Wire};

/// Pieces of dialogues, good and bad.
const PIECES: &[&str] = &[
    "CAPA\r\n",
    "USER alice\r\n",
    "PASS secret\r\n",
    "PASS wrong\r\n",
    "AUTH\r\n",
    "AUTH PLAIN\r\n",
    "AUTH PLAIN AGFsaWNlAHNlY3JldA==\r\n",
    "AUTH SCRAM-SHA-256\r\n",
    "*\r\n",
    "UTF8\r\n",
    "STAT\r\n",
    "LIST\r\n",
    "LIST 1\r\n",
    "UIDL\r\n",
    "UIDL 2\r\n",
    "RETR 1\r\n",
    "RETR 2\r\n",
    "RETR 3\r\n",
    "TOP 1 1\r\n",
    "TOP 2 0\r\n",
    "DELE 1\r\n",
    "DELE 2\r\n",
    "RSET\r\n",
    "NOOP\r\n",
    "QUIT\r\n",
    "RETR 1",
    " ",
    "x",
    "\n",
    "\r",
    "\r\n",
    "\0",
    "\u{fc}",
    "a line that is longer than this session's limit for lines: a line that is longer than this session's limit for lines",
];

fn answers(input: &str, chunk_octets: usize) -> String {
    let limits = [("command_octets".to_owned(), 100), ("errors_per_session".to_owned(), 9)].into();
    let mut world = Pop3World::new(&Dialogue { limits, ..Dialogue::default() }, chunk_octets);
    world.password("alice", "secret");
    world.mail("alice", b"Subject: one\r\n\r\n.\r\n..two\r\nno end");
    world.mail("alice", b"");
    world.damage("alice", 2);
    world.mail("alice", b"\r\n\r\n");
    assert_eq!(world.receive("client").as_deref(), Some("+OK mymailserver POP3 server ready"));
    world.send("client", input.as_bytes());
    world.heard("client")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn every_split_is_answered_alike(
        logs_in in any::<bool>(),
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..40),
        chunk_octets in 1..50usize,
    ) {
        let login = if logs_in { "USER alice\r\nPASS secret\r\n" } else { "" };
        let input = login.to_owned() + &pieces.concat();
        let whole = answers(&input, usize::MAX);
        prop_assert_eq!(&answers(&input, chunk_octets), &whole);
        prop_assert!(whole.is_empty() || whole.ends_with("\r\n"), "{:?}", whole);
        prop_assert!(!whole.replace("\r\n", "").contains(['\r', '\n', '\0']), "{:?}", whole);
    }

    #[test]
    fn anything_at_all_is_survived(octets in proptest::collection::vec(any::<char>(), 0..300), chunk_octets in 1..50usize) {
        let input: String = octets.into_iter().collect();
        let answers = answers(&input, chunk_octets);
        prop_assert!(answers.is_empty() || answers.ends_with("\r\n"), "{:?}", answers);
    }
}

/// A message of nothing but its number.
#[derive(Clone)]
struct Numbered(u64);

impl Message for Numbered {
    fn octets(&self) -> u64 {
        self.0
    }

    fn unique_id(&self) -> String {
        "x".repeat(70)
    }
}

const MESSAGES: u64 = 100_000;
/// Twice what gathers before it is written.
const HELD_OCTETS_MAX: usize = 128 << 10;

/// A session of so many messages, run until it wants more. Gives the most octets that it sent at once, and how many lines.
fn run(session: &mut Session<Numbered>, input: &[u8], chunk: &[u8], chunks: usize) -> (usize, usize) {
    session.receive(input);
    let (mut held, mut lines, mut left) = (0, 0, chunks);
    loop {
        match session.next(Instant::now()) {
            Step::NeedInput | Step::Close => return (held, lines),
            Step::Send(octets) => {
                held = held.max(octets.len());
                lines += octets.iter().filter(|octet| **octet == b'\n').count();
            }
            Step::Authenticate(ask) => ask.answer(Ok((1..=MESSAGES).map(Numbered).collect())),
            Step::OpenMessage(ask) => ask.answer(Ok(())),
            Step::NextChunk(ask) if left > 0 => {
                left -= 1;
                ask.chunk(chunk);
            }
            Step::NextChunk(ask) => ask.end(),
            Step::LookUp(_) | Step::Update(_) | Step::StartTls(_) => panic!("nobody asked for this"),
        }
    }
}

fn session() -> Session<Numbered> {
    let config = Config {
        hostname: "mymailserver".parse().unwrap(),
        starttls: false,
        limits: Limits::default(),
        timeout: Duration::from_secs(600),
    };
    let mut session = Session::new(Arc::new(config), Channel::Local, Instant::now());
    run(&mut session, b"USER a\r\nPASS b\r\n", b"", 0);
    session
}

#[test]
fn a_large_maildrop_is_listed_in_pieces() {
    for command in ["LIST\r\n", "UIDL\r\n"] {
        let (held, lines) = run(&mut session(), command.as_bytes(), b"", 0);
        assert_eq!(lines as u64, MESSAGES + 2, "{command}");
        assert!(held < HELD_OCTETS_MAX, "{held} octets at once");
    }
}

#[test]
fn a_large_message_goes_out_in_pieces() {
    let (held, lines) = run(&mut session(), b"RETR 1\r\n", &b".......\r\n".repeat(1000), 1000);
    assert_eq!(lines, 1_000_000 + 2);
    assert!(held < HELD_OCTETS_MAX, "{held} octets at once");
}

#[test]
fn a_top_asks_for_no_more_than_it_needs() {
    let mut session = session();
    session.receive(b"TOP 1 1\r\n");
    let mut chunks = ["A: b\r\n\r\none\r\n", "two\r\n"].into_iter();
    loop {
        match session.next(Instant::now()) {
            Step::OpenMessage(ask) => ask.answer(Ok(())),
            Step::NextChunk(ask) => ask.chunk(chunks.next().unwrap().as_bytes()),
            Step::Send(octets) => assert_eq!(octets, b"+OK top of message follows\r\nA: b\r\n\r\none\r\n.\r\n"),
            _ => break,
        }
    }
    assert_eq!(chunks.next(), Some("two\r\n"));
}

#[test]
fn a_message_that_breaks_off_has_no_end() {
    for fails in [true, false] {
        let mut session = session();
        session.receive(b"DELE 2\r\nRETR 1\r\nQUIT\r\n");
        let (mut said, mut begun) = (Vec::new(), false);
        loop {
            match session.next(Instant::now()) {
                Step::OpenMessage(ask) => ask.answer(Ok(())),
                Step::NextChunk(ask) if !begun => {
                    begun = true;
                    ask.chunk(b"Hello\r\n");
                }
                Step::NextChunk(ask) if fails => ask.fail(),
                Step::NextChunk(ask) => drop(ask),
                Step::Send(octets) => said.extend_from_slice(octets),
                Step::Close => break,
                _ => panic!("nothing else may come"),
            }
        }
        assert_eq!(String::from_utf8(said).unwrap(), "+OK message 2 deleted\r\n+OK 1 octets\r\nHello\r\n");
    }
}
