//! Mail data on the wire (RFC 5321 §4.1.1.4, §4.5.2): finding its end, and its dots.
//!
//! A session knows one line end for its whole life, and so one end of data only: `<CRLF>.<CRLF>`, or `<LF>.<LF>` in a
//! session that a person types. Whatever looks like an end to some other program (a bare CR or LF near a dot) never is one
//! here; it makes the message one to refuse, so that nobody's second message can hide in a first one.

use std::ops::Range;

use bytes::{BufMut, BytesMut};
use memchr::{memchr, memchr_iter, memchr2};

/// How the lines of a session end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEnd {
    /// `<CRLF>` alone, as RFC 5321 §2.3.8 demands.
    Strict,
    /// `<LF>` alone: a person at a terminal.
    Typed,
}

/// Reads mail data: takes away the stuffed dots, finds the end, and notices bare CR and LF.
#[derive(Debug)]
pub struct DataReader {
    line_end: LineEnd,
    state: State,
    bare_line_end: bool,
}

/// What stands before the next octet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    LineStart,
    Text,
    Cr,
    /// A dot at the start of a line.
    Dot,
    DotCr,
    /// A typed line's LF has been taken and is still to be handed out as CRLF.
    TypedLineEnd,
}

/// What [`DataReader::read`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Octets of the message: where they stand in the input.
    Content(Range<usize>),
    /// A typed line's end, which is CRLF in the message.
    TypedLineEnd,
    /// The end of the message.
    End,
}

impl DataReader {
    /// A reader at the first octet behind the reply to DATA.
    pub fn new(line_end: LineEnd) -> Self {
        Self { line_end, state: State::LineStart, bare_line_end: false }
    }

    /// Whether a CR or LF has stood where none may stand.
    pub fn found_bare_line_end(&self) -> bool {
        self.bare_line_end
    }

    /// Says how many octets of `input` it has taken, and what they are; `None` when it needs more input. To be called again
    /// with what is left until then, and not after [`Piece::End`].
    pub fn read(&mut self, input: &[u8]) -> (usize, Option<Piece>) {
        match self.line_end {
            LineEnd::Strict => self.read_strict(input),
            LineEnd::Typed => self.read_typed(input),
        }
    }

    fn read_strict(&mut self, input: &[u8]) -> (usize, Option<Piece>) {
        let mut at = 0;
        // A dot at the start of a line, and a CR behind it, are never content: content is what stands between them.
        let mut content_from = 0;
        while let Some(&octet) = input.get(at) {
            match (self.state, octet) {
                (State::LineStart, b'.') => {
                    self.state = State::Dot;
                    if at > content_from {
                        return (at + 1, Some(Piece::Content(content_from..at)));
                    }
                    content_from = at + 1;
                }
                (State::Dot, b'\r') => {
                    self.state = State::DotCr;
                    content_from = at + 1;
                }
                (State::DotCr, b'\n') => return (at + 1, Some(Piece::End)),
                (State::DotCr, _) => {
                    self.bare_line_end = true;
                    self.state = if octet == b'\r' { State::Cr } else { State::Text };
                }
                (State::Cr, b'\n') => self.state = State::LineStart,
                (_, b'\r') => {
                    self.bare_line_end |= self.state == State::Cr;
                    self.state = State::Cr;
                }
                _ => {
                    self.bare_line_end |= self.state == State::Cr || octet == b'\n';
                    self.state = State::Text;
                    // The common case: straight on to the next octet that can matter.
                    at += memchr2(b'\r', b'\n', &input[at + 1..]).unwrap_or(input.len() - at - 1);
                }
            }
            at += 1;
        }
        (at, (content_from < at).then_some(Piece::Content(content_from..at)))
    }

    fn read_typed(&mut self, input: &[u8]) -> (usize, Option<Piece>) {
        if self.state == State::TypedLineEnd {
            self.state = State::LineStart;
            return (0, Some(Piece::TypedLineEnd));
        }
        let mut at = 0;
        if self.state == State::LineStart && input.first() == Some(&b'.') {
            self.state = State::Dot;
            at = 1;
        }
        let Some(line) = input.get(at..).filter(|rest| !rest.is_empty()) else { return (at, None) };
        if self.state == State::Dot && line[0] == b'\n' {
            return (at + 1, Some(Piece::End));
        }
        let text = &line[..memchr(b'\n', line).unwrap_or(line.len())];
        self.bare_line_end |= memchr(b'\r', text).is_some();
        let ended = text.len() < line.len();
        self.state = if ended { State::TypedLineEnd } else { State::Text };
        let end = at + text.len();
        (end + usize::from(ended), Some(Piece::Content(at..end)))
    }
}

/// Looks at the line ends of a message that comes without dots, by its length (RFC 3030).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineCheck {
    last: Last,
    bare_line_end: bool,
}

/// The last octet seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// It ended a line, or there was none.
    LineEnd,
    Text,
    Cr,
}

impl Default for LineCheck {
    fn default() -> Self {
        Self { last: Last::LineEnd, bare_line_end: false }
    }
}

impl LineCheck {
    /// Looks at the next octets of the message.
    pub fn read(&mut self, content: &[u8]) {
        let mut at = 0;
        while let Some(&octet) = content.get(at) {
            self.bare_line_end |= (self.last == Last::Cr) != (octet == b'\n');
            at += 1;
            self.last = match octet {
                b'\n' => Last::LineEnd,
                b'\r' => Last::Cr,
                _ => {
                    at += memchr2(b'\r', b'\n', &content[at..]).unwrap_or(content.len() - at);
                    Last::Text
                }
            };
        }
    }

    /// Whether a CR or LF has stood where none may stand; a CR at the very end only if that is the message's.
    pub fn found_bare_line_end(&self, is_over: bool) -> bool {
        self.bare_line_end || (is_over && self.last == Last::Cr)
    }

    /// Whether the last line has no end.
    pub fn is_inside_line(&self) -> bool {
        self.last != Last::LineEnd
    }
}

/// Writes mail data: stuffs the dots and makes the end.
#[derive(Debug)]
pub struct DataWriter {
    /// The last two octets written, to know where lines begin.
    last: [u8; 2],
}

impl Default for DataWriter {
    fn default() -> Self {
        Self { last: *b"\r\n" }
    }
}

impl DataWriter {
    /// A writer at the start of a message.
    pub fn new() -> Self {
        Self::default()
    }

    /// Writes the next octets of the message.
    pub fn write(&mut self, content: &[u8], out: &mut BytesMut) {
        let mut written = 0;
        for dot in memchr_iter(b'.', content) {
            let at_line_start = match dot {
                0 => self.last == *b"\r\n",
                1 => self.last[1] == b'\r' && content[0] == b'\n',
                _ => content[dot - 2..dot] == *b"\r\n",
            };
            if at_line_start {
                out.put_slice(&content[written..dot]);
                out.put_u8(b'.');
                written = dot;
            }
        }
        out.put_slice(&content[written..]);
        match content {
            [.., a, b] => self.last = [*a, *b],
            [b] => self.last = [self.last[1], *b],
            [] => {}
        }
    }

    /// Writes the end of data. A message whose last line has no line end gets one (RFC 5321 §4.1.1.4).
    pub fn finish(self, out: &mut BytesMut) {
        out.put_slice(if self.last == *b"\r\n" { b".\r\n" } else { b"\r\n.\r\n" });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The message, whether it is to be refused, and what follows its end, if it ends.
    type Read = (Vec<u8>, bool, Option<Vec<u8>>);

    fn read_in_chunks(line_end: LineEnd, wire: &[u8], chunk_octets: usize) -> Read {
        let (mut reader, mut message) = (DataReader::new(line_end), Vec::new());
        let mut offset = 0;
        for chunk in wire.chunks(chunk_octets.max(1)) {
            let mut taken = 0;
            loop {
                let input = &chunk[taken..];
                let (octets, piece) = reader.read(input);
                taken += octets;
                match piece {
                    Some(Piece::Content(content)) => message.extend_from_slice(&input[content]),
                    Some(Piece::TypedLineEnd) => message.extend_from_slice(b"\r\n"),
                    Some(Piece::End) => {
                        return (message, reader.found_bare_line_end(), Some(wire[offset + taken..].to_vec()));
                    }
                    None => break,
                }
            }
            assert_eq!(taken, chunk.len(), "a reader that wants more has taken all");
            offset += taken;
        }
        (message, reader.found_bare_line_end(), None)
    }

    fn read(line_end: LineEnd, wire: &str) -> (String, bool, Option<String>) {
        let whole = read_in_chunks(line_end, wire.as_bytes(), usize::MAX);
        assert_eq!(whole, read_in_chunks(line_end, wire.as_bytes(), 1), "{wire:?}");
        let text = |octets| String::from_utf8(octets).unwrap();
        (text(whole.0), whole.1, whole.2.map(text))
    }

    #[test]
    fn dots_are_unstuffed_and_the_end_is_found() {
        for (wire, message, rest) in [
            (".\r\n", "", ""),
            ("Hi\r\n.\r\n", "Hi\r\n", ""),
            ("..\r\n...\r\n.x\r\n.\r\nQUIT\r\n", ".\r\n..\r\nx\r\n", "QUIT\r\n"),
            ("a.b\r\n.\r\n.\r\n", "a.b\r\n", ".\r\n"),
            ("\r\n\r\n.\r\n", "\r\n\r\n", ""),
        ] {
            assert_eq!(read(LineEnd::Strict, wire), (message.into(), false, Some(rest.into())), "{wire:?}");
        }
    }

    #[test]
    fn nothing_else_is_an_end() {
        for ending in [
            "\n.\n",
            "\n.\r\n",
            "\r.\r",
            "\r.\r\n",
            "\r\n.\n",
            "\r\n.\r",
            "\n.\r",
            "\r.\n",
            "\r\n.\r\r\n",
            "\r\n.\0\r\n",
            "\r\n. \r\n",
        ] {
            let (_, bare, rest) = read(LineEnd::Strict, &format!("Hi{ending}MAIL FROM:<a@b.example>\r\n"));
            assert_eq!(rest, None, "{ending:?}");
            assert_eq!(bare, !matches!(ending, "\r\n.\0\r\n" | "\r\n. \r\n"), "{ending:?}");
            let (_, bare_at_end, rest) = read(LineEnd::Strict, &format!("Hi{ending}smuggled\r\n.\r\n"));
            assert_eq!((bare_at_end, rest), (bare, Some(String::new())), "{ending:?}");
        }
        assert!(read(LineEnd::Strict, "a\r\r\n.\r\n").1);
        assert!(read(LineEnd::Strict, "a\rb\r\n.\r\n").1);
        assert!(read(LineEnd::Strict, "a\nb\r\n.\r\n").1);
    }

    #[test]
    fn a_typed_message_is_stored_with_crlf() {
        assert_eq!(
            read(LineEnd::Typed, "Hello\n..\n\n.x\n.\nQUIT\n"),
            ("Hello\r\n.\r\n\r\nx\r\n".into(), false, Some("QUIT\n".into()))
        );
        assert_eq!(read(LineEnd::Typed, ".\n"), (String::new(), false, Some(String::new())));
        for ending in ["\r\n.\r\n", "\n.\r\n", "\r.\r", "\r.\n"] {
            let (_, bare, rest) = read(LineEnd::Typed, &format!("Hi{ending}x\n"));
            assert!(bare && rest.is_none(), "{ending:?}");
        }
    }

    #[test]
    fn a_bare_line_end_is_noticed_without_dots_too() {
        for (message, is_bare, is_inside_line) in [
            ("", false, false),
            ("a\r\nb\r\n", false, false),
            ("a\r\nb", false, true),
            ("a\nb\r\n", true, false),
            ("\n", true, false),
            ("a\rb\r\n", true, false),
            ("a\r\r\n", true, false),
            ("a\r", true, true),
            (".\r\n.\r\n", false, false),
        ] {
            for step in 1..=message.len().max(1) {
                let mut lines = LineCheck::default();
                message.as_bytes().chunks(step).for_each(|octets| lines.read(octets));
                assert_eq!(
                    (lines.found_bare_line_end(true), lines.is_inside_line()),
                    (is_bare, is_inside_line),
                    "{message:?}"
                );
            }
        }
    }

    proptest! {
        #[test]
        fn every_chunking_reads_the_same(
            wire in proptest::collection::vec(proptest::sample::select(b"ab.\r\n".to_vec()), 0..60),
            chunk in 1..20usize,
            typed in any::<bool>(),
        ) {
            let line_end = if typed { LineEnd::Typed } else { LineEnd::Strict };
            let whole = read_in_chunks(line_end, &wire, usize::MAX);
            prop_assert_eq!(&read_in_chunks(line_end, &wire, chunk), &whole);
            // The one end there is, said a second way.
            let end: &[u8] = if typed { b"\n.\n" } else { b"\r\n.\r\n" };
            let framed = [&end[..end.len() - if typed { 2 } else { 3 }], &wire].concat();
            let expected = framed.windows(end.len()).position(|window| window == end)
                .map(|at| framed[at + end.len()..].to_vec());
            prop_assert_eq!(&whole.2, &expected);
        }

        #[test]
        fn what_is_written_is_read(
            lines in proptest::collection::vec("[.a-c]{0,4}", 0..12),
            chunk in 1..9usize,
        ) {
            let message: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let (mut writer, mut wire) = (DataWriter::new(), BytesMut::new());
            message.as_bytes().chunks(chunk).for_each(|content| writer.write(content, &mut wire));
            writer.finish(&mut wire);
            prop_assert_eq!(
                read_in_chunks(LineEnd::Strict, &wire, chunk),
                (message.into_bytes(), false, Some(Vec::new()))
            );
        }
    }
}
