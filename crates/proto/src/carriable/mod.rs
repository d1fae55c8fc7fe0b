//! A message that was sent with BODY=BINARYMIME (RFC 3030), in a form for protocols that carry lines.
//!
//! An entity that is declared binary becomes base64, in its own place. A multipart or a message may have no such
//! encoding (RFC 2045 §6.4): one that is declared binary becomes 8bit, and what is inside is looked at on its own. All
//! else is lines already, or should be: a CR or LF that stands alone becomes CRLF, and the last line gets the end that
//! it lacks. The structure is read as it is then, but for what is binary, where CRLF alone ends a line. NUL stays,
//! since nothing that could stand for it was sent, and so do long lines. A message that has neither binary parts nor
//! bare line ends comes out as it was, and an empty one empty.
//!
//! The result depends on the octets alone and not on how they are split, so what was counted once holds at each
//! reading.

use bytes::{BufMut, BytesMut};
use memchr::{memchr, memchr2};

mod base64_lines;
mod entity;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

use base64_lines::Base64Lines;
use entity::{Encoding, Entity, Multipart, Nature};

/// The most octets of an entity's header. The entity goes on unconverted if it has more.
pub const HEADER_OCTETS_MAX: usize = 64 << 10;

/// How many multiparts may be inside each other. One that is deeper goes on unconverted.
pub const MULTIPARTS_MAX: usize = 32;

/// The longest line that can be a delimiter, without its end (RFC 5322 §2.1.1).
const DELIMITER_OCTETS_MAX: usize = 998;

/// Makes a message carriable as its octets come, in any pieces. What it holds back is at most a header of
/// [`HEADER_OCTETS_MAX`], the boundaries of [`MULTIPARTS_MAX`] multiparts and a line that may be a delimiter.
#[derive(Debug, Default)]
pub struct Carrier {
    /// The multiparts around what comes next, the outermost first.
    multiparts: Vec<Multipart>,
    mode: Mode,
    line: Line,
    /// A CR has come that may be half of a line end.
    cr: bool,
}

/// What comes next.
#[derive(Debug)]
enum Mode {
    /// An entity's header: kept until it is known what is to be said of the body.
    Header { held: BytesMut, is_digest_part: bool },
    /// Lines that go on as they are.
    Lines,
    /// A body to encode. The end of its last line may be that of a delimiter, and waits.
    Binary { encoder: Base64Lines, line_end: bool },
}

impl Default for Mode {
    fn default() -> Self {
        Self::header(false)
    }
}

impl Mode {
    fn header(is_digest_part: bool) -> Self {
        Self::Header { held: BytesMut::new(), is_digest_part }
    }
}

/// What has come of a line.
#[derive(Debug)]
enum Line {
    /// Nothing, or what may be a delimiter.
    Start(Vec<u8>),
    /// Text that has gone on.
    Inside,
}

impl Default for Line {
    fn default() -> Self {
        Self::Start(Vec::new())
    }
}

impl Carrier {
    /// A carrier at the start of a message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next octets of the message, and puts what is ready into `out`.
    pub fn write(&mut self, mut octets: &[u8], out: &mut BytesMut) {
        while !octets.is_empty() {
            octets = &octets[self.read(octets, out)..];
        }
    }

    /// The message has ended: puts the rest of it into `out`.
    pub fn finish(mut self, out: &mut BytesMut) {
        if std::mem::take(&mut self.cr) {
            self.lone_cr(out);
        }
        match std::mem::take(&mut self.line) {
            Line::Start(line) if self.delimited_by(&line).is_some() => self.end_line(Line::Start(line), out),
            Line::Start(line) if self.is_binary() => self.pass(&line, out),
            Line::Start(line) if line.is_empty() => {}
            Line::Inside if self.is_binary() => {}
            line => self.end_line(line, out),
        }
        self.end_entity(out);
    }

    /// Takes octets up to the next place where things may change, and says how many.
    fn read(&mut self, octets: &[u8], out: &mut BytesMut) -> usize {
        if std::mem::take(&mut self.cr) {
            let is_line_end = octets.first() == Some(&b'\n');
            if is_line_end {
                let line = std::mem::take(&mut self.line);
                self.end_line(line, out);
            } else {
                self.lone_cr(out);
            }
            return usize::from(is_line_end);
        }
        let end = if self.is_binary() { memchr(b'\r', octets) } else { memchr2(b'\r', b'\n', octets) };
        let Some(end) = end else {
            self.push(octets, out);
            return octets.len();
        };
        self.push(&octets[..end], out);
        if octets[end] == b'\r' {
            self.cr = true;
        } else {
            let line = std::mem::take(&mut self.line);
            self.end_line(line, out);
        }
        end + 1
    }

    fn lone_cr(&mut self, out: &mut BytesMut) {
        if self.is_binary() {
            self.push(b"\r", out);
        } else {
            let line = std::mem::take(&mut self.line);
            self.end_line(line, out);
        }
    }

    /// Takes text of a line, and holds it back while the line may become a delimiter.
    fn push(&mut self, text: &[u8], out: &mut BytesMut) {
        if text.is_empty() {
            return;
        }
        if let Line::Start(line) = &mut self.line {
            let may_be_delimiter = !self.multiparts.is_empty()
                && line.len() + text.len() <= DELIMITER_OCTETS_MAX
                && line.iter().chain(text).take(2).all(|&octet| octet == b'-');
            if may_be_delimiter {
                line.extend_from_slice(text);
                return;
            }
            let line = std::mem::take(line);
            self.line = Line::Inside;
            self.pass(&line, out);
        }
        self.pass(text, out);
    }

    /// The line that stands before the next octet has ended, and that octet begins another.
    fn end_line(&mut self, line: Line, out: &mut BytesMut) {
        let mut is_empty = false;
        if let Line::Start(line) = line {
            if let Some(delimiter) = self.delimited_by(&line) {
                return self.delimit(delimiter, &line, out);
            }
            is_empty = line.is_empty();
            self.pass(&line, out);
        }
        match &mut self.mode {
            Mode::Binary { line_end, .. } => *line_end = true,
            Mode::Header { .. } | Mode::Lines => self.pass(b"\r\n", out),
        }
        if is_empty && matches!(self.mode, Mode::Header { .. }) {
            self.begin_body(out);
        }
    }

    /// Which multipart the line is a delimiter of.
    fn delimited_by(&self, line: &[u8]) -> Option<Delimiter> {
        let line = line.strip_prefix(b"--")?;
        // The blanks behind a boundary are transport padding (RFC 2046 §5.1.1).
        let line = &line[..line.iter().rposition(|octet| !b" \t".contains(octet))? + 1];
        self.multiparts.iter().enumerate().rev().find_map(|(index, multipart)| {
            match line.strip_prefix(multipart.boundary.as_slice()) {
                Some(b"") => Some(Delimiter::Part(index)),
                Some(b"--") => Some(Delimiter::Close(index)),
                _ => None,
            }
        })
    }

    /// A delimiter ends whatever is inside its multipart (RFC 2046 §5.1.2).
    fn delimit(&mut self, delimiter: Delimiter, line: &[u8], out: &mut BytesMut) {
        self.end_entity(out);
        out.put_slice(line);
        out.put_slice(b"\r\n");
        match delimiter {
            Delimiter::Part(index) => {
                self.multiparts.truncate(index + 1);
                self.mode = Mode::header(self.multiparts.last().is_some_and(|multipart| multipart.is_digest));
            }
            Delimiter::Close(index) => {
                self.multiparts.truncate(index);
                self.mode = Mode::Lines;
            }
        }
    }

    /// Lets octets go, but for those of a header.
    fn pass(&mut self, octets: &[u8], out: &mut BytesMut) {
        match &mut self.mode {
            Mode::Header { held, .. } if held.len() + octets.len() <= HEADER_OCTETS_MAX => held.put_slice(octets),
            Mode::Header { held, .. } => {
                out.put_slice(held);
                out.put_slice(octets);
                self.mode = Mode::Lines;
            }
            Mode::Lines => out.put_slice(octets),
            Mode::Binary { encoder, line_end } => {
                if std::mem::take(line_end) {
                    encoder.write(b"\r\n", out);
                }
                encoder.write(octets, out);
            }
        }
    }

    /// A header has come to its end: lets it go, and says what the body is.
    fn begin_body(&mut self, out: &mut BytesMut) {
        let Mode::Header { held, is_digest_part } = &mut self.mode else { return };
        let Entity { nature, encoding } = Entity::read(held, *is_digest_part);
        match (encoding, &nature) {
            (Encoding::Binary, Nature::Leaf) => entity::write_encoded(held, "base64", out),
            (Encoding::Binary, _) => entity::write_encoded(held, "8bit", out),
            (Encoding::Lines | Encoding::Encoded, _) => out.put_slice(held),
        }
        self.mode = match (nature, encoding) {
            (Nature::Leaf, Encoding::Binary) => Mode::Binary { encoder: Base64Lines::default(), line_end: false },
            (Nature::Message, Encoding::Binary | Encoding::Lines) => Mode::header(false),
            (Nature::Multipart(multipart), _) if self.multiparts.len() < MULTIPARTS_MAX => {
                self.multiparts.push(multipart);
                Mode::Lines
            }
            _ => Mode::Lines,
        };
    }

    /// Lets go what is held of an entity that has ended, in its header or behind it.
    fn end_entity(&mut self, out: &mut BytesMut) {
        self.begin_body(out);
        if let Mode::Binary { encoder, .. } = &mut self.mode {
            encoder.finish(out);
        }
    }

    fn is_binary(&self) -> bool {
        matches!(self.mode, Mode::Binary { .. })
    }
}

/// A delimiter of the multipart with that index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Delimiter {
    /// A part follows.
    Part(usize),
    /// There are no more parts.
    Close(usize),
}
