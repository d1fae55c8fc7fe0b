//! A whole session of POP3, with a driver that answers whatever the input has chosen.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::INPUT_OCTETS_MAX;
use proto::pop3::Response;
use proto::pop3::responses;
use proto::pop3::server::{Config, Limits, Message, Session, Step};
use proto::sasl::server::{Attempt, Secret};
use proto::sasl::{AUTH_OCTETS_MAX, Channel};

use super::answers::{Answers, PENCIL};
use super::replies::assert_lines;
use super::{lines, parted, segments};
use crate::world::{NONCE, encrypted, hostname};

/// How many octets of an input are choices.
const CHOICES: usize = 16;
/// The least that a session must take (RFC 2449 §4).
const SHORT_COMMAND_OCTETS: usize = 255;

/// What the maildrop holds.
const LETTERS: [&[u8]; 4] =
    [b"Subject: one\r\n\r\n.\r\n..two\r\n", b"", b"\r\n.\r\n", b"Subject: no end\r\nA: b\r\n\r\n.\r\n.\r\nlast"];

/// A message, by its place among the [`LETTERS`].
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Letter(usize);

impl Message for Letter {
    fn octets(&self) -> u64 {
        LETTERS[self.0].len() as u64
    }

    fn unique_id(&self) -> String {
        format!("u{}", self.0)
    }
}

/// An input is sixteen octets of choices and what a client says.
pub fn pop3_session(input: &[u8]) {
    let (choices, said) = parted::<CHOICES>(input);
    let said = &said[..said.len().min(INPUT_OCTETS_MAX / 2)];
    let mut turns = Turns::default();
    let by_lines = run(&choices, &lines(said), |line, run| turns.check(line, run));
    let by_octets = run(&choices, &said.chunks(1).collect::<Vec<_>>(), |_, _| {});
    by_octets.assert_like(&by_lines, "octet by octet");
    // What follows STLS at once ends the session.
    if !by_lines.config.starttls {
        run(&choices, &[said], |_, _| {}).assert_like(&by_lines, "all at once");
        run(&choices, &segments(u64::from(choices[1]), said), |_, _| {}).assert_like(&by_lines, "in pieces");
    }
}

/// A session and what has come of it so far.
struct Run {
    config: Arc<Config>,
    session: Session<Letter>,
    answers: Answers,
    now: Instant,
    heard: Vec<u8>,
    events: Vec<String>,
    /// What was deleted for good.
    deleted: Option<BTreeSet<Letter>>,
    open: &'static [u8],
    has_broken_off: bool,
    is_over: bool,
}

fn run(choices: &[u8; CHOICES], segments: &[&[u8]], mut look: impl FnMut(&[u8], &Run)) -> Run {
    let mut run = Run::new(choices);
    run.go();
    look(b"", &run);
    for segment in segments {
        if run.is_over {
            break;
        }
        run.session.receive(segment);
        run.go();
        look(segment, &run);
    }
    if !run.is_over {
        run.now = run.session.deadline();
        run.go();
        assert!(run.is_over, "a silent client is waited for, for ever");
    }
    run
}

impl Run {
    fn new(choices: &[u8; CHOICES]) -> Self {
        let [who, _, size, ..] = *choices;
        let small = Limits { command_octets: SHORT_COMMAND_OCTETS, errors: 4 };
        let limits = if size % 2 == 0 { Limits::default() } else { small };
        let starttls = who & 0x10 != 0;
        let config = Arc::new(Config { hostname: hostname(), starttls, limits, timeout: Duration::from_secs(600) });
        let channel = match who % 4 {
            0 | 1 => Channel::Local,
            2 => encrypted(),
            _ => Channel::Clear,
        };
        let now = Instant::now();
        Self {
            session: Session::new(config.clone(), channel, now),
            config,
            answers: Answers::new(&choices[3..]),
            now,
            heard: Vec::new(),
            events: Vec::new(),
            deleted: None,
            open: b"",
            has_broken_off: false,
            is_over: false,
        }
    }

    /// Goes on until the session can't.
    fn go(&mut self) {
        loop {
            match self.session.next(self.now) {
                Step::NeedInput => break,
                Step::Close => break self.is_over = true,
                Step::Send(octets) => {
                    assert!(!octets.is_empty(), "nothing to write");
                    assert_lines(octets);
                    self.heard.extend_from_slice(octets);
                }
                Step::StartTls(tls) => {
                    self.events.push("TLS".to_owned());
                    tls.done(encrypted(), self.now);
                }
                Step::LookUp(ask) => {
                    self.events.push(format!("look up {:?}", ask.question.user()));
                    let secret = Secret { verifier: PENCIL.clone(), nonce: NONCE.to_owned() };
                    ask.answer(verdict(&mut self.answers, secret, responses::TOO_MANY_FAILED_LOGINS));
                }
                Step::Authenticate(ask) => {
                    self.events.push(format!("{:?}", ask.question.attempt()));
                    let is_proved = !matches!(ask.question.attempt(), Attempt::Proof { is_valid: false, .. });
                    let letters = (0..LETTERS.len()).map(Letter).filter(|_| is_proved).collect();
                    let verdict = verdict(&mut self.answers, letters, responses::BAD_CREDENTIALS);
                    ask.answer(if is_proved { verdict } else { Err(responses::BAD_CREDENTIALS) });
                }
                Step::OpenMessage(ask) => {
                    self.open = LETTERS[ask.question.message.0];
                    ask.answer(verdict(&mut self.answers, (), responses::MESSAGE_DAMAGED));
                }
                Step::NextChunk(ask) if self.open.is_empty() => ask.end(),
                Step::NextChunk(ask) if self.answers.goes_on() => {
                    let line_octets = self.open.iter().position(|octet| *octet == b'\n').map(|at| at + 1);
                    let (chunk, rest) = self.open.split_at(line_octets.unwrap_or(self.open.len()));
                    self.open = rest;
                    ask.chunk(chunk);
                }
                Step::NextChunk(ask) => {
                    self.has_broken_off = true;
                    ask.fail();
                }
                Step::Update(ask) => {
                    self.events.push(format!("delete {:?}", ask.question.deleted));
                    assert_eq!(self.deleted, None, "mail is deleted a second time");
                    self.deleted = Some(ask.question.deleted.iter().cloned().collect());
                    ask.answer(verdict(&mut self.answers, (), responses::NOT_REMOVED));
                }
            }
        }
        // Of a line that has no end yet there is never more than the longest one.
        assert!(self.is_over || self.session.input().len() <= AUTH_OCTETS_MAX, "input gathers");
    }

    fn assert_like(&self, other: &Self, how: &str) {
        let shown = |run: &Self| format!("{}\n{:#?}", String::from_utf8_lossy(&run.heard), run.events);
        assert_eq!(shown(self), shown(other), "{how} it is another session");
    }
}

/// Yes, or no with this response.
fn verdict<T>(answers: &mut Answers, yes: T, no: Response) -> Result<T, Response> {
    if answers.choice() % 4 == 3 { Err(no) } else { Ok(yes) }
}

/// Looks at a session line by line, as a client does that awaits each response: one for each line, and what is deleted is what
/// was marked.
#[derive(Default)]
struct Turns {
    heard: usize,
    is_greeted: bool,
    /// Whether lines end in LF alone; `None`: that is not settled yet.
    is_typed: Option<bool>,
    /// Whether a line of a login is awaited, and not a command.
    in_login: bool,
    /// Whether the line goes on that was bad.
    in_bad_line: bool,
    marked: BTreeSet<Letter>,
}

impl Turns {
    fn check(&mut self, line: &[u8], run: &Run) {
        let heard = str::from_utf8(&run.heard[self.heard..]).expect("UTF-8");
        self.heard = run.heard.len();
        let (status, rest) = heard.split_once("\r\n").unwrap_or_default();
        if !std::mem::replace(&mut self.is_greeted, true) {
            return assert!(status.starts_with("+OK ") && rest.is_empty(), "{heard:?}");
        }
        let Some(text) = line.strip_suffix(b"\n") else { return };
        let has_cr = text.ends_with(b"\r");
        let is_typed = *self.is_typed.get_or_insert(!has_cr);
        let text = if is_typed { text } else { text.strip_suffix(b"\r").unwrap_or(text) };
        let is_clean = !text.contains(&b'\r') && (is_typed || has_cr) && !self.in_bad_line;
        assert!(!is_clean || !heard.is_empty(), "no response to {:?}", String::from_utf8_lossy(line));
        self.in_bad_line = !is_typed && !has_cr;
        let is_positive = status.starts_with("+OK");
        assert!(
            heard.is_empty() || is_positive || status.starts_with("-ERR") || status.starts_with("+ "),
            "{status:?}"
        );
        let text = String::from_utf8_lossy(text).to_ascii_uppercase();
        let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
        let verb = words.first().copied().filter(|_| !self.in_login).unwrap_or_default();
        let is_long = is_positive
            && match verb {
                "LIST" | "UIDL" => words.len() == 1,
                "AUTH" => words.len() == 1,
                verb => matches!(verb, "CAPA" | "RETR" | "TOP"),
            };
        assert_eq!(rest.is_empty(), !is_long || run.has_broken_off && rest.is_empty(), "{verb}: {heard:?}");
        let is_whole = rest == ".\r\n" || rest.ends_with("\r\n.\r\n");
        assert!(!is_long || is_whole != run.has_broken_off, "{verb}: {heard:?}");
        assert!(!is_long || rest.matches("\r\n.\r\n").count() <= 1, "{verb}: two ends in {heard:?}");
        self.in_login = status.starts_with("+ ");
        self.mark(verb, &words, is_positive);
        if let Some(deleted) = &run.deleted {
            assert_eq!((verb, deleted), ("QUIT", &self.marked), "what is deleted");
        }
        if run.events.last().is_some_and(|event| event == "TLS") && verb == "STLS" {
            self.is_typed = None;
        }
    }

    fn mark(&mut self, verb: &str, words: &[&str], is_positive: bool) {
        match (verb, words.get(1).and_then(|number| number.parse::<usize>().ok())) {
            ("DELE", Some(number)) if is_positive => {
                self.marked.insert(Letter(number - 1));
            }
            ("RSET", _) if is_positive => self.marked.clear(),
            _ => {}
        }
    }
}
