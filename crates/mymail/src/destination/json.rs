//! Mail as JSON: one object per line and message, for scripts.

use std::io::{self, Write};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use super::Destination;
use crate::output::write_json;

/// Longest message that is shown as JSON, in octets: it is held in memory, unlike with the other destinations.
const MESSAGE_OCTETS_MAX: usize = 64 << 20;

/// Writes an object for each message, with `text` or, when that is not UTF-8, `base64`.
#[derive(Debug)]
pub(crate) struct Json<W: Write> {
    output: W,
    from: String,
    to: String,
    message: Vec<u8>,
}

impl<W: Write> Json<W> {
    pub(crate) fn new(output: W) -> Self {
        Self { output, from: String::new(), to: String::new(), message: Vec::new() }
    }
}

#[derive(Serialize)]
struct Record<'a> {
    from: &'a str,
    to: &'a str,
    octets: usize,
    #[serde(flatten)]
    content: Content<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "lowercase")]
enum Content<'a> {
    Text(&'a str),
    Base64(String),
}

impl<W: Write> Destination for Json<W> {
    fn begin(&mut self, from: &str, to: &str) -> io::Result<()> {
        (self.from, self.to) = (from.to_owned(), to.to_owned());
        self.message.clear();
        Ok(())
    }

    fn write(&mut self, octets: &[u8]) -> io::Result<()> {
        if self.message.len() + octets.len() > MESSAGE_OCTETS_MAX {
            return Err(io::Error::other("the message is too large for JSON: use --format raw, --mbox or --maildir"));
        }
        self.message.extend_from_slice(octets);
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        let content = match std::str::from_utf8(&self.message) {
            Ok(text) => Content::Text(text),
            Err(_) => Content::Base64(STANDARD.encode(&self.message)),
        };
        let record = Record { from: &self.from, to: &self.to, octets: self.message.len(), content };
        write_json(&mut self.output, &record)
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
    fn each_message_is_a_line() {
        let mut output = Vec::new();
        let mut json = Box::new(Json::new(&mut output));
        deliver(&mut *json, "9@mymailserver", "10@mymailserver", "Grüße \x1b[1m\u{9b}\r\n".as_bytes());
        deliver(&mut *json, "9@mymailserver", "10@mymailserver", b"caf\xe9");
        json.commit().unwrap();
        assert_eq!(
            String::from_utf8(output).unwrap(),
            "{\"from\":\"9@mymailserver\",\"to\":\"10@mymailserver\",\"octets\":16,\"text\":\"Grüße \\u001b[1m\\u009b\\r\\n\"}\n\
             {\"from\":\"9@mymailserver\",\"to\":\"10@mymailserver\",\"octets\":4,\"base64\":\"Y2Fm6Q==\"}\n"
        );
    }
}
