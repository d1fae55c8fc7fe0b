//! The data of a mail transaction: DATA with its last dot (RFC 5321 §4.1.1.4) or BDAT with its chunks (RFC 3030), up to the
//! commit.

use std::ops::Range;
use std::time::Instant;

use super::State;
use super::config::{Config, Role};
use super::core::Core;
use super::dropping::Dropping;
use super::mail::{Envelope, Transaction};
use super::pace::Pace;
use super::parameters::Body;
use super::step::{Ask, Question};
use crate::data::{DataReader, LineCheck, Piece};
use crate::smtp::{Enhanced, Reply, replies};

/// Is there room for the data?
#[derive(Debug)]
pub struct BeginData<R> {
    /// The transaction.
    pub envelope: Box<Envelope<R>>,
    /// The first chunk; `None`: it ends with a dot.
    chunk: Option<Chunk>,
}

/// Is the message kept?
#[derive(Debug)]
pub struct Commit;

/// For which of its recipients is the message kept?
#[derive(Debug)]
pub struct CommitEach {
    recipients: usize,
}

/// `DATA`
pub(super) fn data<R>(core: &mut Core, envelope: Box<Envelope<R>>, args: &str) -> State<R> {
    let refusal = match args {
        "" if envelope.recipients.is_empty() => replies::RCPT_FIRST,
        "" if envelope.parameters.body == Body::Binary => replies::NEEDS_BDAT,
        "" => return State::Asking(Question::BeginData(BeginData { envelope, chunk: None })),
        _ => replies::NO_ARGUMENT_ALLOWED,
    };
    core.error(&refusal);
    State::Command(Some(Transaction::Envelope(envelope)))
}

/// `BDAT octets [LAST]`. What comes behind it is content, whatever is thought of it: it is read, if only to be dropped.
pub(super) fn bdat<R>(core: &mut Core, transaction: Option<Transaction<R>>, args: &str, now: Instant) -> State<R> {
    let form = || replies::syntax("BDAT octets [LAST]");
    let (octets, last) =
        args.split_once(' ').map_or((args, ""), |(octets, last)| (octets, last.trim_start_matches(' ')));
    let is_number = !octets.is_empty() && octets.bytes().all(|b| b.is_ascii_digit());
    let Some(octets) = is_number.then(|| octets.parse().ok()).flatten() else {
        // Nobody knows where the next command begins.
        core.error(&form());
        return State::Closing;
    };
    let drop = |reply, transaction| State::Dropping(Dropping::new(octets, reply, transaction, now));
    let is_last = last.eq_ignore_ascii_case("LAST");
    match transaction {
        transaction if !(is_last || last.is_empty()) => drop(form(), transaction),
        None if core.in_refused_message => {
            core.in_refused_message = !is_last;
            State::Dropping(Dropping::behind_refused(octets, now))
        }
        None => drop(replies::MAIL_FIRST, None),
        Some(Transaction::Envelope(envelope)) if envelope.recipients.is_empty() => {
            drop(replies::RCPT_FIRST, Some(Transaction::Envelope(envelope)))
        }
        Some(Transaction::Envelope(envelope)) => {
            let chunk = Some(Chunk { octets, left: octets, is_last });
            State::Asking(Question::BeginData(BeginData { envelope, chunk }))
        }
        Some(Transaction::Chunks(receiving)) => {
            State::Data(Box::new(receiving.go_on(Chunk { octets, left: octets, is_last }, now)))
        }
    }
}

impl<R: 'static> Ask<'_, R, BeginData<R>> {
    /// It may.
    pub fn answer(self, now: Instant) {
        self.proceed(|core, BeginData { envelope, chunk }| {
            core.has_content = true;
            let framing = match chunk {
                Some(chunk) => Framing::Chunks(chunk, LineCheck::default()),
                None => {
                    core.reply(&Reply::new(354, None, "Start mail input; end with <CRLF>.<CRLF>"));
                    Framing::Dots(DataReader::new(core.flow.line_end()))
                }
            };
            State::Data(Box::new(Receiving { envelope, framing, octets: 0, flaw: None, pace: Pace::new(now) }))
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

impl<R: 'static> Ask<'_, R, CommitEach> {
    /// It is on stable storage for these recipients, and not for those, in the order of the envelope.
    pub fn answer(self, verdicts: Vec<Result<(), Reply>>) {
        self.proceed(|core, CommitEach { recipients }| {
            let mut verdicts = verdicts.into_iter();
            for _ in 0..recipients {
                // One that is not spoken of is not answered for.
                let verdict = verdicts.next().unwrap_or(Err(replies::STORE_FAILED));
                core.reply(&verdict.err().unwrap_or(replies::MESSAGE_OK));
            }
            State::Command(None)
        });
    }
}

/// A message coming in.
#[derive(Debug)]
pub(super) struct Receiving<R> {
    envelope: Box<Envelope<R>>,
    framing: Framing,
    octets: u64,
    /// Why the message will be refused when its end has come.
    flaw: Option<Reply>,
    pace: Pace,
}

/// How the end of the data is told.
#[derive(Debug)]
enum Framing {
    /// By a line with a dot.
    Dots(DataReader),
    /// By the length of each chunk.
    Chunks(Chunk, LineCheck),
}

#[derive(Debug, Clone, Copy)]
struct Chunk {
    octets: u64,
    left: u64,
    is_last: bool,
}

/// What has come in.
pub(super) enum Received {
    /// Octets of the message, where they stand in the input.
    Content(Range<usize>),
    /// A line end that is not in the input.
    LineEnd,
    /// The message has just turned out to be one to refuse.
    Bad,
    /// Octets of a message that will be refused.
    Dropped,
    /// Nothing more so far.
    More,
    /// The end of the message, or of a chunk.
    End,
}

impl<R> Receiving<R> {
    fn go_on(self, chunk: Chunk, now: Instant) -> Self {
        let framing = match self.framing {
            Framing::Chunks(_, lines) => Framing::Chunks(chunk, lines),
            dots @ Framing::Dots(_) => dots, // never: between two commands there are chunks alone
        };
        Self { framing, pace: self.pace.resumed(now), ..self }
    }

    /// Takes the next piece of the input.
    pub(super) fn read(&mut self, core: &mut Core, now: Instant) -> Received {
        let (taken, received) = self.piece(&core.flow.input);
        core.flow.lend(taken);
        self.pace.feed(taken, now);
        let content_octets = match &received {
            Received::Content(range) => range.len() as u64,
            Received::LineEnd => 2,
            _ => return received,
        };
        self.octets += content_octets;
        if self.flaw.is_some() {
            return Received::Dropped;
        }
        self.flaw = self.find_flaw(&core.config);
        if self.flaw.is_some() { Received::Bad } else { received }
    }

    fn piece(&mut self, input: &[u8]) -> (usize, Received) {
        match &mut self.framing {
            Framing::Dots(reader) => {
                let (taken, piece) = reader.read(input);
                let received = match piece {
                    Some(Piece::Content(range)) => Received::Content(range),
                    Some(Piece::TypedLineEnd) => Received::LineEnd,
                    Some(Piece::End) => Received::End,
                    None => Received::More,
                };
                (taken, received)
            }
            Framing::Chunks(chunk, lines) if chunk.left == 0 => {
                let is_text = self.envelope.parameters.body != Body::Binary;
                // A text is lines: the last one ends like the others, as it would before the dot of DATA.
                let ends_inside_line = is_text && chunk.is_last && self.flaw.is_none() && lines.is_inside_line();
                if ends_inside_line {
                    lines.read(b"\r\n");
                    return (0, Received::LineEnd);
                }
                (0, Received::End)
            }
            Framing::Chunks(..) if input.is_empty() => (0, Received::More),
            Framing::Chunks(chunk, lines) => {
                let octets = usize::try_from(chunk.left).map_or(input.len(), |left| left.min(input.len()));
                chunk.left -= octets as u64;
                lines.read(&input[..octets]);
                (octets, Received::Content(0..octets))
            }
        }
    }

    /// The end has come: of the message, which is for the store or refused, or of a chunk.
    pub(super) fn finish(mut self, core: &mut Core) -> State<R> {
        if let Some(flaw) = self.flaw.take().or_else(|| self.find_flaw(&core.config)) {
            return self.refuse(core, &flaw);
        }
        if let Framing::Chunks(Chunk { octets, is_last: false, .. }, _) = self.framing {
            core.reply(&Reply::new(250, Some(Enhanced(2, 0, 0)), format!("{octets} octets received")));
            return State::Command(Some(Transaction::Chunks(Box::new(self))));
        }
        core.has_content = false;
        State::Asking(match core.config.role {
            Role::Lmtp => {
                let each = CommitEach { recipients: self.envelope.recipients.len() };
                Question::CommitEach(self.envelope, each)
            }
            _ => Question::Commit(self.envelope),
        })
    }

    /// The transaction has failed. LMTP answers for each recipient once the whole message has come (RFC 2033 §4.2, §4.3).
    fn refuse(self, core: &mut Core, flaw: &Reply) -> State<R> {
        let is_whole = !matches!(self.framing, Framing::Chunks(Chunk { is_last: false, .. }, _));
        core.in_refused_message = !is_whole;
        core.error(flaw);
        if core.config.role == Role::Lmtp && is_whole && !core.is_over() {
            (1..self.envelope.recipients.len()).for_each(|_| core.reply(flaw));
        }
        State::Command(None)
    }

    fn find_flaw(&self, config: &Config) -> Option<Reply> {
        let has_bare_line_end = match &self.framing {
            Framing::Dots(reader) => reader.found_bare_line_end(),
            Framing::Chunks(chunk, lines) => {
                let is_over = chunk.is_last && chunk.left == 0;
                self.envelope.parameters.body != Body::Binary && lines.found_bare_line_end(is_over)
            }
        };
        if has_bare_line_end {
            Some(replies::BARE_LINE_END)
        } else if self.octets > config.limits.message_octets {
            Some(replies::MESSAGE_TOO_LARGE)
        } else {
            None
        }
    }

    pub(super) fn deadline(&self, config: &Config) -> Instant {
        self.pace.deadline(config)
    }
}
