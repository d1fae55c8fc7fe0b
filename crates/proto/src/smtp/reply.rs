//! Replies (RFC 5321 §4.2): a code, perhaps an enhanced status code (RFC 3463), and lines of text.

use std::borrow::Cow;
use std::fmt;

use bytes::{Buf, BufMut, BytesMut};
use thiserror::Error;

use crate::Domain;

/// Octets of a line beside its text: code, enhanced code, what parts them, and the line end.
const LINE_OVERHEAD_OCTETS: usize = 16;

/// Longest reply line that is taken from a server, in octets. RFC 5321 §4.5.3.1.5 wants 512; some servers say more.
pub const REPLY_LINE_OCTETS_MAX: usize = 2048;
/// Most lines of one reply that are taken from a server.
pub const REPLY_LINES_MAX: usize = 256;

/// An enhanced status code, `class.subject.detail` (RFC 3463 §2); the class is that of the reply's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Enhanced(pub u8, pub u16, pub u16);

impl Enhanced {
    /// Takes an enhanced code and its space off the front of a reply's text.
    fn parse_prefix(text: &str) -> Option<(Self, &str)> {
        let (code, rest) = text.split_once(' ').unwrap_or((text, ""));
        let mut numbers = code.split('.');
        let class = numbers.next()?.parse().ok().filter(|class| matches!(class, 2 | 4 | 5))?;
        let (subject, detail) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
        numbers.next().is_none().then_some((Self(class, subject, detail), rest))
    }
}

impl fmt::Display for Enhanced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// What one end of a session answers to a command. Refusals are replies too, not errors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    code: u16,
    enhanced: Option<Enhanced>,
    /// Lines are parted by `\n`. Control characters of a peer never get in: see [`Reply::new`].
    text: Cow<'static, str>,
}

impl Reply {
    /// A reply; `text` may have several lines, parted by `\n`. Any other control character becomes a space, so that no text
    /// can end a reply early.
    pub fn new(code: u16, enhanced: Option<Enhanced>, text: impl Into<Cow<'static, str>>) -> Self {
        let text = text.into();
        let unsafe_in_reply = |c: char| c.is_control() && c != '\n';
        let text = if text.contains(unsafe_in_reply) { text.replace(unsafe_in_reply, " ").into() } else { text };
        Self { code, enhanced, text }
    }

    /// A reply of one fixed line, for the tables of replies.
    pub(crate) const fn fixed(code: u16, enhanced: Enhanced, text: &'static str) -> Self {
        Self { code, enhanced: Some(enhanced), text: Cow::Borrowed(text) }
    }

    /// The same reply with the host's name before its text, as RFC 5321 §4.2 wants those that end a session.
    pub fn of_host(&self, hostname: &Domain) -> Self {
        Self::new(self.code, self.enhanced, format!("{hostname} {}", self.text))
    }

    /// The three digits.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced status code, if it has one.
    pub fn enhanced(&self) -> Option<Enhanced> {
        self.enhanced
    }

    /// The text of all lines, parted by `\n`.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// 2yz: done.
    pub fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }

    /// 4yz: not done, may work later.
    pub fn is_transient(&self) -> bool {
        self.code / 100 == 4
    }

    /// 4yz and 5yz: not done.
    pub fn is_negative(&self) -> bool {
        self.code >= 400
    }

    /// Writes it for the wire; the enhanced code only to a peer that knows such codes (RFC 2034 §4).
    pub fn write(&self, with_enhanced: bool, out: &mut BytesMut) {
        // Most have one line.
        out.reserve(self.text.len() + LINE_OVERHEAD_OCTETS);
        let mut lines = self.text.split('\n').peekable();
        while let Some(line) = lines.next() {
            put_number(self.code, out);
            out.put_u8(if lines.peek().is_some() { b'-' } else { b' ' });
            if let Some(Enhanced(class, subject, detail)) = self.enhanced.filter(|_| with_enhanced) {
                for (number, end) in [(u16::from(class), b'.'), (subject, b'.'), (detail, b' ')] {
                    put_number(number, out);
                    out.put_u8(end);
                }
            }
            out.put_slice(line.as_bytes());
            out.put_slice(b"\r\n");
        }
    }
}

impl fmt::Display for Reply {
    /// Code, enhanced code and text on one line, for people.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(enhanced) = self.enhanced {
            write!(f, " {enhanced}")?;
        }
        self.text.split('\n').try_for_each(|line| write!(f, " {line}"))
    }
}

/// Digits without the cost of formatting: a reply is written for every command.
fn put_number(number: u16, out: &mut BytesMut) {
    if number >= 10 {
        put_number(number / 10, out);
    }
    out.put_u8(b'0' + (number % 10) as u8);
}

/// What a server sent is no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the message of each variant says it")]
pub enum ReplySyntax {
    #[error("a reply line is longer than {REPLY_LINE_OCTETS_MAX} octets")]
    LineTooLong,
    #[error("a reply has more than {REPLY_LINES_MAX} lines")]
    TooManyLines,
    #[error("a reply line does not begin with a three-digit code")]
    NoCode,
    #[error("the lines of a reply have different codes")]
    CodesDiffer,
}

/// Reads replies off a stream, however it is split.
#[derive(Debug, Default)]
pub struct ReplyReader {
    lines: Vec<String>,
    code: u16,
}

impl ReplyReader {
    /// Takes the next whole reply off the front of `input`; `None` until there is one.
    pub fn read(&mut self, input: &mut BytesMut) -> Result<Option<Reply>, ReplySyntax> {
        while let Some(end) = memchr::memchr(b'\n', input) {
            if end > REPLY_LINE_OCTETS_MAX {
                return Err(ReplySyntax::LineTooLong);
            }
            let line = input.split_to(end + 1);
            let line = line.strip_suffix(b"\r\n").unwrap_or(&line[..end]);
            if let Some(reply) = self.take_line(line)? {
                return Ok(Some(reply));
            }
        }
        if input.remaining() > REPLY_LINE_OCTETS_MAX { Err(ReplySyntax::LineTooLong) } else { Ok(None) }
    }

    fn take_line(&mut self, line: &[u8]) -> Result<Option<Reply>, ReplySyntax> {
        let (code, rest) = line.split_at_checked(3).ok_or(ReplySyntax::NoCode)?;
        let code = match code {
            [b'2'..=b'5', b'0'..=b'9', b'0'..=b'9'] => code.iter().fold(0, |n, b| n * 10 + u16::from(b - b'0')),
            _ => return Err(ReplySyntax::NoCode),
        };
        let more = match rest.first() {
            Some(b'-') => true,
            Some(b' ') | None => false,
            Some(_) => return Err(ReplySyntax::NoCode),
        };
        if !self.lines.is_empty() && code != self.code {
            return Err(ReplySyntax::CodesDiffer);
        }
        if self.lines.len() == REPLY_LINES_MAX {
            return Err(ReplySyntax::TooManyLines);
        }
        self.code = code;
        self.lines.push(String::from_utf8_lossy(rest.get(1..).unwrap_or_default()).into_owned());
        Ok((!more).then(|| self.finish()))
    }

    fn finish(&mut self) -> Reply {
        let lines = std::mem::take(&mut self.lines);
        let enhanced = lines.first().and_then(|line| Enhanced::parse_prefix(line)).map(|(enhanced, _)| enhanced);
        let plain = |line: &str| match (enhanced, Enhanced::parse_prefix(line)) {
            (Some(_), Some((_, rest))) => rest.to_owned(),
            _ => line.to_owned(),
        };
        let text: Vec<String> = lines.iter().map(|line| plain(line)).collect();
        Reply::new(self.code, enhanced, text.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(reply: &Reply, with_enhanced: bool) -> String {
        let mut out = BytesMut::new();
        reply.write(with_enhanced, &mut out);
        String::from_utf8(out.to_vec()).unwrap()
    }

    #[test]
    fn enhanced_codes_are_for_those_who_know_them() {
        let reply = Reply::new(250, Some(Enhanced(2, 1, 10)), "OK");
        assert_eq!(written(&reply, true), "250 2.1.10 OK\r\n");
        assert_eq!(written(&reply, false), "250 OK\r\n");
    }

    #[test]
    fn no_text_can_end_a_reply_early() {
        let reply = Reply::new(550, None, "No\r\n250 OK".to_owned());
        assert_eq!(written(&reply, true), "550-No \r\n550 250 OK\r\n");
    }

    #[test]
    fn what_is_written_is_read_whatever_the_split() {
        let replies = [
            Reply::new(250, None, "a.example\nPIPELINING\nSIZE 10"),
            Reply::new(550, Some(Enhanced(5, 1, 1)), "No such user here"),
            Reply::new(354, None, "Start"),
        ];
        let wire: String = replies.iter().map(|reply| written(reply, true)).collect();
        for step in 1..wire.len() {
            let (mut reader, mut input, mut read) = (ReplyReader::default(), BytesMut::new(), Vec::new());
            for chunk in wire.as_bytes().chunks(step) {
                input.extend_from_slice(chunk);
                while let Some(reply) = reader.read(&mut input).unwrap() {
                    read.push(reply);
                }
            }
            assert_eq!(read, replies);
        }
    }

    #[test]
    fn what_is_no_reply_is_an_error() {
        let read = |text: &str| ReplyReader::default().read(&mut BytesMut::from(text));
        assert_eq!(read("hello\r\n"), Err(ReplySyntax::NoCode));
        assert_eq!(read("250-a\r\n251 b\r\n"), Err(ReplySyntax::CodesDiffer));
        assert_eq!(read(&"2".repeat(3000)), Err(ReplySyntax::LineTooLong));
        assert_eq!(read(&"250-x\r\n".repeat(300)), Err(ReplySyntax::TooManyLines));
        assert_eq!(read("250\r\n").unwrap().unwrap().text(), "");
    }
}
