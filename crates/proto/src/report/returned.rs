//! The third part: the message, or its header (RFC 3464 §2, RFC 6522 §4, RFC 6533 §4.2, §4.3).

use std::borrow::Cow;

use memchr::memchr2;

use super::{Part, Returned};
use crate::header::Scan;

/// Longest message that is given back whole, in octets.
pub const RETURNED_OCTETS_MAX: usize = 1 << 20;
/// Most of a header that is given back, in octets, before its lines are folded.
pub const HEADER_OCTETS_MAX: usize = 64 << 10;
/// Longest line, in octets without `<CRLF>` (RFC 5322 §2.1.1).
const LINE_OCTETS_MAX: usize = 998;

const MESSAGE: [&str; 2] = ["message/rfc822", "message/global"];
const HEADERS: [&str; 2] = ["text/rfc822-headers", "message/global-headers"];

impl Part<'_> {
    /// Whether it is a message, not only the header of one.
    pub(super) fn is_whole_message(&self) -> bool {
        MESSAGE.contains(&self.media_type)
    }
}

pub(super) fn part(returned: Returned<'_>, utf8: bool) -> Part<'_> {
    match returned {
        Returned::Message(octets) if is_clean(octets) => {
            Part { media_type: MESSAGE[usize::from(utf8)], octets: with_header(octets) }
        }
        Returned::Message(octets) | Returned::Headers(octets) => {
            Part { media_type: HEADERS[usize::from(utf8)], octets: header(octets).into() }
        }
    }
}

/// Whether it can stand among a report's lines as it is.
fn is_clean(message: &[u8]) -> bool {
    let mut lines = message.split(|&octet| octet == b'\n').peekable();
    while let Some(line) = lines.next() {
        let text = if lines.peek().is_some() { line.strip_suffix(b"\r") } else { Some(line) };
        if !text.is_some_and(|text| text.len() <= LINE_OCTETS_MAX && memchr2(b'\r', b'\0', text).is_none()) {
            return false;
        }
    }
    message.len() <= RETURNED_OCTETS_MAX
}

/// A message has a header, if only an empty one.
fn with_header(message: &[u8]) -> Cow<'_, [u8]> {
    if is_text(message) { [b"\r\n", message].concat().into() } else { message.into() }
}

/// The lines before the first empty one, as lines of mail.
fn header(message: &[u8]) -> Vec<u8> {
    let mut header = Vec::new();
    let mut left = if is_text(message) { 0 } else { HEADER_OCTETS_MAX };
    for line in message.split(|&octet| octet == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() || line.len() > left {
            break;
        }
        left -= line.len();
        fold(line, &mut header);
    }
    header
}

fn fold(mut line: &[u8], header: &mut Vec<u8>) {
    let harmless = |octet: &u8| if matches!(octet, b'\r' | b'\0') { b' ' } else { *octet };
    while line.len() > LINE_OCTETS_MAX {
        // Not inside a character, which has four octets at most.
        let is_start = |at: &usize| line[*at] & 0xC0 != 0x80;
        let end = (LINE_OCTETS_MAX - 4..LINE_OCTETS_MAX).rev().find(is_start).unwrap_or(LINE_OCTETS_MAX - 1);
        let (piece, rest) = line.split_at(end);
        header.extend(piece.iter().map(harmless));
        header.extend_from_slice(b"\r\n ");
        line = rest;
    }
    header.extend(line.iter().map(harmless));
    header.extend_from_slice(b"\r\n");
}

fn is_text(message: &[u8]) -> bool {
    let mut scan = Scan::default();
    scan.read(message);
    scan.is_text()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_clean_goes_back_whole() {
        for (message, given) in [
            ("A: b\r\n\r\nText\r\n", "A: b\r\n\r\nText\r\n"),
            ("A: b\r\n\r\nText", "A: b\r\n\r\nText"),
            ("\r\nText\r\n", "\r\nText\r\n"),
            ("Text, no header\r\n", "\r\nText, no header\r\n"),
            ("", ""),
        ] {
            let part = part(Returned::Message(message.as_bytes()), false);
            assert_eq!((part.media_type, &*part.octets), ("message/rfc822", given.as_bytes()));
        }
        let longest = format!("A: b\r\n\r\n{}\r\n", "x".repeat(998));
        assert_eq!(part(Returned::Message(longest.as_bytes()), true).media_type, "message/global");
    }

    #[test]
    fn of_other_messages_only_the_header_goes_back() {
        for body in ["a\nb\r\n", "a\rb\r\n", "a\r\r\n", "a\0b\r\n", "a\r", &"x".repeat(999), &"x\r\n".repeat(1 << 19)] {
            let message = format!("A: b\r\nC:\r\n d\r\n\r\n{body}");
            let part = part(Returned::Message(message.as_bytes()), false);
            assert_eq!((part.media_type, &*part.octets), ("text/rfc822-headers", &b"A: b\r\nC:\r\n d\r\n"[..]));
        }
    }

    #[test]
    fn a_header_becomes_lines_of_mail() {
        let given = |message: &[u8]| String::from_utf8(part(Returned::Headers(message), true).octets.into()).unwrap();
        assert_eq!(given(b"A: b\nC: d\re\0f\n\nText\n"), "A: b\r\nC: d e f\r\n");
        assert_eq!(given(b"A: b"), "A: b\r\n");
        assert_eq!(given(b"Text, no header\r\n"), "");
        let folded = given(format!("A: {}\r\nB: c\r\n\r\n", "€".repeat(1000)).as_bytes());
        assert!(folded.split("\r\n").all(|line| line.len() <= LINE_OCTETS_MAX));
        assert_eq!(folded.replace("\r\n ", ""), format!("A: {}\r\nB: c\r\n", "€".repeat(1000)));
        assert_eq!(given(format!("A: b\r\nC: {}\r\n", "x".repeat(HEADER_OCTETS_MAX)).as_bytes()), "A: b\r\n");
    }
}
