//! Text of others on a terminal.
//!
//! What a peer or a mail says may hold control characters that move the cursor, rename the window or type commands. Before
//! a person sees it, each of them becomes a replacement character: nothing is hidden, and nothing acts. The same goes for
//! the bidirectional controls that make text read differently from what it is.

use std::borrow::Cow;
use std::io::{self, Write};

/// The text with everything that a terminal would obey replaced. Line ends and tabs stay.
pub(crate) fn harmless(text: &str) -> Cow<'_, str> {
    if text.contains(is_harmful) { text.replace(is_harmful, REPLACEMENT).into() } else { text.into() }
}

/// Whether a terminal would do something other than show it.
pub(crate) fn is_harmful(c: char) -> bool {
    match c {
        '\n' | '\t' => false,
        // Embeddings, overrides and isolates (Unicode Standard Annex #9, §2).
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        c => c.is_control(),
    }
}

const REPLACEMENT: &str = "\u{fffd}";

/// Passes text on, harmless: as [`harmless`] does, with what is not UTF-8 replaced. Its lines end in `<LF>`, the last one
/// too.
#[derive(Debug)]
pub(crate) struct Harmless<W> {
    inner: W,
    /// The beginning of a character, which the next octets decide about: at most 3 of them.
    undecided: Vec<u8>,
}

impl<W: Write> Harmless<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, undecided: Vec::new() }
    }
}

impl<W: Write> Write for Harmless<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut input = std::mem::take(&mut self.undecided);
        input.extend_from_slice(octets);
        let decided = &input[..input.len() - undecided_octets(&input)];
        self.inner.write_all(harmless(&String::from_utf8_lossy(decided)).as_bytes())?;
        self.undecided.extend_from_slice(&input[decided.len()..]);
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// How many octets at the end can't be judged yet.
fn undecided_octets(input: &[u8]) -> usize {
    match input.utf8_chunks().last() {
        Some(chunk) if is_beginning_of_character(chunk.invalid()) => chunk.invalid().len(),
        _ => 0,
    }
}

fn is_beginning_of_character(octets: &[u8]) -> bool {
    std::str::from_utf8(octets).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a terminal gets when `input` arrives in pieces of `step` octets.
    fn shown(input: &[u8], step: usize) -> String {
        let mut screen = Vec::new();
        let mut harmless = Harmless::new(&mut screen);
        for piece in input.chunks(step) {
            harmless.write_all(piece).unwrap();
        }
        String::from_utf8(screen).unwrap()
    }

    #[test]
    fn controls_are_shown_and_not_obeyed() {
        assert_eq!(harmless("\x1b[31mred\x07\x7f\u{9b}2J"), "\u{fffd}[31mred\u{fffd}\u{fffd}\u{fffd}2J");
        assert_eq!(harmless("user\u{202e}txt.exe"), "user\u{fffd}txt.exe");
        assert_eq!(harmless("Grüße,\n\t世界"), "Grüße,\n\t世界");
    }

    #[test]
    fn pieces_make_no_difference() {
        let input = "Grüße 世界 🦀\nover\rwritten\x1b]0;title\x07\n".as_bytes();
        let expected = "Grüße 世界 🦀\nover\u{fffd}written\u{fffd}]0;title\u{fffd}\n";
        for step in 1..=input.len() {
            assert_eq!(shown(input, step), expected, "in pieces of {step}");
        }
    }

    #[test]
    fn what_is_no_utf8_is_replaced() {
        for step in 1..5 {
            assert_eq!(shown(b"caf\xe9 au lait\n", step), "caf\u{fffd} au lait\n");
            assert_eq!(shown(b"cut \xf0\x9f\xa6\n", step), "cut \u{fffd}\n");
        }
    }
}
