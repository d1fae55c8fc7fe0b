//! What a message is given when it is filed: the trace header of final delivery (RFC 5321 §4.4), and, if it has no header of
//! its own because somebody typed a bare text, the header block's, so that mail readers don't take its text for one.

use std::io::{self, Write};

use proto::header::field_name;

/// How much of a message is looked at to see whether it begins with a header, in octets.
const HEADER_OCTETS_MAX: usize = 64 << 10;

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
    pub(crate) fn begin(from: &str, to: &str, inner: W) -> Self {
        let beginning = Beginning { from: from.to_owned(), to: to.to_owned(), octets: Vec::new() };
        Self { inner, undecided: Some(beginning) }
    }

    pub(crate) fn end(mut self) -> io::Result<W> {
        self.decide(false)?;
        Ok(self.inner)
    }

    fn decide(&mut self, has_header: bool) -> io::Result<()> {
        let Some(Beginning { from, to, octets }) = self.undecided.take() else { return Ok(()) };
        let path = if from == "<>" { "" } else { &from };
        let trace = format!("Return-Path: <{path}>\r\n");
        // What comes by POP3 has it already.
        if !octets.starts_with(trace.as_bytes()) {
            self.inner.write_all(trace.as_bytes())?;
        }
        write!(self.inner, "Delivered-To: {to}\r\n")?;
        if !has_header {
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
        match begins_with_header(&beginning.octets) {
            Some(has_header) => self.decide(has_header)?,
            None if beginning.octets.len() > HEADER_OCTETS_MAX => self.decide(false)?,
            None => {}
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Whether the message begins with header fields and the empty line that ends them, as soon as its lines tell. A text may
/// well begin with `Reminder: `.
fn begins_with_header(beginning: &[u8]) -> Option<bool> {
    let lines = beginning.split_inclusive(|&b| b == b'\n').filter_map(|line| line.strip_suffix(b"\r\n"));
    for (number, line) in lines.enumerate() {
        let is_folded = number > 0 && matches!(line, [b' ' | b'\t', ..]);
        if line.is_empty() {
            return Some(true);
        } else if !is_folded && field_name(line).is_none() {
            return Some(false);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filed(from: &str, message: &str, step: usize) -> String {
        let mut filed = Filed::begin(from, "b@x", Vec::new());
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
        let folded = "Subject: hi\r\n both\r\nX-Y : z\r\n\r\ntext\r\n";
        assert_eq!(filed("a@x", folded, 3), format!("Return-Path: <a@x>\r\nDelivered-To: b@x\r\n{folded}"));
        let traced = "Return-Path: <a@x>\r\nSubject: hi\r\n\r\ntext\r\n";
        assert_eq!(filed("a@x", traced, 3), format!("Delivered-To: b@x\r\n{traced}"));
        assert!(filed("e@x", traced, 3).starts_with("Return-Path: <e@x>\r\nDelivered-To: b@x\r\nReturn-Path: <a@x>"));
        assert!(filed("<>", "\r\ntext\r\n", 3).ends_with("Return-Path: <>\r\nDelivered-To: b@x\r\n\r\ntext\r\n"));
    }

    #[test]
    fn a_bare_text_gets_the_blocks_header() {
        let header = "From: a@x\r\nTo: b@x\r\nMIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\n";
        for text in [
            "Hello both\r\n",
            "See you at: noon\r\n",
            "Reminder: buy milk\r\n",
            "Reminder: buy milk\r\nand bread\r\n\r\nThanks\r\n",
            " folded: x\r\n\r\n",
            "",
            ": x\r\n",
            &"long".repeat(1000),
            &format!("{}\r\n", "Endless: x\r\n".repeat(10_000)),
        ] {
            let expected = format!("Return-Path: <a@x>\r\nDelivered-To: b@x\r\n{header}{text}");
            assert_eq!(filed("a@x", text, 1 + text.len() / 100), expected);
        }
    }
}
