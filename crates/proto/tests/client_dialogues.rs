//! The client's dialogues, as text: `client_dialogues/*.txt`. Each is run with every reply arriving whole, and octet by octet.
//!
//! ```text
//! # A comment.
//! > send 9@m to 10@m,77@m        what the client is asked to do; the first thing, connecting, goes without saying
//! | Hello both                   a line of the message to send, CRLF at its end; |= is one without any
//! C: MAIL FROM:<9@m>             what it must say
//! S: 250 OK                      what it hears; lines that follow each other arrive together
//! = 10@m 250 OK                  what must come of it
//! ```
//!
//! `{x*100}` stands for a hundred x, in what is heard. `whole` as the first line: splitting would change the meaning.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use proto::client::{Advance, Exchange, Octets};
use proto::sasl::plain::Credentials;
use proto::sasl::{self, Bindings, Channel, Mechanism};
use proto::smtp::Reply;
use proto::smtp::client::{
    Ask, Begun, Content, Envelope, Event, Failure, Message, Opening, Outcome, Retrieval, Session, Wire,
};

#[test]
fn every_dialogue_is_held_whatever_the_split() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/client_dialogues");
    let mut paths: Vec<_> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() > 10, "the dialogues are missing");
    for path in paths {
        let text = std::fs::read_to_string(&path).unwrap();
        let (text, splits) = match text.strip_prefix("whole\n") {
            Some(text) => (text, &[usize::MAX][..]),
            None => (text.as_str(), &[usize::MAX, 1][..]),
        };
        for &chunk_octets in splits {
            let mut script = Script::new(path.file_name().unwrap().to_string_lossy().into_owned(), text, chunk_octets);
            if let Err(failure) = hold(&mut script) {
                script.outcome(&format!("failure: {failure}"));
                script.unheard.clear();
            }
            script.end();
        }
    }
}

fn hold(script: &mut Script) -> Result<(), Failure> {
    let opening = Opening::new("client.example".parse().unwrap(), None);
    let mut session = match script.run(opening)? {
        Ok(session) => session,
        Err(refusal) => {
            script.outcome(&format!("refused {refusal}"));
            return Ok(());
        }
    };
    while let Some(action) = script.action() {
        let words: Vec<&str> = action.split(' ').collect();
        session = match words[..] {
            ["register"] => script.ask(session.register(None, None), |address| address.to_string())?,
            ["register", name] => {
                script.ask(session.register(Some(&name.parse().unwrap()), None), |address| address.to_string())?
            }
            ["register", name, token] => {
                let (name, token) = (name.parse().unwrap(), token.parse().unwrap());
                script.ask(session.register(Some(&name), Some(&token)), |address| address.to_string())?
            }
            ["password"] => script.ask(session.issue_password(), |password| password)?,
            ["unregister"] => script.ask(session.unregister(), |()| "done".into())?,
            ["starttls"] => match starttls(script, session)? {
                Some(session) => session,
                None => return Ok(()),
            },
            ["login", user, password] => log_in(script, session, &Channel::Local, user, password)?,
            ["login", user, password, "over", "tls"] => log_in(script, session, &encrypted(), user, password)?,
            ["noop"] => script.ask(session.noop(), |()| "done".into())?,
            ["quit"] => script.ask(session.quit(), |()| "done".into())?,
            ["send", from, "to"] => send(script, session, from, "")?,
            ["send", from, "to", recipients] => send(script, session, from, recipients)?,
            ["retrieve"] => retrieve(script, session, None)?,
            ["retrieve", wait] => retrieve(script, session, Some(Duration::from_secs(wait.parse().unwrap())))?,
            _ => panic!("{}: unknown action", script.place()),
        };
    }
    Ok(())
}

/// `None` if there is no session under TLS.
fn starttls(script: &mut Script, session: Session) -> Result<Option<Session>, Failure> {
    let (session, answer) = script.run(session.starttls())?;
    if let Err(refusal) = answer {
        script.outcome(&format!("refused {refusal}"));
        return Ok(Some(session));
    }
    script.outcome("encrypted");
    let opening = Opening::after_tls(session, "client.example".parse().unwrap())?;
    let opened = script.run(opening)?;
    Ok(opened.map_err(|refusal| script.outcome(&format!("refused {refusal}"))).ok())
}

fn log_in(
    script: &mut Script,
    session: Session,
    channel: &Channel,
    user: &str,
    password: &str,
) -> Result<Session, Failure> {
    let credentials = Credentials { user: user.into(), password: password.into() };
    let offers = |it: Mechanism| session.extensions().has_mechanism(it.name());
    match sasl::client::Exchange::begin(&credentials, channel, offers, NONCE) {
        Some(exchange) => {
            let (session, answer) = script.run(session.log_in(exchange))?;
            script.outcome(&answer.map_or_else(|refusal| format!("refused {refusal}"), |()| "done".into()));
            Ok(session)
        }
        None => {
            script.outcome("no mechanism");
            Ok(session)
        }
    }
}

/// The client's nonce in the example of RFC 7677 §3.
const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";

fn encrypted() -> Channel {
    Channel::Tls(Arc::new(Bindings { exporter: Some([1; 32]), server_end_point: Some(vec![2; 32]) }))
}

fn send(script: &mut Script, session: Session, from: &str, recipients: &str) -> Result<Session, Failure> {
    let body = script.message();
    let recipients = recipients.split(',').filter(|text| !text.is_empty()).map(|text| text.parse().unwrap()).collect();
    let envelope = Envelope { reverse_path: from.parse().unwrap(), recipients };
    let message = Message { octets: body.len() as u64, eight_bit: !body.is_ascii() };
    let ending = match script.run(session.transaction(envelope, message))? {
        Begun::Ending(ending) => ending,
        Begun::Content(mut content) => {
            let chunk_octets = script.chunk_octets;
            let lines = body.split_inclusive(|octet| *octet == b'\n');
            for piece in lines.flat_map(|line| line.chunks(chunk_octets)) {
                content.write(piece)?;
                script.exchange_content(&mut content)?;
            }
            content.finish()?
        }
    };
    let (session, delivery) = script.run(ending)?;
    for (address, reply) in delivery.recipients {
        script.outcome(&format!("{address} {reply}"));
    }
    script.outcome(&match delivery.outcome {
        Outcome::Accepted(reply) => format!("accepted {reply}"),
        Outcome::Refused(reply) => format!("refused {reply}"),
        Outcome::SenderRefused(reply) => format!("sender refused {reply}"),
        Outcome::NoRecipients => "no recipients".into(),
    });
    Ok(session)
}

fn retrieve(script: &mut Script, session: Session, wait: Option<Duration>) -> Result<Session, Failure> {
    let mut retrieval = match script.run(session.retrieve(wait))? {
        Ok(retrieval) => retrieval,
        Err((session, refusal)) => {
            script.outcome(&format!("refused {refusal}"));
            return Ok(session);
        }
    };
    script.outcome(&format!("count {}", retrieval.count()));
    read_all(script, &mut retrieval)?;
    let confirmation = retrieval.confirm().expect("all was read");
    script.ask(confirmation, |()| "confirmed".into())
}

fn read_all(script: &mut Script, retrieval: &mut Retrieval) -> Result<(), Failure> {
    let mut message = Vec::new();
    loop {
        match retrieval.next_event()? {
            Event::Message(block) => script.outcome(&format!("from {} to {}", block.from, block.to)),
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

/// A dialogue on its way.
struct Script {
    name: String,
    lines: VecDeque<(usize, String)>,
    chunk_octets: usize,
    /// What the server has said and the client has not heard yet.
    unheard: VecDeque<u8>,
    /// What the client has said of a line.
    said: BytesMut,
}

impl Script {
    fn new(name: String, text: &str, chunk_octets: usize) -> Self {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let lines = lines.map(|(at, line)| (at + 1, line.to_owned())).collect();
        Self { name, lines, chunk_octets, unheard: VecDeque::new(), said: BytesMut::new() }
    }

    fn place(&self) -> String {
        let line = self.lines.front().map(|(number, line)| format!("{number}: {line}"));
        format!("{}:{} (octets at a time: {})", self.name, line.unwrap_or_default(), self.chunk_octets)
    }

    /// Takes the next line if it begins so.
    fn next(&mut self, mark: &str) -> Option<String> {
        let text = self.lines.front()?.1.strip_prefix(mark)?.to_owned();
        self.lines.pop_front();
        Some(text)
    }

    fn action(&mut self) -> Option<String> {
        self.next("> ")
    }

    fn message(&mut self) -> Vec<u8> {
        let mut body = String::new();
        while let Some(line) = self.next("|= ").or_else(|| self.next("| ").map(|line| line + "\r\n")) {
            body.push_str(&line.replace("\\n", "\n").replace("\\r", "\r"));
        }
        body.into_bytes()
    }

    fn outcome(&mut self, text: &str) {
        assert_eq!(self.next("= ").as_deref(), Some(text), "{}", self.place());
    }

    fn end(&self) {
        assert!(self.lines.is_empty() && self.unheard.is_empty(), "{}: not reached", self.place());
    }

    fn ask<T>(&mut self, ask: Ask<T>, meaning: impl Fn(T) -> String) -> Result<Session, Failure> {
        let (session, answer): (_, Result<_, Reply>) = self.run(ask)?;
        self.outcome(&answer.map_or_else(|refusal| format!("refused {refusal}"), meaning));
        Ok(session)
    }

    fn run<E: Exchange<Wire = Wire, Failure = Failure>>(&mut self, mut exchange: E) -> Result<E::Outcome, Failure> {
        loop {
            match exchange.advance()? {
                Advance::Done(outcome) => return Ok(outcome),
                Advance::Waiting(waiting) => exchange = waiting,
            }
            self.exchange(exchange.wire());
        }
    }

    /// Hears what the client says, and answers.
    fn exchange(&mut self, wire: &mut Wire) {
        self.hear(wire);
        if self.unheard.is_empty() {
            while let Some(line) = self.next("S: ") {
                self.unheard.extend(repeated(&line).bytes().chain(*b"\r\n"));
            }
            assert!(!self.unheard.is_empty(), "{}: the client waits", self.place());
        }
        let octets = self.unheard.len().min(self.chunk_octets);
        wire.receive(&self.unheard.drain(..octets).collect::<Vec<u8>>());
    }

    fn exchange_content(&mut self, content: &mut Content) -> Result<(), Failure> {
        self.hear(content.wire());
        while !self.unheard.is_empty() || self.lines.front().is_some_and(|(_, line)| line.starts_with("S: ")) {
            self.exchange(content.wire());
            content.listen()?;
        }
        Ok(())
    }

    fn hear(&mut self, wire: &mut Wire) {
        self.said.extend_from_slice(&wire.output().split());
        while let Some(end) = self.said.windows(2).position(|octets| octets == b"\r\n") {
            let line = String::from_utf8(self.said.split_to(end + 2)[..end].to_vec()).unwrap();
            assert_eq!(self.next("C: ").as_deref(), Some(line.as_str()), "{}", self.place());
        }
    }
}

/// Writes out `{x*100}`.
fn repeated(line: &str) -> String {
    match line.split_once('{').and_then(|(head, rest)| Some((head, rest.split_once('}')?))) {
        Some((head, (repetition, tail))) => {
            let (text, times) = repetition.split_once('*').unwrap();
            format!("{head}{}{tail}", text.repeat(times.parse().unwrap()))
        }
        None => line.to_owned(),
    }
}
