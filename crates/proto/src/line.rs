//! Splits a session's input into command lines, and knows one line end only.
//!
//! The first command decides: one that ends in a bare LF makes a typed session, in which all lines end so; one that ends in
//! CRLF makes a strict one. A strict session takes nothing but CRLF for an end: what stands behind a bare LF is still the same
//! bad line, so that no command can be smuggled in by way of an argument.

use memchr::memchr;
use memchr::memmem;

use crate::data::LineEnd;

/// The one who splits.
#[derive(Debug)]
pub(crate) struct LineReader {
    line_end: Option<LineEnd>,
    /// Whether the rest of a bad line is still to be skipped.
    skipping: bool,
    at_first_line: bool,
}

/// What stands at the front of the input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// No whole line yet.
    Nothing,
    /// The rest of a bad line: octets to drop.
    Rest(usize),
    /// A line: the octets of its text, and those to drop with its end.
    Line(usize, usize),
    /// A line longer than allowed: octets to drop.
    TooLong(usize),
    /// A line with a bare CR or LF: octets to drop.
    BareLineEnd(usize),
}

impl LineReader {
    /// For a session that is strict from the start, or one that its first command decides on.
    pub(crate) fn new(strict: bool) -> Self {
        Self { line_end: strict.then_some(LineEnd::Strict), skipping: false, at_first_line: true }
    }

    /// How lines end here; strictly, until it is decided.
    pub(crate) fn line_end(&self) -> LineEnd {
        self.line_end.unwrap_or(LineEnd::Strict)
    }

    /// Whether nothing has been found yet.
    pub(crate) fn is_at_first_line(&self) -> bool {
        self.at_first_line
    }

    /// Whether a new line can be told to be whole, or bad.
    pub(crate) fn has_line(&self, input: &[u8], octets_max: usize) -> bool {
        !self.skipping && (input.len() >= octets_max || memchr(b'\n', input).is_some())
    }

    /// Looks at the front of `input`; the caller drops what was found before it calls again.
    pub(crate) fn find(&mut self, input: &[u8], octets_max: usize) -> Found {
        let found = if self.skipping { self.skip(input) } else { self.line(input, octets_max) };
        self.at_first_line &= found == Found::Nothing;
        found
    }

    fn line(&mut self, input: &[u8], octets_max: usize) -> Found {
        let Some(lf) = memchr(b'\n', input) else {
            return if input.len() < octets_max {
                Found::Nothing
            } else {
                self.skip_from(Found::TooLong(without_cr(input)))
            };
        };
        let octets = lf + 1;
        let has_cr = lf > 0 && input[lf - 1] == b'\r';
        let line_end = *self.line_end.get_or_insert(if has_cr { LineEnd::Strict } else { LineEnd::Typed });
        let ended = has_cr || line_end == LineEnd::Typed;
        let text = if line_end == LineEnd::Strict && has_cr { lf - 1 } else { lf };
        let found = if octets > octets_max {
            Found::TooLong(octets)
        } else if !ended || memchr(b'\r', &input[..text]).is_some() {
            Found::BareLineEnd(octets)
        } else {
            Found::Line(text, octets)
        };
        if ended { found } else { self.skip_from(found) }
    }

    fn skip_from(&mut self, found: Found) -> Found {
        self.skipping = true;
        found
    }

    fn skip(&mut self, input: &[u8]) -> Found {
        let end = match self.line_end {
            Some(LineEnd::Strict) => memmem::find(input, b"\r\n").map(|at| at + 2),
            Some(LineEnd::Typed) | None => memchr(b'\n', input).map(|at| at + 1),
        };
        match end {
            Some(octets) => {
                self.skipping = false;
                let has_cr = input[..octets].ends_with(b"\r\n");
                self.line_end.get_or_insert(if has_cr { LineEnd::Strict } else { LineEnd::Typed });
                Found::Rest(octets)
            }
            None if without_cr(input) == 0 => Found::Nothing,
            None => Found::Rest(without_cr(input)),
        }
    }
}

/// The octets that can be dropped without losing half a line end.
fn without_cr(input: &[u8]) -> usize {
    input.len() - usize::from(input.last() == Some(&b'\r'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines of `wire`, bad ones as `!`, fed `step` octets at a time.
    fn lines(strict: bool, wire: &str, step: usize) -> Vec<String> {
        let (mut reader, mut input, mut lines) = (LineReader::new(strict), Vec::new(), Vec::new());
        for chunk in wire.as_bytes().chunks(step) {
            input.extend_from_slice(chunk);
            loop {
                let octets = match reader.find(&input, 10) {
                    Found::Nothing => break,
                    Found::Rest(octets) => octets,
                    Found::TooLong(octets) | Found::BareLineEnd(octets) => {
                        lines.push("!".to_owned());
                        octets
                    }
                    Found::Line(text, octets) => {
                        lines.push(String::from_utf8(input[..text].to_vec()).unwrap());
                        octets
                    }
                };
                input.drain(..octets);
            }
        }
        lines
    }

    #[test]
    fn a_session_knows_one_line_end() {
        for (strict, wire, expected) in [
            (false, "A\r\nB\r\n", vec!["A", "B"]),
            (false, "A\nB\n\nC\n", vec!["A", "B", "", "C"]),
            (false, "A\r\nB\nC\r\nD\r\n", vec!["A", "!", "D"]),
            (false, "A\nB\r\nC\n", vec!["A", "!", "C"]),
            (true, "A\nB\r\nC\r\n", vec!["!", "C"]),
            (false, "A\r\nB\rC\r\nD\r\n", vec!["A", "!", "D"]),
            (false, "A\r\n0123456789ABCDEF\r\nB\r\n", vec!["A", "!", "B"]),
            (false, "0123456789ABCDEF\nB\n", vec!["!", "B"]),
            (false, "0123456789ABCDEF\r\nB\r\n", vec!["!", "B"]),
            (false, "01234567\r\n01234567\r\n", vec!["01234567", "01234567"]),
            (false, "A\r\nB\nC\nD\r\rE\r\r\nF\r\n", vec!["A", "!", "F"]),
        ] {
            for step in 1..wire.len() {
                assert_eq!(lines(strict, wire, step), expected, "{wire:?} in steps of {step}");
            }
        }
    }
}
