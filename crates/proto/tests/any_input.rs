//! Whatever a client sends, and however it is split, a session answers the same: one reply for each thing asked, each a
//! well-formed line.

use proptest::prelude::*;
use proto::smtp::server::Role;
use testkit::{Dialogue, Wire, World};

/// Pieces of dialogues, good and bad.
const PIECES: &[&str] = &[
    "HELO\r\n",
    "EHLO client.example\r\n",
    "LHLO mx.example\r\n",
    "MAIL FROM:<x@elsewhere.example>\r\n",
    "MAIL FROM:<user@mymailserver>\r\n",
    "RCPT TO:<user@mymailserver>\r\n",
    "XREGISTER\r\n",
    "XREGISTER alice\r\n",
    "XUNREGISTER\r\n",
    "XPASSWD\r\n",
    "MAIL FROM:<9@mymailserver>\r\n",
    "MAIL FROM: 9@mymailserver\r\n",
    "RCPT TO:<9@mymailserver>\r\n",
    "RCPT TO:<Postmaster>\r\n",
    "RCPT TO:<9@mymailserver> NOTIFY=SUCCESS ORCPT=rfc822;a+2Bb@example.org\r\n",
    "MAIL FROM:<9@mymailserver> BODY=BINARYMIME RET=HDRS ENVID=x\r\n",
    "DATA\r\n",
    "BDAT 7\r\n",
    "BDAT 7 LAST\r\n",
    "BDAT 0 LAST\r\n",
    "BDAT 70 LAST\r\n",
    "BDAT 99999999999999999999\r\n",
    "VRFY alice\r\n",
    "Hello\r\n",
    "..\r\n",
    ".\r\n",
    ".\n",
    "\n",
    "\r",
    "\r\n",
    "\0",
    "XRETRIEVE\r\n",
    "NOOP\r\n",
    "RSET\r\n",
    "HELP\r\n",
    "VRFY",
    " ",
    "x",
    "<",
    "@",
    "\u{fc}",
    "AUTH PLAIN\r\n",
    "AUTH PLAIN AHVzZXIAZg==\r\n",
    "AUTH LOGIN\r\n",
    "dXNlcg==\r\n",
    "AUTH SCRAM-SHA-256 biwsbj11c2VyLHI9ck9wck5HZndFYmVSV2diTkVrcU8=\r\n",
    "*\r\n",
    "QUIT\r\n",
    "a line that is longer than this session's limit for lines: a line that is longer than this session's limit for lines",
];

const ROLES: [Role; 4] = [Role::Clients, Role::Exchanger, Role::Submission, Role::Lmtp];

/// Verbs, as far as to what a peer can fill in.
const VERBS: &[&str] = &[
    "",
    "HELO ",
    "EHLO ",
    "LHLO ",
    "MAIL FROM:<",
    "MAIL FROM:<> SMTPUTF8 ENVID=",
    "RCPT TO:<",
    "RCPT TO:<Postmaster> ORCPT=",
    "DATA ",
    "BDAT ",
    "RSET ",
    "NOOP ",
    "VRFY ",
    "EXPN ",
    "HELP ",
    "QUIT ",
    "STARTTLS ",
    "AUTH ",
    "AUTH PLAIN ",
    "XREGISTER ",
    "XREGISTER x TOKEN=",
    "XPASSWD ",
    "XUNREGISTER ",
    "XRETRIEVE ",
];

/// A reply line, with its end (RFC 5321 §4.5.3.1.5).
const REPLY_LINE_OCTETS_MAX: usize = 512;

/// A world whose only client has been greeted.
fn world(role: Role, chunk_octets: usize) -> World {
    let limits = [("command_octets".to_owned(), 100), ("errors_per_session".to_owned(), 9)].into();
    let mut world = World::new(&Dialogue { role, limits, ..Dialogue::default() }, chunk_octets);
    let greeting = world.receive("client").unwrap_or_default();
    assert!(greeting.starts_with("220 mymailserver "), "{greeting}");
    world
}

fn answers(input: &str, role: Role, chunk_octets: usize) -> String {
    let mut world = world(role, chunk_octets);
    world.password("user", "f");
    world.send("client", input.as_bytes());
    world.heard("client")
}

fn is_well_formed(answers: &str) -> bool {
    let is_ended = answers.is_empty() || answers.ends_with("\r\n");
    let is_short = answers.split_inclusive("\r\n").all(|line| line.len() <= REPLY_LINE_OCTETS_MAX);
    is_ended && is_short && !answers.replace("\r\n", "").contains(['\r', '\n', '\0'])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    // Where nobody may talk before its turn it makes a difference what has arrived: there the split is not free.
    #[test]
    fn every_split_is_answered_alike(
        role in proptest::sample::select(vec![Role::Clients, Role::Submission]),
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..40),
        chunk_octets in 1..50usize,
    ) {
        let input = pieces.concat();
        let whole = answers(&input, role, usize::MAX);
        prop_assert_eq!(&answers(&input, role, chunk_octets), &whole);
        prop_assert!(is_well_formed(&whole), "{:?}", whole);
    }

    #[test]
    fn every_session_survives_every_dialogue(
        role in proptest::sample::select(ROLES.to_vec()),
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..40),
        chunk_octets in 1..50usize,
    ) {
        let answers = answers(&pieces.concat(), role, chunk_octets);
        prop_assert!(is_well_formed(&answers), "{:?}", answers);
    }

    #[test]
    fn every_verb_survives_junk(
        role in proptest::sample::select(ROLES.to_vec()),
        verb in proptest::sample::select(VERBS),
        junk in proptest::collection::vec(any::<u8>(), 0..40),
        tail in proptest::sample::select(vec![0, 1, 60, 90, 3000]),
        chunk_octets in 1..50usize,
    ) {
        let hello = if role == Role::Lmtp { "LHLO x\r\n" } else { "EHLO x\r\n" };
        for hello in [&b""[..], hello.as_bytes()] {
            let mut world = world(role, chunk_octets);
            world.send("client", hello);
            world.heard("client");
            world.send("client", &[verb.as_bytes(), &junk, &b"x".repeat(tail), b"\r\n"].concat());
            let answers = world.heard("client");
            // No junk begins a message, and none of its controls is echoed.
            prop_assert!(is_well_formed(&answers) && !answers.contains("354 "), "{:?}", answers);
            prop_assert!(!answers.contains(|c: char| c.is_control() && !"\r\n".contains(c)), "{:?}", answers);
            // Octets may have been announced, or have come in clear text where TLS should begin.
            prop_assert!(!answers.is_empty() || ["BDAT ", "STARTTLS "].contains(&verb));
        }
    }

    #[test]
    fn every_session_survives_everything(
        role in proptest::sample::select(ROLES.to_vec()),
        octets in proptest::collection::vec(any::<char>(), 0..300),
        chunk_octets in 1..50usize,
    ) {
        let input: String = octets.into_iter().collect();
        let answers = answers(&input, role, chunk_octets);
        prop_assert!(is_well_formed(&answers), "{:?}", answers);
    }
}
