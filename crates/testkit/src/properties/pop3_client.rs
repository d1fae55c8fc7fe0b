//! The POP3 client, with a server that says whatever the input says.

use std::collections::BTreeSet;

use proto::pop3::client::{Authorization, Event, Maildrop, Opening, Transaction};
use proto::sasl::{self, Channel, Mechanism};

use super::hostile_server::{HostileServer, assert_commands, credentials};
use super::{lines, parted, segments};
use crate::world::encrypted;

const PASSWORD: &str = "0hX-pencil";

/// An input is two octets of choices and what a server says.
pub fn pop3_client(input: &[u8]) {
    let ([how, seed], said) = parted(input);
    let by_lines = run(how, lines(said));
    let by_octets = run(how, said.chunks(1).collect());
    assert_eq!(by_octets, by_lines, "octet by octet it is another session");
    // What comes before it is asked for is another matter: the client says so and goes.
    run(how, vec![said]);
    run(how, segments(u64::from(seed), said));
}

/// What the client has said, and what came of it.
fn run(how: u8, segments: Vec<&[u8]>) -> (String, Vec<String>) {
    let mut talk = Talk { server: HostileServer::new(segments), events: Vec::new(), complete: BTreeSet::new() };
    let came_to = talk.go(how);
    talk.events.push(format!("{came_to:?}"));
    talk.server.assert_not_shown(PASSWORD);
    let heard = String::from_utf8_lossy(&talk.server.heard).into_owned();
    assert_commands(heard.as_bytes());
    for command in heard.lines().filter_map(|line| line.strip_prefix("DELE ")) {
        let number = command.parse().expect("a number");
        assert!(talk.complete.contains(&number), "message {number} is deleted, and was not had");
    }
    (heard, talk.events)
}

struct Talk<'a> {
    server: HostileServer<'a>,
    events: Vec<String>,
    /// The messages that are complete.
    complete: BTreeSet<usize>,
}

impl Talk<'_> {
    fn go(&mut self, how: u8) -> Option<bool> {
        let mut session = self.server.run(Opening::new(Some(self.server.listener())))?.ok()?;
        let mut channel = Channel::Local;
        if how & 1 != 0 {
            let before_tls = self.server.run(session.starttls())?.ok()?;
            session = self.server.run(before_tls.reopen())?.ok()?;
            channel = encrypted();
        }
        let transaction = self.log_in(session, &channel, how & 2 != 0)?;
        let mut maildrop: Maildrop = self.server.run(transaction.survey(how & 4 != 0))?.ok()?;
        self.events.push(format!("{:?}", maildrop.entries()));
        if how & 8 != 0 {
            maildrop.retain(|entry| entry.number % 2 == 1);
        }
        let mut retrieval = maildrop.retrieve();
        let mut message = Vec::new();
        let mut number = 0;
        loop {
            match retrieval.next_event().ok()? {
                Event::NeedInput => self.server.say(retrieval.wire())?,
                Event::Message(entry) => number = entry.number,
                Event::Refused(entry, refusal) => self.events.push(format!("{entry:?} {refusal:?}")),
                Event::Content(octets) => message.extend_from_slice(&octets),
                Event::MessageEnd => {
                    self.complete.insert(number);
                    self.events.push(format!("{number} {:?}", std::mem::take(&mut message)));
                }
                Event::End => break,
            }
        }
        Some(match how & 16 {
            0 => self.server.run(retrieval.confirm().expect("all was read"))?.is_ok(),
            _ => self.server.run(retrieval.quit().expect("all was read"))?.is_ok(),
        })
    }

    fn log_in(&mut self, session: Authorization, channel: &Channel, by_mechanism: bool) -> Option<Transaction> {
        let credentials = credentials(PASSWORD);
        let offers = |it: Mechanism| by_mechanism && session.has_mechanism(it);
        let exchange = sasl::client::Exchange::begin(&credentials, channel, offers, "nonce");
        let is_scram = exchange
            .as_ref()
            .is_some_and(|it| matches!(it.mechanism(), Mechanism::ScramSha256 | Mechanism::ScramSha256Plus));
        let login = match exchange {
            Some(exchange) => session.log_in(exchange),
            None => session.log_in_with_password(&credentials).ok()?,
        };
        let transaction = self.server.run(login)?.ok()?;
        assert!(!is_scram, "a server that proved nothing");
        Some(transaction)
    }
}
