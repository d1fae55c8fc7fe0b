//! The quoting of `mboxrd`: no line of a message may be taken for the `From ` line of the next one.

use std::io::{self, Write};

/// Adds a `>` to each line that is `From ` behind any number of `>`.
#[derive(Debug)]
pub(super) struct Quoted<W> {
    inner: W,
    line: Line,
}

/// How far a line has come. The `>` can go in behind those that are there, so these needn't be held back.
#[derive(Debug, Clone, Copy)]
enum Line {
    /// So many octets are like `From `, and are held back.
    Like(usize),
    Decided,
}

const FROM: &[u8] = b"From ";

impl<W: Write> Quoted<W> {
    pub(super) fn new(inner: W) -> Self {
        Self { inner, line: Line::Like(0) }
    }

    /// Ends the last line, which may be as short as `Fro`.
    pub(super) fn end(mut self) -> io::Result<W> {
        self.decide(b"")?;
        Ok(self.inner)
    }

    fn decide(&mut self, quote: &[u8]) -> io::Result<()> {
        if let Line::Like(held) = std::mem::replace(&mut self.line, Line::Decided) {
            self.inner.write_all(quote)?;
            self.inner.write_all(&FROM[..held])?;
        }
        Ok(())
    }

    /// Takes from the front what may still be `>>From `, and returns the rest.
    fn compare<'a>(&mut self, mut line: &'a [u8]) -> io::Result<&'a [u8]> {
        while let (Line::Like(held), Some((&octet, rest))) = (self.line, line.split_first()) {
            match octet {
                b'>' if held == 0 => self.inner.write_all(b">")?,
                octet if octet == FROM[held] => self.line = Line::Like(held + 1),
                _ => {
                    self.decide(b"")?;
                    return Ok(line);
                }
            }
            if matches!(self.line, Line::Like(held) if held == FROM.len()) {
                self.decide(b">")?;
            }
            line = rest;
        }
        Ok(line)
    }
}

impl<W: Write> Write for Quoted<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        for line in octets.split_inclusive(|&b| b == b'\n') {
            let rest = self.compare(line)?;
            self.inner.write_all(rest)?;
            if line.ends_with(b"\n") {
                self.line = Line::Like(0);
            }
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(input: &str, step: usize) -> String {
        let mut quoted = Quoted::new(Vec::new());
        input.as_bytes().chunks(step).for_each(|piece| quoted.write_all(piece).unwrap());
        String::from_utf8(quoted.end().unwrap()).unwrap()
    }

    #[test]
    fn from_lines_are_quoted_once_more() {
        let input = "From me\n>From you\n>>From all\nFrom\nFro\n>Frodo\n From x\nno From y\n\n>";
        let expected = ">From me\n>>From you\n>>>From all\nFrom\nFro\n>Frodo\n From x\nno From y\n\n>";
        for step in 1..=input.len() {
            assert_eq!(quoted(input, step), expected, "in pieces of {step}");
        }
        assert_eq!(quoted("From", 1), "From");
    }
}
