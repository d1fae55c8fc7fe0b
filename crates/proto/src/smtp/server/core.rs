//! What a session holds in every state: its buffers, whom it talks to, and what it has counted.

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Buf, BytesMut};

use super::config::{AUTH_OCTETS_MAX, Config};
use crate::data::LineEnd;
use crate::foreign::is_foreign;
use crate::line::{Found, LineReader};
use crate::sasl::Channel;
use crate::smtp::{Reply, replies};

/// What each buffer of an idle session may keep.
const IDLE_OCTETS_MAX: usize = 4 << 10;

/// How the client said hello.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Hello {
    /// Not yet.
    #[default]
    None,
    /// `HELO`, with the name it gave, if any.
    Helo(Option<String>),
    /// `EHLO`, with the name it gave.
    Ehlo(String),
}

impl Hello {
    /// The name that the client gave.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::None | Self::Helo(None) => None,
            Self::Helo(Some(name)) | Self::Ehlo(name) => Some(name),
        }
    }
}

/// What all states share.
pub(super) struct Core {
    pub(super) config: Arc<Config>,
    /// Who could overhear it.
    pub(super) channel: Channel,
    pub(super) hello: Hello,
    /// Whether the session speaks for an account.
    pub(super) bound: bool,
    pub(super) stopping: bool,
    /// When the peer was last answered.
    pub(super) idle_since: Instant,
    pub(super) input: BytesMut,
    pub(super) output: BytesMut,
    lines: LineReader,
    /// The current command; kept for its allocation.
    line: Vec<u8>,
    /// Octets of input that the last move lent out.
    lent: usize,
    /// Whether the last step lent out the output.
    sent: bool,
    errors: usize,
    /// Set while messages have been handed over and their reader has not shown yet that it has them: how many octets of the
    /// input arrived before the writing that ends with the last dot. Commands in those show nothing.
    unconfirmed: Option<usize>,
    /// More has been sent than has arrived here.
    under_way: bool,
}

/// What stands at the front of the input.
pub(super) enum Line {
    /// No whole line yet.
    Partial,
    /// A command without its line end, to be given back with [`Core::recycle`].
    Command(Vec<u8>),
    /// What no command can be made of; answered already.
    Refused,
    /// Another protocol than SMTP.
    Foreign,
}

impl Core {
    pub(super) fn new(config: Arc<Config>, channel: Channel, now: Instant) -> Self {
        let lines = LineReader::new(config.from_outside);
        Self {
            config,
            channel,
            hello: Hello::None,
            bound: false,
            stopping: false,
            idle_since: now,
            input: BytesMut::new(),
            output: BytesMut::new(),
            lines,
            line: Vec::new(),
            lent: 0,
            sent: false,
            errors: 0,
            unconfirmed: None,
            under_way: false,
        }
    }

    /// How lines end in this session.
    pub(super) fn line_end(&self) -> LineEnd {
        self.lines.line_end()
    }

    /// The last step is done: output that it lent out has been written.
    pub(super) fn settle(&mut self, now: Instant) {
        if mem::take(&mut self.sent) {
            self.output.clear();
            self.idle_since = now;
        }
    }

    /// Gives back what only a busy session needs.
    pub(super) fn rest(&mut self) {
        for buffer in [&mut self.input, &mut self.output] {
            if buffer.is_empty() && buffer.capacity() > IDLE_OCTETS_MAX {
                *buffer = BytesMut::new();
            }
        }
    }

    /// Drops the input that the last move lent out.
    pub(super) fn drop_lent(&mut self) {
        let lent = mem::take(&mut self.lent);
        self.consume(lent);
    }

    /// Octets at the front of the input are used with this move, and dropped before the next one.
    pub(super) fn lend(&mut self, octets: usize) {
        self.lent = octets;
    }

    /// The output, to be written before the next step.
    pub(super) fn lend_output(&mut self) -> &[u8] {
        self.sent = true;
        &self.output
    }

    fn consume(&mut self, octets: usize) {
        self.input.advance(octets);
        if let Some(early) = &mut self.unconfirmed {
            *early = early.saturating_sub(octets);
        }
    }

    /// Messages have been handed over, all but what is written last, with the last dot.
    pub(super) fn expect_confirmation(&mut self) {
        // Where more came early than is known, nothing can confirm this time.
        let hides_more = mem::take(&mut self.under_way) || self.input.len() >= super::INPUT_OCTETS_MAX;
        self.unconfirmed = (!hides_more).then_some(self.input.len());
    }

    /// The peer has sent more than has arrived in the input.
    pub(super) fn expect_more(&mut self) {
        self.under_way = true;
    }

    /// There is nothing more to confirm.
    pub(super) fn forget_confirmation(&mut self) {
        self.unconfirmed = None;
    }

    pub(super) fn reply(&mut self, reply: &Reply) {
        let with_enhanced = matches!(self.hello, Hello::Ehlo(_));
        match reply.code() {
            421 => reply.of_host(&self.config.hostname).write(with_enhanced, &mut self.output),
            _ => reply.write(with_enhanced, &mut self.output),
        }
    }

    /// Refuses on the driver's word. With a client that has no account it counts: asking who lives here has an end.
    pub(super) fn refuse(&mut self, reply: &Reply) {
        // The account has ended in another session.
        if *reply == replies::REGISTER_FIRST {
            self.bound = false;
        }
        if self.bound { self.reply(reply) } else { self.error(reply) }
    }

    /// Answers what the client did wrong, and counts it.
    pub(super) fn error(&mut self, reply: &Reply) {
        self.errors += 1;
        match self.has_too_many_errors() {
            true => self.reply(&replies::TOO_MANY_ERRORS),
            false => self.reply(reply),
        }
    }

    pub(super) fn has_too_many_errors(&self) -> bool {
        self.errors > self.config.limits.errors
    }

    /// Whether the next line shows that the client has read what was handed over: it does so once.
    pub(super) fn takes_confirmation(&mut self) -> bool {
        let octets_max = self.command_octets_max();
        let confirms = self.unconfirmed == Some(0) && self.lines.has_line(&self.input, octets_max);
        if confirms {
            self.unconfirmed = None;
        }
        confirms
    }

    fn command_octets_max(&self) -> usize {
        let is_auth = self.input.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "));
        if is_auth { AUTH_OCTETS_MAX } else { self.config.limits.command_octets }
    }

    /// Takes the next line. `in_auth`: it belongs to an AUTH exchange.
    pub(super) fn next_line(&mut self, in_auth: bool) -> Line {
        let octets_max = if in_auth { AUTH_OCTETS_MAX } else { self.command_octets_max() };
        if self.lines.is_at_first_line() && is_foreign(&self.input) {
            return Line::Foreign;
        }
        match self.lines.find(&self.input, octets_max) {
            Found::Nothing => Line::Partial,
            Found::Rest(octets) => {
                self.consume(octets);
                self.next_line(in_auth)
            }
            Found::TooLong(octets) => self.refuse_line(octets, &replies::LINE_TOO_LONG),
            Found::BareLineEnd(octets) => self.refuse_line(octets, &replies::BARE_LINE_END),
            Found::Line(text, octets) => {
                let mut line = mem::take(&mut self.line);
                line.clear();
                line.extend_from_slice(&self.input[..text]);
                self.consume(octets);
                Line::Command(line)
            }
        }
    }

    pub(super) fn recycle(&mut self, line: Vec<u8>) {
        self.line = line;
    }

    fn refuse_line(&mut self, octets: usize, reply: &Reply) -> Line {
        self.consume(octets);
        self.error(reply);
        Line::Refused
    }
}
