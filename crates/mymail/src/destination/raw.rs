//! Mail as its sender sent it, octet for octet: for other programs, one message after the other.

use std::io::{self, Write};

use super::Destination;

/// Writes each message's octets and nothing else.
#[derive(Debug)]
pub(crate) struct Raw<W: Write> {
    output: W,
}

impl<W: Write> Raw<W> {
    pub(crate) fn new(output: W) -> Self {
        Self { output }
    }
}

impl<W: Write> Destination for Raw<W> {
    fn begin(&mut self, _from: &str, _to: &str) -> io::Result<()> {
        Ok(())
    }

    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        self.output.write_all(octets)
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
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
    fn octets_stay_as_they_are() {
        let mut output = Vec::new();
        let mut raw = Box::new(Raw::new(&mut output));
        deliver(&mut *raw, "a@b", "c@d", b"caf\xe9 \x1b[1m\r\n");
        raw.commit().unwrap();
        assert_eq!(output, b"caf\xe9 \x1b[1m\r\n");
    }
}
