//! The clients' dialogues, as text.
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

use std::collections::VecDeque;
use std::fmt::Display;
use std::path::Path;

use bytes::BytesMut;
use proto::client::{Advance, Exchange, Octets};

/// A dialogue on its way.
pub struct Script {
    name: String,
    lines: VecDeque<(usize, String)>,
    /// How many octets arrive at a time.
    pub chunk_octets: usize,
    /// What the server has said and the client has not heard yet.
    unheard: VecDeque<u8>,
    /// What the client has said of a line.
    said: BytesMut,
}

impl Script {
    /// Has every dialogue of a folder held, with what is said arriving whole, and octet by octet.
    pub fn hold_all_in<F: Display>(folder: &Path, hold: impl Fn(&mut Self) -> Result<(), F>) {
        let entries = folder.read_dir().expect("a folder of dialogues");
        let mut paths: Vec<_> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
        paths.sort();
        assert!(paths.len() > 10, "the dialogues are missing");
        for path in paths {
            let text = std::fs::read_to_string(&path).expect("a readable dialogue");
            let (text, splits) = match text.strip_prefix("whole\n") {
                Some(text) => (text, &[usize::MAX][..]),
                None => (text.as_str(), &[usize::MAX, 1][..]),
            };
            for &chunk_octets in splits {
                let mut script = Self::new(path.display().to_string(), text, chunk_octets);
                if let Err(failure) = hold(&mut script) {
                    script.outcome(&format!("failure: {failure}"));
                    script.unheard.clear();
                }
                script.end();
            }
        }
    }

    fn new(name: String, text: &str, chunk_octets: usize) -> Self {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        let lines = lines.map(|(at, line)| (at + 1, line.to_owned())).collect();
        Self { name, lines, chunk_octets, unheard: VecDeque::new(), said: BytesMut::new() }
    }

    /// Where it has come to.
    pub fn place(&self) -> String {
        let line = self.lines.front().map(|(number, line)| format!("{number}: {line}"));
        format!("{}:{} (octets at a time: {})", self.name, line.unwrap_or_default(), self.chunk_octets)
    }

    /// Takes the next line if it begins so.
    fn next(&mut self, mark: &str) -> Option<String> {
        let text = self.lines.front()?.1.strip_prefix(mark)?.to_owned();
        self.lines.pop_front();
        Some(text)
    }

    /// What the client is asked to do next.
    pub fn action(&mut self) -> Option<String> {
        self.next("> ")
    }

    /// This has come of it.
    pub fn outcome(&mut self, text: &str) {
        assert_eq!(self.next("= ").as_deref(), Some(text), "{}", self.place());
    }

    /// The message that it is asked to send.
    pub fn message(&mut self) -> Vec<u8> {
        let mut body = String::new();
        while let Some(line) = self.next("|= ").or_else(|| self.next("| ").map(|line| line + "\r\n")) {
            body.push_str(&line.replace("\\n", "\n").replace("\\r", "\r"));
        }
        body.into_bytes()
    }

    /// Whether the server has something to say.
    pub fn has_more(&self) -> bool {
        !self.unheard.is_empty() || self.lines.front().is_some_and(|(_, line)| line.starts_with("S: "))
    }

    fn end(&self) {
        assert!(self.lines.is_empty() && self.unheard.is_empty(), "{}: not reached", self.place());
    }

    /// Runs an exchange to its end.
    pub fn run<E: Exchange>(&mut self, mut exchange: E) -> Result<E::Outcome, E::Failure> {
        loop {
            match exchange.advance()? {
                Advance::Done(outcome) => return Ok(outcome),
                Advance::Waiting(waiting) => exchange = waiting,
            }
            self.exchange(exchange.wire());
        }
    }

    /// Hears what the client says, and answers.
    pub fn exchange(&mut self, wire: &mut impl Octets) {
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

    /// Hears what the client says.
    pub fn hear(&mut self, wire: &mut impl Octets) {
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
