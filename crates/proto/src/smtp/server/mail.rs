//! The mail transaction (RFC 5321 §3.3): MAIL, RCPT, DATA, and the data up to its commit.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::State;
use super::config::Config;
use super::core::{Core, Hello};
use super::step::{Ask, Question};
use crate::data::{DataReader, Piece};
use crate::smtp::{Reply, replies};
use crate::{ForwardPath, ReversePath};

/// Where a message comes from and where it goes.
#[derive(Debug)]
pub struct Envelope<R> {
    /// Where reports would go.
    pub reverse_path: ReversePath,
    /// The recipients that were accepted, as the driver knows them.
    pub recipients: Vec<R>,
    /// How large the client says it will be (RFC 1870 §6.1).
    pub octets: Option<u64>,
    /// Whether addresses and header may be UTF-8 (RFC 6531 §3.4).
    pub utf8: bool,
}

/// May mail come from there?
#[derive(Debug)]
pub struct Mail {
    /// The reverse-path.
    pub reverse_path: ReversePath,
    /// How large the message will be, if the client says so.
    pub octets: Option<u64>,
    utf8: bool,
}

/// May this message go there?
#[derive(Debug)]
pub struct Recipient<R> {
    /// The transaction so far.
    pub envelope: Envelope<R>,
    /// The forward-path.
    pub forward_path: ForwardPath,
}

/// Is there room for the data?
#[derive(Debug)]
pub struct BeginData<R> {
    /// The transaction.
    pub envelope: Envelope<R>,
}

/// Is the message kept?
#[derive(Debug)]
pub struct Commit;

/// `MAIL FROM:<reverse-path> [parameters]`
pub(super) fn mail<R>(core: &mut Core, args: &str) -> State<R> {
    if core.hello == Hello::None {
        core.error(&replies::GREET_FIRST);
        return State::Command(None);
    }
    match parse_mail(args, core.config.limits.message_octets) {
        Ok(question) => State::Asking(Question::Mail(question)),
        Err(reply) => {
            core.error(&reply);
            State::Command(None)
        }
    }
}

fn parse_mail(args: &str, octets_max: u64) -> Result<Mail, Reply> {
    const FORM: &str = "MAIL FROM:<address> [parameters]";
    let text = strip_keyword(args, "FROM:").ok_or_else(|| replies::syntax(FORM))?;
    let (reverse_path, parameters) = ReversePath::parse_prefix(text).map_err(replies::bad_sender)?;
    let mut question = Mail { reverse_path, octets: None, utf8: false };
    for (keyword, value) in parse_parameters(parameters).ok_or_else(|| replies::syntax(FORM))? {
        match (keyword.to_ascii_uppercase().as_str(), value) {
            ("SIZE", Some(octets)) if is_size(octets) => question.octets = Some(octets.parse().unwrap_or(u64::MAX)),
            ("BODY", Some(body)) if ["7BIT", "8BITMIME"].iter().any(|known| body.eq_ignore_ascii_case(known)) => {}
            ("SMTPUTF8", None) => question.utf8 = true,
            // Who wrote the message is not ours to tell anybody: accepted and ignored, as RFC 4954 §5 allows.
            ("AUTH", Some(_)) => {}
            ("SIZE" | "BODY" | "SMTPUTF8" | "AUTH", _) => {
                return Err(replies::syntax("SIZE=octets, BODY=7BIT or 8BITMIME, SMTPUTF8"));
            }
            _ => return Err(replies::BAD_PARAMETER),
        }
    }
    match &question.reverse_path {
        ReversePath::Address(address) if !address.is_ascii() && !question.utf8 => Err(replies::NEEDS_SMTPUTF8),
        _ if question.octets > Some(octets_max) => Err(replies::MESSAGE_TOO_LARGE),
        _ => Ok(question),
    }
}

/// RFC 1870 §6.1: up to twenty digits.
fn is_size(text: &str) -> bool {
    (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

impl<R: 'static> Ask<'_, R, Mail> {
    /// It may; or not.
    pub fn answer(self, verdict: Result<(), Reply>) {
        self.proceed(|core, Mail { reverse_path, octets, utf8 }| match verdict {
            Ok(()) => {
                core.reply(&replies::SENDER_OK);
                State::Command(Some(Envelope { reverse_path, recipients: Vec::new(), octets, utf8 }))
            }
            Err(reply) => {
                core.refuse(&reply);
                State::Command(None)
            }
        });
    }
}

/// `RCPT TO:<forward-path> [parameters]`
pub(super) fn rcpt<R>(core: &mut Core, envelope: Envelope<R>, args: &str) -> State<R> {
    match parse_rcpt(args, envelope.utf8) {
        Ok(_) if envelope.recipients.len() >= core.config.limits.recipients => {
            core.reply(&replies::TOO_MANY_RECIPIENTS);
            State::Command(Some(envelope))
        }
        Ok(forward_path) => State::Asking(Question::Recipient(Recipient { envelope, forward_path })),
        Err(reply) => {
            core.error(&reply);
            State::Command(Some(envelope))
        }
    }
}

fn parse_rcpt(args: &str, utf8: bool) -> Result<ForwardPath, Reply> {
    const FORM: &str = "RCPT TO:<address>";
    let text = strip_keyword(args, "TO:").ok_or_else(|| replies::syntax(FORM))?;
    let (forward_path, parameters) = ForwardPath::parse_prefix(text).map_err(replies::bad_recipient)?;
    if parse_parameters(parameters).ok_or_else(|| replies::syntax(FORM))?.next().is_some() {
        return Err(replies::BAD_PARAMETER);
    }
    match &forward_path {
        ForwardPath::Address(address) if !address.is_ascii() && !utf8 => Err(replies::NEEDS_SMTPUTF8),
        _ => Ok(forward_path),
    }
}

impl<R: 'static> Ask<'_, R, Recipient<R>> {
    /// It may, and this is what the driver knows the recipient by; or not.
    pub fn answer(self, verdict: Result<R, Reply>) {
        self.proceed(|core, Recipient { mut envelope, .. }| {
            match verdict {
                Ok(recipient) => {
                    envelope.recipients.push(recipient);
                    core.reply(&replies::RECIPIENT_OK);
                }
                Err(reply) => core.refuse(&reply),
            }
            State::Command(Some(envelope))
        });
    }
}

/// `DATA`
pub(super) fn data<R>(core: &mut Core, envelope: Envelope<R>, args: &str) -> State<R> {
    let refusal = match args {
        "" if envelope.recipients.is_empty() => replies::RCPT_FIRST,
        "" => return State::Asking(Question::BeginData(BeginData { envelope })),
        _ => replies::NO_ARGUMENT_ALLOWED,
    };
    core.error(&refusal);
    State::Command(Some(envelope))
}

impl<R: 'static> Ask<'_, R, BeginData<R>> {
    /// It may.
    pub fn answer(self, now: Instant) {
        self.proceed(|core, BeginData { envelope }| {
            core.reply(&Reply::new(354, None, "Start mail input; end with <CRLF>.<CRLF>"));
            State::Data(Receiving::new(envelope, DataReader::new(core.flow.line_end()), now))
        });
    }
}

impl<R: 'static> Ask<'_, R, Commit> {
    /// It is on stable storage for all recipients; or not.
    pub fn answer(self, verdict: Result<(), Reply>) {
        self.proceed(|core, Commit| {
            core.reply(&verdict.err().unwrap_or(replies::MESSAGE_OK));
            State::Command(None)
        });
    }
}

/// Mail data coming in.
#[derive(Debug)]
pub(super) struct Receiving<R> {
    envelope: Envelope<R>,
    reader: DataReader,
    octets: u64,
    /// Why the message will be refused when its end has come.
    flaw: Option<Reply>,
    began: Instant,
    /// When octets were last seen.
    fed: Instant,
}

/// What has come in.
pub(super) enum Received {
    /// Octets of the message, where they stand in the input.
    Content(Range<usize>),
    /// A typed line's end.
    TypedLineEnd,
    /// The message has just turned out to be one to refuse.
    Bad,
    /// Octets of a message that will be refused.
    Dropped,
    /// Nothing more so far.
    More,
    /// The end.
    End,
}

impl<R> Receiving<R> {
    fn new(envelope: Envelope<R>, reader: DataReader, now: Instant) -> Self {
        Self { envelope, reader, octets: 0, flaw: None, began: now, fed: now }
    }

    /// Takes the next piece of the input.
    pub(super) fn read(&mut self, core: &mut Core, now: Instant) -> Received {
        let (octets, piece) = self.reader.read(&core.flow.input);
        core.flow.lend(octets);
        if octets > 0 {
            self.fed = now;
        }
        let (content_octets, received) = match piece {
            Some(Piece::Content(range)) => (range.len(), Received::Content(range)),
            Some(Piece::TypedLineEnd) => (2, Received::TypedLineEnd),
            Some(Piece::End) => return Received::End,
            None => return Received::More,
        };
        self.octets += content_octets as u64;
        if self.flaw.is_some() {
            return Received::Dropped;
        }
        self.flaw = self.find_flaw(&core.config);
        if self.flaw.is_some() { Received::Bad } else { received }
    }

    /// The end has come: the message is for the store, or refused.
    pub(super) fn finish(self, core: &mut Core) -> State<R> {
        match self.flaw.as_ref().or(self.find_flaw(&core.config).as_ref()) {
            Some(reply) => {
                core.error(reply);
                State::Command(None)
            }
            None => State::Asking(Question::Commit(self.envelope)),
        }
    }

    fn find_flaw(&self, config: &Config) -> Option<Reply> {
        if self.reader.found_bare_line_end() {
            Some(replies::BARE_LINE_END)
        } else if self.octets > config.limits.message_octets {
            Some(replies::MESSAGE_TOO_LARGE)
        } else {
            None
        }
    }

    /// A peer that has fallen silent, or sends too slowly over the whole message, has had its time.
    pub(super) fn deadline(&self, config: &Config) -> Instant {
        let patience = config.timeouts.data;
        let earned = Duration::from_secs(self.octets / config.limits.data_octets_per_second_min.max(1));
        (self.fed + patience).min(self.began + patience + earned)
    }
}

/// `FROM:` or `TO:` in any letter case, and the spaces that people type behind it.
fn strip_keyword<'a>(args: &'a str, keyword: &str) -> Option<&'a str> {
    let (head, rest) = args.split_at_checked(keyword.len())?;
    head.eq_ignore_ascii_case(keyword).then(|| rest.trim_start_matches(' '))
}

/// `keyword[=value]`, parted by spaces (RFC 5321 §4.1.2). `None` if they do not begin with a space.
fn parse_parameters(text: &str) -> Option<impl Iterator<Item = (&str, Option<&str>)>> {
    if !text.is_empty() && !text.starts_with(' ') {
        return None;
    }
    Some(text.split_ascii_whitespace().map(|word| match word.split_once('=') {
        Some((keyword, value)) => (keyword, Some(value)),
        None => (word, None),
    }))
}
