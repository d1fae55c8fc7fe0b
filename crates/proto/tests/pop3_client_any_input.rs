//! Whatever a server says, the POP3 client survives it, and takes for done only what the server has said is done.
#![allow(clippy::unwrap_used, reason = "a test that can't go on must fail")]

use proptest::prelude::*;
use proto::client::{Advance, Exchange, Octets};
use proto::pop3::Response;
use proto::pop3::client::{Event, Failure, Opening, Wire};
use proto::sasl::plain::Credentials;
use proto::sasl::{Channel, client::Exchange as Sasl};

/// Pieces of what a server may say, in turn and out of turn.
const PIECES: &[&str] = &[
    "+OK\r\n",
    "+OK 2 20\r\n",
    "-ERR [AUTH] no\r\n",
    "+ \r\n",
    "+ VXNlcm5hbWU6\r\n",
    ".\r\n",
    "1 10\r\n",
    "2 10\r\n",
    "..\r\n",
    "SASL PLAIN LOGIN\r\n",
    "PIPELINING\r\n",
    "UIDL\r\n",
    "250 OK\r\n",
    "x",
    "\r",
    "\n",
    "\0",
    "\u{fc}",
];

/// Answers an exchange with one piece after the other, as long as it wants some.
fn feed<'a, E: Exchange<Wire = Wire, Failure = Failure>>(
    mut exchange: E,
    said: &mut impl Iterator<Item = &'a str>,
) -> Option<E::Outcome> {
    loop {
        match exchange.advance().ok()? {
            Advance::Done(outcome) => return Some(outcome),
            Advance::Waiting(waiting) => exchange = waiting,
        }
        exchange.wire().receive(said.next()?.as_bytes());
    }
}

/// A whole session; `None` when it ends before its time. Gives what QUIT came to.
fn session<'a>(said: &mut impl Iterator<Item = &'a str>) -> Option<Result<(), Response>> {
    let session = feed(Opening::new(None), said)?.ok()?;
    let credentials = Credentials { user: "mrose".to_owned(), password: "secret".to_owned() };
    let exchange = Sasl::begin(&credentials, &Channel::Local, |mechanism| session.has_mechanism(mechanism), "nonce");
    let login = match exchange {
        Some(exchange) => session.log_in(exchange),
        None => session.log_in_with_password(&credentials).ok()?,
    };
    let transaction = feed(login, said)?.ok()?;
    let mut retrieval = feed(transaction.survey(true), said)?.ok()?.retrieve();
    loop {
        match retrieval.next_event().ok()? {
            Event::NeedInput => retrieval.wire().receive(said.next()?.as_bytes()),
            Event::End => break,
            _ => {}
        }
    }
    feed(retrieval.confirm().unwrap(), said)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn a_server_may_say_anything(
        beginning in 0..BEGINNING.len(),
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..40),
    ) {
        let outcome = session(&mut BEGINNING[..beginning].iter().copied().chain(pieces.iter().copied()));
        // QUIT is the last to be answered.
        if outcome == Some(Ok(())) {
            prop_assert!(pieces.concat().contains("+OK"), "{:?}", pieces);
        }
    }
}

/// How a session goes well.
const BEGINNING: [&str; 14] = [
    "+OK ready\r\n",
    "+OK\r\n",
    "PIPELINING\r\n",
    ".\r\n",
    "+OK\r\n",
    "+OK\r\n",
    "+OK 1 10\r\n",
    "+OK\r\n",
    "1 10\r\n",
    ".\r\n",
    "+OK\r\n",
    "Hello\r\n",
    ".\r\n",
    "+OK\r\n",
];

#[test]
fn a_session_goes_well() {
    assert_eq!(session(&mut BEGINNING.iter().copied()), None, "QUIT has no answer");
    assert_eq!(session(&mut BEGINNING.iter().copied().chain(["+OK\r\n"])), Some(Ok(())));
}
