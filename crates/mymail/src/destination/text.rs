//! Mail as text for people: the server's header block, then the message.

use std::io::{self, Write};

use super::Destination;
use crate::terminal::Harmless;

/// Shows each message on `output` with nothing that a terminal would obey.
#[derive(Debug)]
pub(crate) struct Text<W: Write> {
    output: Harmless<W>,
    with_block: bool,
    last: u8,
}

impl<W: Write> Text<W> {
    pub(crate) fn new(output: W) -> Self {
        Self { output: Harmless::new(output), with_block: true, last: b'\n' }
    }

    /// Without the header block: what a terminal gets of raw mail.
    pub(crate) fn without_block(output: W) -> Self {
        Self { with_block: false, ..Self::new(output) }
    }
}

impl<W: Write> Destination for Text<W> {
    fn begin(&mut self, from: &str, to: &str) -> io::Result<()> {
        if !self.with_block {
            return Ok(());
        }
        write!(self.output, "*****\nFrom: {from}\nTo: {to}\nMIME-Version: 1.0\nContent-Type: text\n*****\n")
    }

    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.last = octets.last().copied().unwrap_or(self.last);
        self.output.write_all(octets)
    }

    fn end(&mut self) -> io::Result<()> {
        self.output.end()?;
        if std::mem::replace(&mut self.last, b'\n') == b'\n' { Ok(()) } else { self.output.write_all(b"\n") }
    }

    fn commit(mut self: Box<Self>) -> io::Result<()> {
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::super::deliver;
    use super::*;

    #[test]
    fn the_block_comes_first_and_escapes_never() {
        let mut screen = Vec::new();
        let mut text = Box::new(Text::new(&mut screen));
        deliver(&mut *text, "9@mymailserver", "10@mymailserver", b"Hello both\r\n.dot\r\n");
        deliver(&mut *text, "\x1b[2J@mymailserver", "10@mymailserver", b"\x1b[31mred");
        text.commit().unwrap();
        assert_eq!(
            String::from_utf8(screen).unwrap(),
            "*****\nFrom: 9@mymailserver\nTo: 10@mymailserver\nMIME-Version: 1.0\nContent-Type: text\n*****\n\
             Hello both\n.dot\n\
             *****\nFrom: \u{fffd}[2J@mymailserver\nTo: 10@mymailserver\nMIME-Version: 1.0\nContent-Type: text\n*****\n\
             \u{fffd}[31mred\n"
        );
    }
}
