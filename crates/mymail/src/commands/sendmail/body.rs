//! Standard input as sendmail reads it: where the message ends, and what its line ends are.

use std::io::{self, BufRead, Read};

/// Octets of a message that are read at once, at most.
pub(super) const PIECE_OCTETS_MAX: usize = 64 << 10;

/// What is still to be read of a message, with every line ended by `<LF>`. A `<CR>` ends one too: there are programs that
/// draw their progress with it, and as it is it can't be sent (RFC 5321 §2.3.8).
#[derive(Debug)]
pub(super) struct Body<R> {
    input: R,
    ends_at_dot: bool,
    /// The piece of a line that was read last.
    piece: Vec<u8>,
    /// How much of it is taken.
    taken: usize,
    is_at_line_start: bool,
    is_over: bool,
}

impl<R: BufRead> Body<R> {
    pub(super) fn new(input: R, ends_at_dot: bool) -> Self {
        Self { input, ends_at_dot, piece: Vec::new(), taken: 0, is_at_line_start: true, is_over: false }
    }

    /// Reads on to the end of the line, for no more than so many octets. Says whether there was anything.
    pub(super) fn read_piece(&mut self, octets_max: usize) -> io::Result<bool> {
        self.skip_piece();
        if self.is_over {
            return Ok(false);
        }
        let mut octets_max = octets_max as u64;
        // No piece shall end between a <CR> and its <LF>.
        while self.input.by_ref().take(octets_max).read_until(b'\n', &mut self.piece)? > 0
            && self.piece.ends_with(b"\r")
        {
            octets_max = 1;
        }
        let is_dot = self.is_at_line_start && matches!(&*self.piece, b".\n" | b".\r\n" | b".");
        self.is_over = self.piece.is_empty() || is_dot && self.ends_at_dot;
        self.is_at_line_start = self.piece.ends_with(b"\n");
        if self.is_over {
            self.piece.clear();
        }
        Ok(!self.is_over)
    }

    pub(super) fn skip_piece(&mut self) {
        self.piece.clear();
        self.taken = 0;
    }

    /// The line that was read last.
    pub(super) fn line(&self) -> &[u8] {
        &self.piece
    }

    /// Leaves one kind of line end.
    fn mend_line_ends(&mut self) {
        if self.piece.ends_with(b"\r\n") {
            self.piece.remove(self.piece.len() - 2);
        }
        for octet in self.piece.iter_mut().filter(|octet| **octet == b'\r') {
            *octet = b'\n';
        }
    }
}

impl<R: BufRead> Read for Body<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.piece.len() && !self.read_piece(PIECE_OCTETS_MAX)? {
            return Ok(0);
        }
        if self.taken == 0 {
            self.mend_line_ends();
        }
        let octets = buffer.len().min(self.piece.len() - self.taken);
        buffer[..octets].copy_from_slice(&self.piece[self.taken..self.taken + octets]);
        self.taken += octets;
        Ok(octets)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(message: &str, ends_at_dot: bool) -> String {
        let mut text = String::new();
        Body::new(message.as_bytes(), ends_at_dot).read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_dot_ends_the_message_unless_it_is_ignored() {
        for (message, ended, whole) in [
            ("one\n.\ntwo\n", "one\n", "one\n.\ntwo\n"),
            ("one\r\n.\r\ntwo\r\n", "one\n", "one\n.\ntwo\n"),
            ("..\n.x\nx.\n", "..\n.x\nx.\n", "..\n.x\nx.\n"),
            ("x\r.\ny\n", "x\n.\ny\n", "x\n.\ny\n"),
            ("end\n.", "end\n", "end\n."),
            (".\ntwo\n", "", ".\ntwo\n"),
            ("", "", ""),
        ] {
            assert_eq!((&*read(message, true), &*read(message, false)), (ended, whole), "{message:?}");
        }
    }

    #[test]
    fn every_line_end_is_one() {
        for (message, lines) in [("a\rb", "a\nb"), ("a\r\nb\r", "a\nb\n"), ("a\r\r\nb", "a\n\nb"), ("\r\n", "\n")] {
            assert_eq!(read(message, true), lines, "{message:?}");
        }
    }

    #[test]
    fn pieces_of_long_lines_make_no_difference() {
        for octets in [PIECE_OCTETS_MAX - 2, PIECE_OCTETS_MAX - 1, PIECE_OCTETS_MAX, PIECE_OCTETS_MAX + 1] {
            let line = "x".repeat(octets);
            for (end, mended) in
                [("\n", "\n"), ("\r\n", "\n"), ("\r", "\n"), ("\r\r\n", "\n\n"), ("\n.\n", "\n"), (".\n", ".\n")]
            {
                assert!(read(&format!("{line}{end}"), true) == format!("{line}{mended}"), "{octets} {end:?}");
            }
        }
    }
}
