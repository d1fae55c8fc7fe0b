//! What a session holds in every state: its buffers, whom it talks to, and what it has counted.

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Buf, BufMut, BytesMut};

use super::OUTPUT_OCTETS;
use super::config::{AUTH_OCTETS_MAX, Config};
use crate::foreign::is_foreign;
use crate::line::{Found, LineReader};
use crate::pop3::{Response, responses};
use crate::sasl::Channel;

/// What each buffer of an idle session may keep.
const IDLE_OCTETS_MAX: usize = 4 << 10;

/// What all states share.
pub(super) struct Core {
    pub(super) config: Arc<Config>,
    /// Who could overhear it.
    pub(super) channel: Channel,
    pub(super) stopping: bool,
    /// When the peer was last answered.
    pub(super) idle_since: Instant,
    pub(super) input: BytesMut,
    pub(super) output: BytesMut,
    lines: LineReader,
    /// The current command; kept for its allocation.
    line: Vec<u8>,
    /// Whether the last step lent out the output.
    sent: bool,
    errors: usize,
}

/// What stands at the front of the input.
pub(super) enum Line {
    /// No whole line yet.
    Partial,
    /// A command without its line end, to be given back with [`Core::recycle`].
    Command(Vec<u8>),
    /// What no command can be made of; answered already.
    Refused,
    /// Another protocol than POP3.
    Foreign,
}

impl Core {
    pub(super) fn new(config: Arc<Config>, channel: Channel, now: Instant) -> Self {
        Self {
            config,
            channel,
            stopping: false,
            idle_since: now,
            input: BytesMut::new(),
            output: BytesMut::new(),
            lines: LineReader::new(false),
            line: Vec::new(),
            sent: false,
            errors: 0,
        }
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

    /// The output, to be written before the next step.
    pub(super) fn lend_output(&mut self) -> &[u8] {
        self.sent = true;
        &self.output
    }

    /// Whether so much output has gathered that it is to be written, whatever follows.
    pub(super) fn is_full(&self) -> bool {
        self.output.len() >= OUTPUT_OCTETS
    }

    pub(super) fn respond(&mut self, response: &Response) {
        response.write(&mut self.output);
    }

    /// Writes a line that is no response: one of a list, or a challenge.
    pub(super) fn line(&mut self, text: &str) {
        self.output.put_slice(text.as_bytes());
        self.output.put_slice(b"\r\n");
    }

    /// Answers what the client did wrong, and counts it.
    pub(super) fn error(&mut self, response: &Response) {
        self.errors += 1;
        match self.has_too_many_errors() {
            true => self.respond(&responses::TOO_MANY_ERRORS),
            false => self.respond(response),
        }
    }

    pub(super) fn has_too_many_errors(&self) -> bool {
        self.errors > self.config.limits.errors
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
                self.input.advance(octets);
                self.next_line(in_auth)
            }
            Found::TooLong(octets) => self.refuse_line(octets, &responses::LINE_TOO_LONG),
            Found::BareLineEnd(octets) => self.refuse_line(octets, &responses::BARE_LINE_END),
            Found::Line(text, octets) => {
                let mut line = mem::take(&mut self.line);
                line.clear();
                line.extend_from_slice(&self.input[..text]);
                self.input.advance(octets);
                Line::Command(line)
            }
        }
    }

    pub(super) fn recycle(&mut self, line: Vec<u8>) {
        self.line = line;
    }

    fn refuse_line(&mut self, octets: usize, response: &Response) -> Line {
        self.input.advance(octets);
        self.error(response);
        Line::Refused
    }
}
