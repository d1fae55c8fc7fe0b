//! What the header of a MIME entity says of its body (RFC 2045 §5, §6), and how it is changed to say something else.
//!
//! The header's lines end in CRLF. Of fields that should stand once, the first one counts.

use bytes::{BufMut, BytesMut};
use memchr::memchr;

use crate::header::field_name;

/// The longest boundary; RFC 2046 §5.1.1 allows 70.
const BOUNDARY_OCTETS_MAX: usize = 256;

const CONTENT_TYPE: &[u8] = b"Content-Type";
const CONTENT_TRANSFER_ENCODING: &str = "Content-Transfer-Encoding";

/// What a header says.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entity {
    pub(super) nature: Nature,
    pub(super) encoding: Encoding,
}

/// What a body is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Nature {
    /// Octets without structure.
    Leaf,
    Multipart(Multipart),
    /// A message with its own header.
    Message,
    /// Another kind of message, or a multipart whose boundary is not known: nothing inside is told apart.
    Composite,
}

/// A multipart body.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Multipart {
    pub(super) boundary: Vec<u8>,
    /// Its parts are messages unless they say otherwise (RFC 2046 §5.1.5).
    pub(super) is_digest: bool,
}

/// How a body is encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Not at all, and it need not consist of lines.
    Binary,
    /// Not at all.
    Lines,
    /// In a way that hides what is inside.
    Encoded,
}

impl Entity {
    /// Reads a header. One that begins with something else than a field is text, and says nothing.
    pub(super) fn read(header: &[u8], is_digest_part: bool) -> Self {
        let first_line = fields(header).next().unwrap_or_default();
        if !matches!(first_line, b"" | b"\r\n") && field_name(first_line).is_none() {
            return Self { nature: Nature::Leaf, encoding: Encoding::Lines };
        }
        let nature = match field(header, CONTENT_TYPE) {
            Some(value) => read_content_type(value),
            None if is_digest_part => Nature::Message,
            None => Nature::Leaf,
        };
        let encoding = field(header, CONTENT_TRANSFER_ENCODING.as_bytes());
        Self { nature, encoding: encoding.map_or(Encoding::Lines, read_encoding) }
    }
}

/// Writes the header with `encoding` in the place of what it says.
pub(super) fn write_encoded(header: &[u8], encoding: &str, out: &mut BytesMut) {
    let mut is_written = false;
    for field in fields(header) {
        if !is_named(field, CONTENT_TRANSFER_ENCODING.as_bytes()) {
            out.put_slice(field);
        } else if !is_written {
            out.put_slice(format!("{CONTENT_TRANSFER_ENCODING}: {encoding}\r\n").as_bytes());
            is_written = true;
        }
    }
}

/// The fields with all their lines, and any other lines that a header has.
fn fields(header: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = header;
    std::iter::from_fn(move || {
        let mut end = 0;
        loop {
            end += memchr(b'\n', &rest[end..]).map_or(rest.len() - end, |at| at + 1);
            if !matches!(rest.get(end), Some(b' ' | b'\t')) {
                break;
            }
        }
        let field = rest.split_off(..end)?;
        (!field.is_empty()).then_some(field)
    })
}

fn is_named(field: &[u8], name: &[u8]) -> bool {
    field_name(field).is_some_and(|own| own.eq_ignore_ascii_case(name))
}

/// What stands behind the first such field's colon.
fn field<'h>(header: &'h [u8], name: &[u8]) -> Option<&'h [u8]> {
    let field = fields(header).find(|field| is_named(field, name))?;
    memchr(b':', field).map(|colon| &field[colon + 1..])
}

fn read_encoding(value: &[u8]) -> Encoding {
    match Value(value).word(NAME_ENDS).to_ascii_lowercase().as_slice() {
        b"binary" => Encoding::Binary,
        b"7bit" | b"8bit" | b"" => Encoding::Lines,
        _ => Encoding::Encoded,
    }
}

/// RFC 2045 §5.1. What can't be read is as good as not said.
fn read_content_type(value: &[u8]) -> Nature {
    let mut value = Value(value);
    let kind = value.word(NAME_ENDS).to_ascii_lowercase();
    if !value.take(b'/') {
        return Nature::Leaf;
    }
    let subtype = value.word(NAME_ENDS).to_ascii_lowercase();
    match (kind.as_slice(), subtype.as_slice()) {
        (b"message", b"rfc822" | b"global") => Nature::Message,
        (b"message", _) => Nature::Composite,
        (b"multipart", _) => value.parameter(b"boundary").and_then(to_boundary).map_or(Nature::Composite, |boundary| {
            Nature::Multipart(Multipart { boundary, is_digest: subtype == b"digest" })
        }),
        _ => Nature::Leaf,
    }
}

/// A boundary never ends in blanks: behind it they are padding.
fn to_boundary(mut text: Vec<u8>) -> Option<Vec<u8>> {
    text.truncate(text.trim_ascii_end().len());
    (1..=BOUNDARY_OCTETS_MAX).contains(&text.len()).then_some(text)
}

/// What ends a name, besides blanks and comments.
const NAME_ENDS: &[u8] = b"/;=\"";
/// What ends a value without quotes. Some senders leave the quotes out where they are due, so that is little.
const VALUE_ENDS: &[u8] = b";\"";

/// The rest of a field's value.
struct Value<'h>(&'h [u8]);

impl<'h> Value<'h> {
    /// Passes over blanks, line ends and comments (RFC 5322 §3.2.2).
    fn skip(&mut self) {
        let mut depth = 0_usize;
        while let Some((octet, rest)) = self.0.split_first() {
            match octet {
                b'(' => depth += 1,
                b')' if depth > 0 => depth -= 1,
                b'\\' if depth > 0 => {
                    self.0 = rest.get(1..).unwrap_or_default();
                    continue;
                }
                b' ' | b'\t' | b'\r' | b'\n' => {}
                _ if depth > 0 => {}
                _ => return,
            }
            self.0 = rest;
        }
    }

    fn take(&mut self, octet: u8) -> bool {
        self.skip();
        let rest = self.0.strip_prefix(&[octet]);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn word(&mut self, ends: &[u8]) -> &'h [u8] {
        self.skip();
        let end = self.0.iter().position(|octet| b" \t\r\n(".contains(octet) || ends.contains(octet));
        let (word, rest) = self.0.split_at(end.unwrap_or(self.0.len()));
        self.0 = rest;
        word
    }

    /// The rest of a quoted string whose first quote has been taken.
    fn quoted(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        while let Some((&octet, rest)) = self.0.split_first() {
            self.0 = rest;
            match octet {
                b'"' => break,
                b'\\' => {
                    if let Some((&octet, rest)) = self.0.split_first() {
                        self.0 = rest;
                        text.push(octet);
                    }
                }
                b'\r' | b'\n' => {}
                _ => text.push(octet),
            }
        }
        text
    }

    fn parameter(&mut self, name: &[u8]) -> Option<Vec<u8>> {
        loop {
            self.go_to_parameter()?;
            let own = self.word(NAME_ENDS);
            if !self.take(b'=') {
                continue;
            }
            let value = if self.take(b'"') { self.quoted() } else { self.word(VALUE_ENDS).to_vec() };
            if own.eq_ignore_ascii_case(name) {
                return Some(value);
            }
        }
    }

    /// Goes behind the next semicolon, over whatever may stand before it.
    fn go_to_parameter(&mut self) -> Option<()> {
        while !self.take(b';') {
            if self.take(b'"') {
                self.quoted();
            } else if self.word(VALUE_ENDS).is_empty() {
                self.0.split_off_first()?;
            }
        }
        Some(())
    }
}
