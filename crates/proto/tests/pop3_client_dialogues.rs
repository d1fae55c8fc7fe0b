//! The client's dialogues of POP3: `pop3_client_dialogues/*.txt`. `testkit::Script` says how they are written and run.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::path::Path;
use std::sync::{Arc, mpsc};

use proto::client::{Advance, Exchange, Octets};
use proto::pop3::Response;
use proto::pop3::client::{Authorization, Event, Failure, Maildrop, Opening, Retrieval, Transaction, Wire};
use proto::sasl::plain::Credentials;
use proto::sasl::{Bindings, Channel, client::Exchange as Sasl};
use proto::smtp::client::{Dialogue, Line};
use testkit::Script;

/// The client's part of the nonce in the example of RFC 7677 §3.
const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";

#[test]
fn every_dialogue_is_held_whatever_the_split() {
    Script::hold_all_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pop3_client_dialogues"), hold);
}

fn hold(script: &mut Script) -> Result<(), Failure> {
    let Some(mut session) = open(script, Opening::new(None))? else { return Ok(()) };
    let mut channel = Channel::Local;
    while let Some(action) = script.action() {
        let words: Vec<&str> = action.split(' ').collect();
        session = match words[..] {
            ["starttls"] => match script.run(session.starttls())? {
                Ok(before_tls) => {
                    channel = Channel::Tls(Arc::new(Bindings::default()));
                    let Some(session) = open(script, before_tls.reopen())? else { return Ok(()) };
                    session
                }
                Err((session, refusal)) => {
                    refused(script, &refusal);
                    session
                }
            },
            ["login", user, password] => match log_in(script, session, &channel, user, password)? {
                Ok(transaction) => return transact(script, transaction),
                Err(session) => session,
            },
            ["quit"] => {
                let outcome = script.run(session.quit())?;
                verdict(script, outcome);
                return Ok(());
            }
            _ => panic!("{}: unknown action", script.place()),
        };
    }
    Ok(())
}

fn open(script: &mut Script, opening: Opening) -> Result<Option<Authorization>, Failure> {
    let opened = script.run(opening)?;
    Ok(opened.map_err(|refusal| refused(script, &refusal)).ok())
}

/// By the best mechanism, or by USER and PASS if there is none.
fn log_in(
    script: &mut Script,
    session: Authorization,
    channel: &Channel,
    user: &str,
    password: &str,
) -> Result<Result<Transaction, Authorization>, Failure> {
    let credentials = Credentials { user: user.to_owned(), password: password.replace('_', " ") };
    let exchange = Sasl::begin(&credentials, channel, |mechanism| session.has_mechanism(mechanism), NONCE);
    let login = match exchange {
        Some(exchange) => session.log_in(exchange),
        None => session.log_in_with_password(&credentials).unwrap(),
    };
    let outcome = script.run(login)?;
    verdict(script, outcome.as_ref().map(drop).map_err(|(_, refusal)| refusal.clone()));
    Ok(outcome.map_err(|(session, _)| session))
}

fn transact(script: &mut Script, mut session: Transaction) -> Result<(), Failure> {
    while let Some(action) = script.action() {
        let unique_ids = match action.as_str() {
            "survey" => false,
            "survey with unique-ids" => true,
            "quit" => {
                let outcome = script.run(session.quit())?;
                verdict(script, outcome);
                return Ok(());
            }
            _ => panic!("{}: unknown action", script.place()),
        };
        session = match script.run(session.survey(unique_ids))? {
            Ok(maildrop) => return read(script, maildrop),
            Err((session, refusal)) => {
                refused(script, &refusal);
                session
            }
        };
    }
    Ok(())
}

fn read(script: &mut Script, mut maildrop: Maildrop) -> Result<(), Failure> {
    for entry in maildrop.entries() {
        let unique_id = entry.unique_id.as_deref().unwrap_or("-");
        script.outcome(&format!("{} {} {unique_id}", entry.number, entry.octets));
    }
    while let Some(action) = script.action() {
        let words: Vec<&str> = action.split(' ').collect();
        match words[..] {
            ["without", number] => maildrop.retain(|entry| entry.number != number.parse::<usize>().unwrap()),
            ["retrieve"] => return retrieve(script, maildrop.retrieve()),
            ["quit"] => {
                let outcome = script.run(maildrop.quit())?;
                verdict(script, outcome);
                return Ok(());
            }
            _ => panic!("{}: unknown action", script.place()),
        }
    }
    Ok(())
}

fn retrieve(script: &mut Script, mut retrieval: Retrieval) -> Result<(), Failure> {
    read_all(script, &mut retrieval)?;
    let outcome = match script.action().as_deref() {
        Some("confirm") => script.run(retrieval.confirm().unwrap())?,
        Some("quit") => script.run(retrieval.quit().unwrap())?,
        _ => panic!("{}: unknown action", script.place()),
    };
    verdict(script, outcome);
    Ok(())
}

fn read_all(script: &mut Script, retrieval: &mut Retrieval) -> Result<(), Failure> {
    let mut message = Vec::new();
    loop {
        match retrieval.next_event()? {
            Event::Message(entry) => script.outcome(&format!("message {}", entry.number)),
            Event::Refused(entry, refusal) => script.outcome(&format!("message {} refused {refusal}", entry.number)),
            Event::Content(octets) => message.extend_from_slice(&octets),
            Event::MessageEnd => {
                let text = String::from_utf8(std::mem::take(&mut message)).unwrap();
                text.split_terminator("\r\n").for_each(|line| script.outcome(&format!("| {line}")));
                assert!(text.is_empty() || text.ends_with("\r\n"), "{}", script.place());
            }
            Event::End => return Ok(()),
            Event::NeedInput => script.exchange(retrieval.wire()),
        }
    }
}

fn refused(script: &mut Script, refusal: &Response) {
    script.outcome(&format!("refused {refusal}"));
}

fn verdict(script: &mut Script, verdict: Result<(), Response>) {
    match verdict {
        Ok(()) => script.outcome("done"),
        Err(refusal) => refused(script, &refusal),
    }
}

#[test]
fn nothing_is_confirmed_before_all_has_come() {
    for (said, is_whole) in [
        ("+OK 7 octets\r\nHello\r\n.\r\n", true),
        ("+OK 7 octets\r\nHello\r\n", false),
        ("+OK 7 octets\r\nHello\r\n.", false),
        ("-ERR [SYS/PERM] damaged\r\n", true),
        ("+OK", false),
        ("", false),
    ] {
        for confirms in [true, false] {
            let mut retrieval = retrieval(None);
            assert_eq!(retrieval.next_event(), Ok(Event::NeedInput));
            retrieval.wire().receive(said.as_bytes());
            while !matches!(retrieval.next_event().unwrap(), Event::End | Event::NeedInput) {}
            let is_some = if confirms { retrieval.confirm().is_some() } else { retrieval.quit().is_some() };
            assert_eq!(is_some, is_whole, "{said:?}");
        }
    }
}

#[test]
fn after_a_breach_nothing_is_believed() {
    let mut retrieval = retrieval(None);
    assert_eq!(retrieval.next_event(), Ok(Event::NeedInput));
    retrieval.wire().receive(b"250 OK\r\n+OK\r\n.\r\n");
    let breach = retrieval.next_event();
    assert!(breach.is_err());
    assert_eq!(retrieval.next_event(), breach);
    assert!(retrieval.confirm().is_none());
}

#[test]
fn credentials_say_no_command() {
    for (user, password) in [("a\r\nDELE 1", "b"), ("a", "b\nQUIT"), ("", "b"), ("a", ""), ("a", "b\0")] {
        let credentials = Credentials { user: user.to_owned(), password: password.to_owned() };
        assert!(authorization(None).log_in_with_password(&credentials).is_err(), "{user:?} {password:?}");
    }
}

#[test]
fn passwords_are_not_shown() {
    let shown = shown(|dialogue| drop(retrieval(Some(dialogue))));
    assert_eq!(shown[3..7], ["C: USER mrose", "S: +OK", "C: PASS ********", "S: +OK"], "{shown:?}");
    let shown = shown_login("SCRAM-SHA-256", "+ cj1yT3ByTkdm\r\n");
    assert_eq!(shown, ["C: AUTH SCRAM-SHA-256 ********", "S: + ********"]);
    let shown = shown_login("LOGIN", "+ VXNlcm5hbWU6\r\n+ UGFzc3dvcmQ6\r\n-ERR [AUTH] no\r\n");
    let masked = ["C: AUTH LOGIN", "S: + ********", "C: ********", "S: + ********", "C: ********", "S: -ERR [AUTH] no"];
    assert_eq!(shown, masked);
}

/// What is shown of a login with the one mechanism that the server has.
fn shown_login(mechanism: &str, said: &str) -> Vec<String> {
    let mut shown = shown(|dialogue| {
        let capabilities = format!("+OK ready\r\n+OK\r\nSASL {mechanism}\r\n.\r\n");
        let session = done(Opening::new(Some(dialogue)), &capabilities).unwrap();
        let credentials = Credentials { user: "mrose".to_owned(), password: "secret".to_owned() };
        let exchange = Sasl::begin(&credentials, &Channel::Local, |offered| session.has_mechanism(offered), NONCE);
        let mut login = session.log_in(exchange.unwrap());
        for line in said.split_inclusive('\n') {
            login.wire().receive(line.as_bytes());
            match login.advance() {
                Ok(Advance::Waiting(waiting)) => login = waiting,
                _ => return,
            }
        }
    });
    shown.split_off(5)
}

/// What a listener is told.
fn shown(talk: impl FnOnce(Dialogue)) -> Vec<String> {
    let (lines, shown) = mpsc::channel();
    talk(Dialogue::new(Box::new(move |line| {
        lines
            .send(match line {
                Line::Sent(text) => format!("C: {text}"),
                Line::Received(text) => format!("S: {text}"),
                Line::Note(text) => format!("* {text}"),
            })
            .unwrap();
    })));
    shown.iter().collect()
}

/// What comes of an exchange when the server says this.
fn done<E: Exchange<Wire = Wire, Failure = Failure>>(mut exchange: E, said: &str) -> E::Outcome {
    for line in said.split_inclusive('\n') {
        match exchange.advance().map_err(|failure| failure.to_string()).unwrap() {
            Advance::Waiting(waiting) => exchange = waiting,
            Advance::Done(_) => panic!("done before {line:?}"),
        }
        exchange.wire().receive(line.as_bytes());
    }
    match exchange.advance().map_err(|failure| failure.to_string()).unwrap() {
        Advance::Done(outcome) => outcome,
        Advance::Waiting(_) => panic!("waits for more than {said:?}"),
    }
}

fn authorization(dialogue: Option<Dialogue>) -> Authorization {
    done(Opening::new(dialogue), "+OK ready\r\n-ERR what?\r\n").unwrap()
}

/// Of one message.
fn retrieval(dialogue: Option<Dialogue>) -> Retrieval {
    let credentials = Credentials { user: "mrose".to_owned(), password: "secret".to_owned() };
    let login = authorization(dialogue).log_in_with_password(&credentials).unwrap();
    let Ok(transaction) = done(login, "+OK\r\n+OK\r\n") else { panic!("not logged in") };
    let Ok(maildrop) = done(transaction.survey(false), "+OK 1 7\r\n+OK\r\n1 7\r\n.\r\n") else { panic!("no maildrop") };
    maildrop.retrieve()
}
