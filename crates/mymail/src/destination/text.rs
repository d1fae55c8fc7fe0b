//! Mail as text for people: the server's header block, then the message.

use std::io::{self, Write};

use super::Destination;
use crate::lines::ToLf;

/// Shows each message on `output`, its lines ended as those of files are.
#[derive(Debug)]
pub(crate) struct Text<W: Write> {
    output: ToLf<W>,
    with_block: bool,
}

impl<W: Write> Text<W> {
    pub(crate) fn new(output: W) -> Self {
        Self { output: ToLf::new(output), with_block: true }
    }

    /// Without the header block: what a person gets of raw mail.
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
        self.output.write_all(octets)
    }

    fn end(&mut self) -> io::Result<()> {
        self.output.end_text()
    }

    fn commit(mut self: Box<Self>) -> io::Result<()> {
        self.output.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::super::deliver;
    use super::*;
    use crate::terminal::Harmless;

    #[test]
    fn every_message_ends_its_last_line_and_its_octets_stay() {
        let mut output = Vec::new();
        let mut text = Box::new(Text::without_block(&mut output));
        for message in [&b"caf\xe9\r\n"[..], b"", b"\x1b[1m\r", b"last"] {
            deliver(&mut *text, "a@b", "c@d", message);
        }
        text.commit().unwrap();
        assert_eq!(output, b"caf\xe9\n\x1b[1m\r\nlast\n");
    }

    #[test]
    fn the_block_comes_first_and_escapes_never() {
        let mut screen = Vec::new();
        let mut text = Box::new(Text::new(Harmless::new(&mut screen)));
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
