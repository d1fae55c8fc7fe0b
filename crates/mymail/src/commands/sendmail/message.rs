//! The message that a program hands over, made into one that can be sent.
//!
//! The header is in memory; the body goes by in pieces.

use std::io::{BufRead, Read};

use anyhow::{Context, bail};
use client::Address;
use mail_builder::headers::Header;
use mail_builder::headers::address::Address as HeaderAddress;
use mail_builder::headers::date::Date;
use mail_builder::mime::make_boundary;
use proto::header::field_name;

use super::body::Body;
use crate::compose::{self, Composed};
use crate::exit::{Exit, Failure};

/// Longest header that is taken, in octets: room for some ten thousand recipients.
const HEADER_OCTETS_MAX: usize = 1 << 20;

/// Who writes.
#[derive(Debug)]
pub(super) struct Author<'a> {
    pub(super) address: &'a Address,
    /// The name that stands before the address.
    pub(super) name: Option<&'a str>,
}

/// A message of which the header is read, and the body is still to come.
#[derive(Debug)]
pub(super) struct Submission<R> {
    fields: Vec<Field>,
    body: Body<R>,
}

/// A header field with its name in small letters, all its lines ended by `<CRLF>`.
#[derive(Debug)]
struct Field {
    name: String,
    octets: Vec<u8>,
}

/// Fields that recipients are in.
const ADDRESSED: [&str; 3] = ["to", "cc", "bcc"];
/// Those of a message that is sent on; where they are, they alone count (RFC 5322 §3.6.6).
const READDRESSED: [&str; 3] = ["resent-to", "resent-cc", "resent-bcc"];
/// Fields that recipients must not see, and the one that is for the last server to write (RFC 5321 §4.4).
const DROPPED: [&str; 3] = ["bcc", "resent-bcc", "return-path"];

impl<R> Submission<R> {
    /// The lists of recipients in the header.
    pub(super) fn addressed_to(&self) -> Vec<String> {
        let is_sent_on = READDRESSED.iter().any(|name| self.has(name));
        let names = if is_sent_on { READDRESSED } else { ADDRESSED };
        let fields = self.fields.iter().filter(|field| names.contains(&field.name.as_str()));
        fields.map(Field::value).collect()
    }

    fn has(&self, name: &str) -> bool {
        self.fields.iter().any(|field| field.name == name)
    }
}

impl<R: BufRead> Submission<R> {
    /// Reads the header, and as far as that the line behind it.
    pub(super) fn read(input: R, ends_at_dot: bool) -> anyhow::Result<Self> {
        let mut body = Body::new(input, ends_at_dot);
        let (mut fields, mut octets_left) = (Vec::<Field>::new(), HEADER_OCTETS_MAX);
        let mut is_first = true;
        while body.read_piece(octets_left).context(cant_read())? {
            let line = body.line();
            octets_left = octets_left.saturating_sub(line.len());
            let is_bare_text = fields.is_empty() && field_name(line).is_none();
            if octets_left == 0 && !is_bare_text {
                bail!(Failure::new(Exit::Data, format!("the header is longer than {HEADER_OCTETS_MAX} octets")));
            }
            // The line that begins a message in an mbox.
            let is_envelope =
                std::mem::take(&mut is_first) && (line.starts_with(b"From ") || line.starts_with(b">From "));
            match (line, fields.last_mut()) {
                _ if is_envelope => {}
                (b"\n" | b"\r\n", _) => break,
                ([b' ' | b'\t', ..], Some(field)) => field.push(line),
                (line, _) if field_name(line).is_some() => fields.push(Field::new(line)),
                // A text without a header, or one that lacks the empty line before it.
                _ => return Ok(Self { fields, body }),
            }
            body.skip_piece();
        }
        body.skip_piece();
        Ok(Self { fields, body })
    }

    /// The whole message, with the fields that every message needs (RFC 5322 §3.6).
    pub(super) fn compose(self, author: &Author<'_>) -> anyhow::Result<Composed> {
        let mut header = Vec::new();
        for field in self.fields.iter().filter(|field| !DROPPED.contains(&field.name.as_str())) {
            header.extend_from_slice(&field.octets);
        }
        if !self.has("from") {
            write_field(&mut header, "From", &author.header_address());
        }
        if !self.has("date") {
            write_field(&mut header, "Date", &Date::now());
        }
        if !self.has("message-id") {
            let id = format!("Message-ID: <{}@{}>\r\n", make_boundary("."), author.address.domain());
            header.extend_from_slice(id.as_bytes());
        }
        header.extend_from_slice(b"\r\n");
        compose::as_is(header.chain(self.body))
    }
}

fn cant_read() -> Failure {
    Failure::new(Exit::Data, "cannot read the message")
}

fn write_field(header: &mut Vec<u8>, name: &str, value: &impl Header) {
    let column = name.len() + 2;
    header.extend_from_slice(format!("{name}: ").as_bytes());
    value.write_header(header, column);
}

impl<'a> Author<'a> {
    fn header_address(&self) -> HeaderAddress<'a> {
        // A name is one line, without controls (RFC 5322 §2.2), whatever the program passed.
        let name = self.name.filter(|name| !name.is_empty()).map(|name| name.replace(char::is_control, " "));
        HeaderAddress::new_address(name, self.address.to_string())
    }
}

impl Field {
    fn new(line: &[u8]) -> Self {
        let name = line.split(|&b| b == b':').next().unwrap_or_default().trim_ascii_end();
        let mut field = Self { name: String::from_utf8_lossy(name).to_ascii_lowercase(), octets: Vec::new() };
        field.push(line);
        field
    }

    /// Takes a line. A `<CR>` in its middle must not pass for a line end: it would begin a field of somebody's choice.
    fn push(&mut self, line: &[u8]) {
        let text = without_end(line);
        self.octets.extend(text.iter().map(|&octet| if octet == b'\r' { b' ' } else { octet }));
        self.octets.extend_from_slice(b"\r\n");
    }

    /// What stands behind the colon, on one line.
    fn value(&self) -> String {
        let text = String::from_utf8_lossy(&self.octets);
        text.split_once(':').map_or("", |(_, value)| value).replace("\r\n", "").trim().to_owned()
    }
}

fn without_end(line: &[u8]) -> &[u8] {
    let text = line.strip_suffix(b"\n").unwrap_or(line);
    text.strip_suffix(b"\r").unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    fn composed(message: &str, name: Option<&str>) -> String {
        let address = "9@mymailserver".parse().unwrap();
        let submission = Submission::read(message.as_bytes(), true).unwrap();
        let mut composed = submission.compose(&Author { address: &address, name }).unwrap();
        let mut text = String::new();
        composed.file.read_to_string(&mut text).unwrap();
        assert_eq!(text.len() as u64, composed.message.octets);
        text
    }

    /// The message without what differs from day to day.
    fn steady(message: &str) -> String {
        let (header, body) =
            composed(message, None).split_once("\r\n\r\n").map(|(h, b)| (h.to_owned(), b.to_owned())).unwrap();
        let steady = |line: &&str| !line.starts_with("Date: ") && !line.starts_with("Message-ID: ");
        format!("{}|{}", header.split("\r\n").filter(steady).collect::<Vec<_>>().join("|"), body.replace("\r\n", "$"))
    }

    #[test]
    fn header_and_body_are_told_apart() {
        const FROM: &str = "From: <9@mymailserver>";
        for (message, expected) in [
            ("Subject: hi\n\ntext\n", format!("Subject: hi|{FROM}|text$")),
            ("Subject: hi\r\n\r\ntext\r\n", format!("Subject: hi|{FROM}|text$")),
            ("Subject: hi\ntext\n", format!("Subject: hi|{FROM}|text$")),
            ("Subject: hi\n both\n\nend", format!("Subject: hi| both|{FROM}|end$")),
            ("just text\nSubject: no\n", format!("{FROM}|just text$Subject: no$")),
            (" text: x\n", format!("{FROM}| text: x$")),
            ("\nSubject: no\n", format!("{FROM}|Subject: no$")),
            ("", format!("{FROM}|")),
            ("Subject: hi", format!("Subject: hi|{FROM}|")),
            ("From bob Thu Jan  1 00:00:00 1970\nSubject: hi\n\nx\n", format!("Subject: hi|{FROM}|x$")),
            (">From bob\nFrom: a@x\n\nx\n", "From: a@x|x$".to_owned()),
            ("X: y\nFrom here\n\nx\n", format!("X: y|{FROM}|From here$$x$")),
            ("FROM : a@x\nBCC: b@x,\n c@x\nReturn-Path: <>\nTo: d@x\n\nx\n", "FROM : a@x|To: d@x|x$".to_owned()),
            ("Subject: hi\rBcc: v@x\n\nx\n", format!("Subject: hi Bcc: v@x|{FROM}|x$")),
            ("\n10%\r20%\r\nend\r", format!("{FROM}|10%$20%$end$")),
        ] {
            assert_eq!(steady(message), expected, "{message:?}");
        }
    }

    #[test]
    fn every_message_has_a_date_and_an_id_once() {
        let message = composed("Subject: hi\n\n", None);
        assert!(message.contains("\r\nDate: ") && message.contains("@mymailserver>\r\n\r\n"), "{message}");
        let given = "From: a@x\r\nDATE: today\r\nMessage-Id: <1@x>\r\n\r\ntext\r\n";
        assert_eq!(composed(given, None), given);
    }

    #[test]
    fn a_name_stands_before_the_address() {
        for (name, field) in [
            ("Cron Daemon", "From: \"Cron Daemon\" <9@mymailserver>\r\n"),
            ("J\u{fc}rgen", "From: =?utf-8?"),
            ("a\r\nBcc: b", "From: \"a  Bcc: b\" <9@mymailserver>\r\n"),
            ("", "From: <9@mymailserver>\r\n"),
        ] {
            let message = composed("\n", Some(name));
            assert!(message.starts_with(field), "{message}");
        }
        assert!(!composed("From: a@x\n\n", Some("Bob")).contains("Bob"));
    }

    #[test]
    fn a_header_has_a_limit() {
        let endless = || io::BufReader::new(io::repeat(b'x'));
        assert!(Submission::read(b"Subject: ".chain(endless()), true).unwrap_err().to_string().contains("longer"));
        assert!(Submission::read(endless(), true).is_ok(), "a text without a header");
        let fields = "X: y\n".repeat(HEADER_OCTETS_MAX / 5 + 1);
        assert!(Submission::read(fields.as_bytes(), true).unwrap_err().to_string().contains("longer"));
    }

    #[test]
    fn recipients_are_those_of_the_message_or_of_its_sending_on() {
        let addressed = |message: &str| Submission::read(message.as_bytes(), true).unwrap().addressed_to();
        assert_eq!(
            addressed("To: a@x,\n\tb@x\nCC: c@x\nbcc : d@x\nReply-To: e@x\n\nTo: f@x\n"),
            ["a@x,\tb@x", "c@x", "d@x"]
        );
        assert_eq!(addressed("To: a@x\nResent-Bcc: g@x\nResent-To: h@x\n\n"), ["g@x", "h@x"]);
        assert!(addressed("Subject: hi\n\n").is_empty());
    }
}
