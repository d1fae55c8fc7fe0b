//! The octets of a server's session: what came in and is not used yet, the lines in it, and what is to go out.

use std::mem;
use std::time::Instant;

use bytes::{Buf, BytesMut};

use crate::data::LineEnd;
use crate::foreign::is_foreign;
use crate::line::{Found, LineReader};
use crate::sasl::AUTH_OCTETS_MAX;

/// How much unread input a session should be given at most: more than any line, and than any piece of mail data that a driver
/// should read at once.
pub const INPUT_OCTETS_MAX: usize = 64 << 10;
/// How much output gathers before it is written although more follows at once.
pub(crate) const OUTPUT_OCTETS: usize = 64 << 10;
/// How much of a bad line is kept: its verb, if that is a usual one.
const BAD_LINE_OCTETS: usize = 8;

/// What goes in and out.
pub(crate) struct Flow {
    pub(crate) input: BytesMut,
    pub(crate) output: BytesMut,
    /// When the peer was last answered.
    pub(crate) idle_since: Instant,
    lines: LineReader,
    /// The current command; kept for its allocation.
    line: Vec<u8>,
    /// Octets of input that were used so far.
    used: u64,
    /// Octets of input that the last move lent out.
    lent: usize,
    /// Whether the last step lent out the output.
    sent: bool,
}

/// What stands at the front of the input.
pub(crate) enum Line {
    /// No whole line yet.
    Partial,
    /// A command without its line end, to be given back with [`Flow::recycle`].
    Command(Vec<u8>),
    /// A line that is too long.
    TooLong,
    /// A line with a bare CR or LF.
    BareLineEnd,
    /// Another protocol.
    Foreign,
}

impl Flow {
    /// Of a session whose lines are strict from the start, or one that its first command decides on.
    pub(crate) fn new(strict: bool, now: Instant) -> Self {
        Self {
            input: BytesMut::new(),
            output: BytesMut::new(),
            idle_since: now,
            lines: LineReader::new(strict),
            line: Vec::new(),
            used: 0,
            lent: 0,
            sent: false,
        }
    }

    /// How lines end in this session.
    pub(crate) fn line_end(&self) -> LineEnd {
        self.lines.line_end()
    }

    /// The last step is done: output that it lent out has been written.
    pub(crate) fn settle(&mut self, now: Instant) {
        if mem::take(&mut self.sent) {
            self.output.clear();
            self.idle_since = now;
        }
    }

    /// Gives back what only a busy session needs.
    pub(crate) fn rest(&mut self) {
        for buffer in [&mut self.input, &mut self.output] {
            if buffer.is_empty() {
                *buffer = BytesMut::new();
            }
        }
        self.line = Vec::new();
    }

    /// Drops the input that the last move lent out.
    pub(crate) fn drop_lent(&mut self) {
        let lent = mem::take(&mut self.lent);
        self.consume(lent);
    }

    /// Octets at the front of the input are used with this move, and dropped before the next one.
    pub(crate) fn lend(&mut self, octets: usize) {
        self.lent = octets;
    }

    /// The output, to be written before the next step.
    pub(crate) fn lend_output(&mut self) -> &[u8] {
        self.sent = true;
        &self.output
    }

    /// Whether so much output has gathered that it is to be written, whatever follows.
    pub(crate) fn is_full(&self) -> bool {
        self.output.len() >= OUTPUT_OCTETS
    }

    /// How many octets were used so far, of all that came in.
    pub(crate) fn used(&self) -> u64 {
        self.used
    }

    /// How many came in.
    pub(crate) fn received(&self) -> u64 {
        self.used + self.input.len() as u64
    }

    /// Whether a whole line stands at the front, or one that is too long.
    pub(crate) fn has_line(&self, command_octets_max: usize) -> bool {
        self.lines.has_line(&self.input, self.octets_max(command_octets_max))
    }

    /// Takes the next command line.
    pub(crate) fn command(&mut self, command_octets_max: usize) -> Line {
        self.next_line(Some(command_octets_max))
    }

    /// Takes the next line of a login (RFC 4954 §4).
    pub(crate) fn response(&mut self) -> Line {
        self.next_line(None)
    }

    /// How the bad line began that was taken last.
    pub(crate) fn bad_line(&self) -> &[u8] {
        &self.line
    }

    /// Gives a line back.
    pub(crate) fn recycle(&mut self, line: Vec<u8>) {
        self.line = line;
    }

    fn octets_max(&self, command_octets_max: usize) -> usize {
        let is_auth = self.input.get(..5).is_some_and(|verb| verb.eq_ignore_ascii_case(b"AUTH "));
        if is_auth { AUTH_OCTETS_MAX } else { command_octets_max }
    }

    fn next_line(&mut self, command_octets_max: Option<usize>) -> Line {
        let octets_max = command_octets_max.map_or(AUTH_OCTETS_MAX, |octets| self.octets_max(octets));
        if self.lines.is_at_first_line() && is_foreign(&self.input) {
            return Line::Foreign;
        }
        let (line, octets) = match self.lines.find(&self.input, octets_max) {
            Found::Nothing => return Line::Partial,
            Found::Rest(octets) => {
                self.consume(octets);
                return self.next_line(command_octets_max);
            }
            Found::TooLong(octets) => (self.bad(Line::TooLong), octets),
            Found::BareLineEnd(octets) => (self.bad(Line::BareLineEnd), octets),
            Found::Line(text, octets) => {
                let mut line = mem::take(&mut self.line);
                line.clear();
                line.extend_from_slice(&self.input[..text]);
                (Line::Command(line), octets)
            }
        };
        self.consume(octets);
        line
    }

    /// Keeps how a bad line begins.
    fn bad(&mut self, line: Line) -> Line {
        self.line.clear();
        self.line.extend_from_slice(&self.input[..self.input.len().min(BAD_LINE_OCTETS)]);
        line
    }

    fn consume(&mut self, octets: usize) {
        self.input.advance(octets);
        self.used += octets as u64;
    }
}
