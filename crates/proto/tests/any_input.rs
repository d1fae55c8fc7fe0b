//! Whatever a client sends, and however it is split, a session answers the same: one reply for each thing asked, each a
//! well-formed line.

use proptest::prelude::*;
use proto::smtp::server::Role;
use testkit::{Dialogue, Wire, World};

/// Pieces of dialogues, good and bad.
const PIECES: &[&str] = &[
    "HELO\r\n",
    "EHLO client.example\r\n",
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
    "AUTH PLAIN AGEAYg==\r\n",
    "AUTH LOGIN\r\n",
    "dXNlcg==\r\n",
    "AUTH SCRAM-SHA-256 biwsbj11c2VyLHI9ck9wck5HZndFYmVSV2diTkVrcU8=\r\n",
    "*\r\n",
    "QUIT\r\n",
    "a line that is longer than this session's limit for lines: a line that is longer than this session's limit for lines",
];

fn answers(input: &str, role: Role, chunk_octets: usize) -> String {
    let limits = [("command_octets".to_owned(), 100), ("errors_per_session".to_owned(), 9)].into();
    let mut world = World::new(&Dialogue { role, limits, ..Dialogue::default() }, chunk_octets);
    let greeting = world.receive("client");
    assert_eq!(greeting.as_deref(), Some("220 mymailserver ESMTP Service Ready"));
    world.send("client", input.as_bytes());
    world.heard("client")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn every_split_is_answered_alike(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..40),
        chunk_octets in 1..50usize,
    ) {
        let input = pieces.concat();
        let whole = answers(&input, Role::Clients, usize::MAX);
        prop_assert_eq!(&answers(&input, Role::Clients, chunk_octets), &whole);
        prop_assert!(whole.is_empty() || whole.ends_with("\r\n"), "{:?}", whole);
        prop_assert!(!whole.replace("\r\n", "").contains(['\r', '\n', '\0']), "{:?}", whole);
    }

    #[test]
    fn a_session_from_outside_survives_everything(octets in proptest::collection::vec(any::<char>(), 0..300), chunk_octets in 1..50usize) {
        let input: String = octets.into_iter().collect();
        let answers = answers(&input, Role::Exchanger, chunk_octets);
        prop_assert!(answers.is_empty() || answers.ends_with("\r\n"), "{:?}", answers);
    }
}
