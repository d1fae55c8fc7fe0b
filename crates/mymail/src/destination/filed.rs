//! What a message is given when it is filed: the trace header of final delivery (RFC 5321 §4.4), and, if it has no header of
//! its own because somebody typed a bare text, the header block's, so that mail readers don't take its text for one.

use std::io::{self, Write};

/// How much of a message is looked at to see whether it begins with a header field, in octets: the longest line of RFC 5322
/// §2.1.1.
const FIRST_LINE_OCTETS_MAX: usize = 1000;

/// Passes a message on, with its trace header before it.
#[derive(Debug)]
pub(crate) struct Filed<W> {
    inner: W,
    /// The header block's fields and the message's beginning, until it is known whether that is a header.
    undecided: Option<Beginning>,
}

#[derive(Debug)]
struct Beginning {
    from: String,
    to: String,
    octets: Vec<u8>,
}

impl<W: Write> Filed<W> {
    pub(crate) fn begin(from: &str, to: &str, mut inner: W) -> io::Result<Self> {
        let path = if from == "<>" { "" } else { from };
        write!(inner, "Return-Path: <{path}>\r\nDelivered-To: {to}\r\n")?;
        let beginning = Beginning { from: from.to_owned(), to: to.to_owned(), octets: Vec::new() };
        Ok(Self { inner, undecided: Some(beginning) })
    }

    pub(crate) fn end(mut self) -> io::Result<W> {
        self.decide()?;
        Ok(self.inner)
    }

    fn decide(&mut self) -> io::Result<()> {
        let Some(Beginning { from, to, octets }) = self.undecided.take() else { return Ok(()) };
        if !begins_with_header(&octets) {
            write!(self.inner, "From: {from}\r\nTo: {to}\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n")?;
        }
        self.inner.write_all(&octets)
    }
}

impl<W: Write> Write for Filed<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let Some(beginning) = &mut self.undecided else {
            self.inner.write_all(octets)?;
            return Ok(octets.len());
        };
        beginning.octets.extend_from_slice(octets);
        if beginning.octets.len() > FIRST_LINE_OCTETS_MAX || beginning.octets.contains(&b'\n') {
            self.decide()?;
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Whether the message begins with `field-name:` (RFC 5322 §3.6.8), or with the empty line that ends a header.
fn begins_with_header(message: &[u8]) -> bool {
    let line = message.split(|&b| b == b'\n').next().unwrap_or_default();
    if line == b"\r" {
        return true;
    }
    let mut parts = line.splitn(2, |&b| b == b':');
    let name = parts.next().unwrap_or_default().trim_ascii_end();
    parts.next().is_some() && !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filed(from: &str, message: &str, step: usize) -> String {
        let mut filed = Filed::begin(from, "b@x", Vec::new()).unwrap();
        message.as_bytes().chunks(step).for_each(|piece| filed.write_all(piece).unwrap());
        String::from_utf8(filed.end().unwrap()).unwrap()
    }

    #[test]
    fn a_message_with_a_header_gets_its_trace_alone() {
        for step in 1..9 {
            assert_eq!(
                filed("a@x", "Subject: hi\r\n\r\ntext\r\n", step),
                "Return-Path: <a@x>\r\nDelivered-To: b@x\r\nSubject: hi\r\n\r\ntext\r\n"
            );
        }
        assert!(filed("<>", "\r\ntext\r\n", 3).ends_with("Return-Path: <>\r\nDelivered-To: b@x\r\n\r\ntext\r\n"));
    }

    #[test]
    fn a_bare_text_gets_the_blocks_header() {
        let header = "From: a@x\r\nTo: b@x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n";
        for text in ["Hello both\r\n", "See you at: noon\r\n", "", ": x\r\n", &"long".repeat(1000)] {
            let expected = format!("Return-Path: <a@x>\r\nDelivered-To: b@x\r\n{header}{text}");
            assert_eq!(filed("a@x", text, 5), expected);
        }
    }
}
