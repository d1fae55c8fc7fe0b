//! Mail data on the wire: one end, whatever the split, and dots that come back as they went.

use bytes::BytesMut;
use proto::data::{DataReader, DataWriter, LineCheck, LineEnd, Piece};

use super::{parted, segments};

/// What a reader made of some octets.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    message: Vec<u8>,
    has_bare_line_end: bool,
    /// How many octets belong to the message and its end; `None`: it does not end.
    octets: Option<usize>,
}

/// An input is a choice of the line end, a seed for the split, and mail data.
pub fn data_reader(input: &[u8]) {
    let ([typed, seed], wire) = parted(input);
    let line_end = if typed % 2 == 0 { LineEnd::Strict } else { LineEnd::Typed };
    let whole = read(line_end, &[wire]);
    for seed in [0, u64::from(seed) + 1] {
        assert_eq!(read(line_end, &segments(seed, wire)), whole, "the split makes a difference");
    }
    let slowly = read_slowly(line_end, wire);
    assert_eq!((whole.has_bare_line_end, whole.octets), (slowly.has_bare_line_end, slowly.octets), "another end");
    // What is refused may be handed out in any form.
    assert!(whole.has_bare_line_end || whole.message == slowly.message, "{whole:?} is not what RFC 5321 §4.5.2 says");
    come_back(wire, seed);
}

fn read(line_end: LineEnd, segments: &[&[u8]]) -> Read {
    let (mut reader, mut message, mut octets) = (DataReader::new(line_end), Vec::new(), 0);
    for segment in segments {
        let mut rest = *segment;
        loop {
            let (taken, piece) = reader.read(rest);
            octets += taken;
            match piece {
                Some(Piece::Content(range)) => message.extend_from_slice(&rest[range]),
                Some(Piece::TypedLineEnd) => message.extend_from_slice(b"\r\n"),
                Some(Piece::End) => {
                    return Read { message, has_bare_line_end: reader.found_bare_line_end(), octets: Some(octets) };
                }
                None => break assert_eq!(taken, rest.len(), "a reader that wants more has taken all"),
            }
            rest = &rest[taken..];
        }
    }
    Read { message, has_bare_line_end: reader.found_bare_line_end(), octets: None }
}

/// The same, said a second way: the end is looked for first, then the lines are cut. Of a message that does not end it says
/// what the reader has handed out of it so far.
fn read_slowly(line_end: LineEnd, wire: &[u8]) -> Read {
    let end: &[u8] = if line_end == LineEnd::Strict { b"\r\n" } else { b"\n" };
    let octets = octets_to_end(wire, end);
    let text = &wire[..octets.map_or(wire.len(), |octets| octets - ".".len() - end.len())];
    let has_bare_line_end = has_bare_line_end(line_end, text, octets.is_some());
    Read { message: without_dots(text, end), has_bare_line_end, octets }
}

/// The message in this mail data, which ends where the octets end; `None` if it does not, or has line ends that are none.
pub(super) fn message_of(wire: &[u8], end: &[u8]) -> Option<Vec<u8>> {
    let text = wire.strip_suffix([b".", end].concat().as_slice())?;
    (octets_to_end(wire, end) == Some(wire.len())).then(|| without_dots(text, end))
}

/// How many octets belong to a message and its end.
fn octets_to_end(wire: &[u8], end: &[u8]) -> Option<usize> {
    let (framed, last) = ([end, wire].concat(), [end, b".", end].concat());
    framed.windows(last.len()).position(|window| window == last).map(|at| at + last.len() - end.len())
}

fn without_dots(text: &[u8], end: &[u8]) -> Vec<u8> {
    let (mut message, mut rest) = (Vec::new(), text);
    while !rest.is_empty() {
        let line = rest.windows(end.len()).position(|window| window == end).map_or(rest, |at| &rest[..at]);
        let is_whole = line.len() < rest.len();
        rest = &rest[line.len() + if is_whole { end.len() } else { 0 }..];
        message.extend_from_slice(match line.strip_prefix(b".") {
            // It may be the end's, as far as the reader can know.
            Some(b"\r") if !is_whole && end == b"\r\n" => b"",
            Some(line) => line,
            None => line,
        });
        message.extend_from_slice(if is_whole { b"\r\n" } else { b"" });
    }
    message
}

fn has_bare_line_end(line_end: LineEnd, text: &[u8], is_whole: bool) -> bool {
    match line_end {
        LineEnd::Typed => text.contains(&b'\r'),
        LineEnd::Strict => {
            let bare_lf = (0..text.len()).any(|at| text[at] == b'\n' && (at == 0 || text[at - 1] != b'\r'));
            let bare_cr = (0..text.len())
                .any(|at| text[at] == b'\r' && text.get(at + 1).map_or(is_whole, |octet| *octet != b'\n'));
            bare_lf || bare_cr
        }
    }
}

/// What is written with dots is read without them, and a message of lines is the same again.
fn come_back(message: &[u8], seed: u8) {
    let (mut writer, mut wire) = (DataWriter::new(), BytesMut::new());
    segments(u64::from(seed), message).into_iter().for_each(|segment| writer.write(segment, &mut wire));
    writer.finish(&mut wire);
    let mut lines = LineCheck::default();
    segments(u64::from(seed), message).into_iter().for_each(|segment| lines.read(segment));
    let read = read(LineEnd::Strict, &[&wire]);
    assert_eq!(read.octets, Some(wire.len()), "what is written ends where it ends, and nowhere before");
    assert_eq!(read.has_bare_line_end, lines.found_bare_line_end(true), "{message:?}");
    let line_end: &[u8] = if message.is_empty() || message.ends_with(b"\r\n") { b"" } else { b"\r\n" };
    assert_eq!(read.message, [message, line_end].concat());
}
