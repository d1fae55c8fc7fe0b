//! Putting a mail together (RFC 5322, MIME).
//!
//! `mail-builder` writes the headers and the text. All goes into a temporary file, so that the size that the server is told is
//! the true one.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write};

use anyhow::{Context, bail};
use client::{Address, Connection, Extension, Message};
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address as HeaderAddress;
use mail_builder::headers::content_type::ContentType;
use mail_builder::mime::{MimePart, make_boundary};
use proto::header::field_name;

use crate::attachment::{Attachment, base64_lines};
use crate::exit::{Exit, Failure};
use crate::lines::ToCrlf;

/// Longest line that goes as it is, in octets without `<CRLF>` (RFC 5322 §2.1.1).
const LINE_OCTETS_MAX: usize = 998;
/// Octets of a whole message that are read at once.
const PIECE_OCTETS: usize = 64 << 10;

/// What is to be sent.
#[derive(Debug)]
pub(crate) struct Mail<'a> {
    pub(crate) from: &'a Address,
    pub(crate) to: &'a [Address],
    pub(crate) subject: Option<&'a str>,
    pub(crate) text: &'a str,
    pub(crate) attachments: Vec<Attachment>,
}

/// A message ready to be sent, every line of it ended by `<CRLF>`.
#[derive(Debug)]
pub(crate) struct Composed {
    pub(crate) file: File,
    /// What the server is told of it.
    pub(crate) message: Message,
}

/// What a server takes beside ASCII.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Takes {
    /// Text of 8-bit octets (RFC 6152).
    pub(crate) eight_bit: bool,
    /// Such addresses, and header fields with them (RFC 6531).
    pub(crate) utf8: bool,
}

impl Takes {
    /// What the server at the other end of a connection says.
    pub(crate) fn of(connection: &Connection) -> Self {
        Self { eight_bit: connection.offers(Extension::EightBitMime), utf8: connection.offers(Extension::SmtpUtf8) }
    }
}

/// Why a mail could not be put together.
pub(crate) fn cant_compose() -> Failure {
    Failure::new(Exit::CantCreate, "cannot put the mail together in a temporary file")
}

impl Mail<'_> {
    /// Writes the message; its text in 8-bit octets only to a server that takes them (RFC 6152). Recipients that the server
    /// does not take do not stand in its header, where they could not be written either (RFC 6532 §1).
    pub(crate) fn compose(self, takes: Takes) -> io::Result<Composed> {
        let text = text_part(self.text, takes.eight_bit);
        let mut output = Output::new()?;
        if self.attachments.is_empty() {
            self.header(takes).body(text).write_to(&mut output.file)?;
        } else {
            let boundary = make_boundary("_");
            let mixed = ContentType::new("multipart/mixed").attribute("boundary", &*boundary);
            self.header(takes).header("Content-Type", mixed).body(MimePart::raw("")).write_to(&mut output.file)?;
            let mut part = Vec::new();
            text.write_part(&mut part);
            write!(output.file, "\r\n--{boundary}\r\n")?;
            output.file.write_all(&part)?;
            for attachment in self.attachments {
                write!(output.file, "\r\n--{boundary}\r\n")?;
                attachment.write(&mut output.file)?;
            }
            write!(output.file, "\r\n--{boundary}--")?;
        }
        output.finish()
    }

    fn header<'b>(&self, takes: Takes) -> MessageBuilder<'b> {
        let header_address = |address: &Address| HeaderAddress::new_address(None::<&str>, address.to_string());
        let to = self.to.iter().filter(|address| takes.utf8 || address.is_ascii());
        let header = MessageBuilder::new()
            .from(header_address(self.from))
            .to(HeaderAddress::new_list(to.map(header_address).collect()))
            .message_id(format!("{}@{}", make_boundary("."), self.from.domain()));
        match self.subject {
            // A header is one line, without controls (RFC 5322 §2.2), whatever the user typed.
            Some(subject) => header.subject(subject.replace(char::is_control, " ")),
            None => header,
        }
    }
}

/// Takes a whole message as somebody else wrote it; only its line ends are made those of mail. One with a `<CR>` elsewhere
/// can't be sent (RFC 5321 §2.3.8).
pub(crate) fn as_is(mut message: impl Read) -> anyhow::Result<Composed> {
    let mut output = Output::new().context(cant_compose())?;
    let mut piece = vec![0; PIECE_OCTETS];
    let (mut line, mut last) = (1u64, 0);
    loop {
        let octets = message.read(&mut piece).context(Failure::new(Exit::Data, "cannot read the mail"))?;
        if octets == 0 {
            return output.finish().context(cant_compose());
        }
        for &octet in &piece[..octets] {
            if last == b'\r' && octet != b'\n' {
                let cure = "attach the file with -a instead of --raw";
                bail!(Failure::new(Exit::Data, format!("line {line} has a <CR> that ends no line: {cure}")));
            }
            line += u64::from(octet == b'\n');
            last = octet;
        }
        output.file.write_all(&piece[..octets]).context(cant_compose())?;
    }
}

/// The text as it is where that is allowed, else in the encoding that `mail-builder` finds best. That is none for controls
/// that can't be sent (RFC 5321 §2.3.8, RFC 5322 §3.5), so these get base64.
fn text_part(text: &str, eight_bit: bool) -> MimePart<'static> {
    let mut lines = text.replace("\r\n", "\n");
    if !lines.ends_with('\n') {
        lines.push('\n');
    }
    let lines_fit = lines.split('\n').all(|line| line.len() <= LINE_OCTETS_MAX);
    if lines.contains(['\r', '\0']) {
        let encoded = base64_lines(lines.replace('\n', "\r\n").as_bytes());
        return MimePart::new("text/plain", encoded).transfer_encoding("base64");
    }
    let encoding = match (lines_fit, lines.is_ascii()) {
        (true, true) => Some("7bit"),
        (true, false) if eight_bit => Some("8bit"),
        _ => None,
    };
    let part = MimePart::new("text/plain", lines.replace('\n', "\r\n"));
    match encoding {
        Some(encoding) => part.transfer_encoding(encoding),
        None => part,
    }
}

/// The temporary file: it has no name, so nothing stays of it.
struct Output {
    file: ToCrlf<BufWriter<File>>,
}

impl Output {
    fn new() -> io::Result<Self> {
        Ok(Self { file: ToCrlf::new(BufWriter::new(tempfile::tempfile()?)) })
    }

    fn finish(self) -> io::Result<Composed> {
        let mut file = self.file.end()?.into_inner()?;
        let octets = file.stream_position()?;
        file.rewind()?;
        let utf8 = has_utf8_header(BufReader::new(&file))?;
        file.rewind()?;
        // Whoever says BODY=8BITMIME may send 8-bit octets, and need not (RFC 6152 §3).
        Ok(Composed { file, message: Message { octets, eight_bit: true, utf8 } })
    }
}

/// Whether the header has octets over 127. A text that begins with no field has no header.
fn has_utf8_header(mut message: impl BufRead) -> io::Result<bool> {
    let (mut piece, mut is_in_header, mut is_line_start) = (Vec::new(), false, true);
    while message.by_ref().take(PIECE_OCTETS as u64).read_until(b'\n', &mut piece)? > 0 {
        let goes_on = is_in_header && (!is_line_start || piece.starts_with(b" ") || piece.starts_with(b"\t"));
        if !goes_on && field_name(&piece).is_none() {
            break;
        }
        if !piece.is_ascii() {
            return Ok(true);
        }
        (is_in_header, is_line_start) = (true, piece.ends_with(b"\n"));
        piece.clear();
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    use super::*;

    fn read(mut composed: Composed) -> String {
        let mut text = String::new();
        composed.file.read_to_string(&mut text).unwrap();
        assert_eq!(text.len() as u64, composed.message.octets);
        text
    }

    fn composed(subject: Option<&str>, text: &str, attachments: Vec<Attachment>, eight_bit: bool) -> String {
        let (from, to) = ("9@mymailserver".parse().unwrap(), ["10@mymailserver", "alice@mymailserver"]);
        let to = to.map(|address| address.parse().unwrap());
        let takes = Takes { eight_bit, utf8: false };
        read(Mail { from: &from, to: &to, subject, text, attachments }.compose(takes).unwrap())
    }

    /// Header lines, folded ones joined, and the body.
    fn parted(message: &str) -> (Vec<String>, &str) {
        let (header, body) = message.split_once("\r\n\r\n").unwrap();
        (header.replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n").map(str::to_owned).collect(), body)
    }

    #[test]
    fn a_plain_mail_has_its_header_and_goes_as_it_is() {
        let message = composed(Some("Hello"), "Hello both\n.\n..dots\nend", vec![], false);
        let (header, body) = parted(&message);
        for expected in [
            "From: <9@mymailserver>",
            "To: <10@mymailserver>, <alice@mymailserver>",
            "Subject: Hello",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=\"utf-8\"",
            "Content-Transfer-Encoding: 7bit",
        ] {
            assert!(header.iter().any(|line| line == expected), "{expected} is missing in {message}");
        }
        assert!(header.iter().any(|line| line.starts_with("Date: ") && line.ends_with(" +0000")), "{message}");
        assert!(header.iter().any(|line| line.starts_with("Message-ID: <") && line.ends_with("@mymailserver>")));
        assert_eq!(body, "Hello both\r\n.\r\n..dots\r\nend\r\n");
    }

    #[test]
    fn utf8_goes_as_it_is_or_encoded() {
        let message = composed(Some("Grüße"), "Schöne Grüße\n", vec![], true);
        assert!(message.contains("Subject: =?utf-8?"), "{message}");
        assert!(message.contains("Content-Transfer-Encoding: 8bit\r\n"), "{message}");
        assert!(message.ends_with("\r\n\r\nSchöne Grüße\r\n"), "{message}");
        let message = composed(None, "Schöne Grüße an alle, die das lesen\n", vec![], false);
        assert!(message.is_ascii(), "{message}");
        assert!(message.ends_with("Sch=C3=B6ne Gr=C3=BC=C3=9Fe an alle, die das lesen\r\n"), "{message}");
    }

    #[test]
    fn addresses_other_than_ascii_stand_in_the_header_where_the_server_takes_them() {
        let (from, to) = ("9@m".parse().unwrap(), ["jürgen@m", "10@m"].map(|address| address.parse().unwrap()));
        for (utf8, field) in [(true, "To: <jürgen@m>, <10@m>\r\n"), (false, "To: <10@m>\r\n")] {
            let mail = Mail { from: &from, to: &to, subject: Some("Grüße"), text: "Grüße\n", attachments: vec![] };
            let composed = mail.compose(Takes { eight_bit: true, utf8 }).unwrap();
            assert_eq!(composed.message.utf8, utf8);
            let message = read(composed);
            assert!(message.contains(field) && message.contains("Subject: =?utf-8?"), "{message}");
        }
    }

    #[test]
    fn a_header_is_told_from_a_text() {
        let long = "x".repeat(PIECE_OCTETS);
        for (message, utf8) in [
            ("Subject: Grüße\r\n\r\ntext\r\n", true),
            ("Subject: a\r\n Grüße\r\n\r\n", true),
            (&*format!("X: y\r\nSubject: {long}ü\r\n\r\n"), true),
            ("Subject: Gruesse\r\n\r\nSubject: Grüße\r\n", false),
            (&*format!("Subject: {long}\r\n\r\nü"), false),
            ("Grüße\r\nSubject: Grüße\r\n", false),
            (" Grüße: x\r\n", false),
            ("", false),
        ] {
            assert_eq!(has_utf8_header(message.as_bytes()).unwrap(), utf8, "{message}");
        }
    }

    #[test]
    fn no_line_is_too_long_and_no_subject_is_two_lines() {
        let message = composed(Some("one\r\nBcc: two"), &"long ".repeat(1000), vec![], true);
        assert!(message.contains("Subject: one  Bcc: two\r\n"), "{message}");
        assert!(message.lines().all(|line| line.len() <= LINE_OCTETS_MAX), "{message}");
    }

    #[test]
    fn attachments_are_parts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("Übersicht.png");
        let content: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        std::fs::write(&path, &content).unwrap();
        let message = composed(None, "see\n", vec![Attachment::open(&path).unwrap()], false);

        let boundary = message.split("boundary=\"").nth(1).unwrap().split('"').next().unwrap();
        let delimiter = format!("\r\n--{boundary}");
        let parts: Vec<&str> = message.split(&delimiter).collect();
        let [_, text, attachment, end] = parts[..] else { panic!("{message}") };
        assert!(text.ends_with("\r\n\r\nsee\r\n"), "{text}");
        assert_eq!(end, "--\r\n");
        let (header, encoded) = attachment.split_once("\r\n\r\n").unwrap();
        assert!(header.contains("Content-Type: image/png") && header.contains("filename*"), "{header}");
        assert_eq!(STANDARD.decode(encoded.replace("\r\n", "")).unwrap(), content);
        assert!(encoded.lines().all(|line| line.len() <= 76));
    }

    #[test]
    fn a_message_as_it_is_gets_line_ends_alone() {
        assert_eq!(read(as_is(&b"Hello both\n.\nend"[..]).unwrap()), "Hello both\r\n.\r\nend\r\n");
        assert_eq!(read(as_is(&b""[..]).unwrap()), "");
    }

    #[test]
    fn controls_that_cannot_be_sent_are_encoded() {
        for text in ["50 %\r100 %\n", "a\0b\n", "long ".repeat(300).as_str().replace(' ', "\r").as_str()] {
            let message = composed(None, text, vec![], true);
            let (header, body) = parted(&message);
            assert!(header.iter().any(|line| line == "Content-Transfer-Encoding: base64"), "{message}");
            let decoded = STANDARD.decode(body.replace("\r\n", "")).unwrap();
            assert_eq!(String::from_utf8(decoded).unwrap().trim_end(), text.trim_end());
            assert!(body.lines().all(|line| line.len() <= 76), "{message}");
        }
    }

    #[test]
    fn a_subject_has_no_controls() {
        let message = composed(Some("a\x1b[2J\0\tb\u{9b}c"), "text\n", vec![], true);
        assert!(message.contains("Subject: a [2J  b c\r\n"), "{message}");
    }

    #[test]
    fn a_message_as_it_is_has_no_bare_cr() {
        let error = as_is(&b"one\r\ntwo\nth\rree\n"[..]).unwrap_err().to_string();
        assert!(error.starts_with("line 3 ") && error.contains("-a"), "{error}");
        assert_eq!(read(as_is(&b"cut\r"[..]).unwrap()), "cut\r\n");
    }
}
