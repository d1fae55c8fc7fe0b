//! Where the top of a message ends (RFC 1939 §7, TOP): behind its header, the empty line and some lines of its body.

use memchr::{memchr, memchr_iter};

/// Looks for the end of a message's top.
#[derive(Debug)]
pub(super) struct Top {
    /// How many lines of the body belong to it.
    lines_left: u64,
    place: Place,
}

/// What the next octet belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    HeaderLineStart,
    HeaderLine,
    /// A CR at the start of a line of the header.
    HeaderLineStartCr,
    Body,
}

impl Top {
    pub(super) fn new(body_lines: u64) -> Self {
        Self { lines_left: body_lines, place: Place::HeaderLineStart }
    }

    /// How many of the message's next octets belong to the top, and whether it ends with them.
    pub(super) fn take(&mut self, octets: &[u8]) -> (usize, bool) {
        let header_octets = self.take_header(octets);
        if self.place != Place::Body {
            return (octets.len(), false);
        }
        if self.lines_left == 0 {
            return (header_octets, true);
        }
        for lf in memchr_iter(b'\n', &octets[header_octets..]) {
            self.lines_left -= 1;
            if self.lines_left == 0 {
                return (header_octets + lf + 1, true);
            }
        }
        (octets.len(), false)
    }

    /// How many octets belong to the header and the empty line behind it.
    fn take_header(&mut self, octets: &[u8]) -> usize {
        let mut at = 0;
        while self.place != Place::Body && at < octets.len() {
            self.place = match (self.place, octets[at]) {
                (Place::HeaderLineStart | Place::HeaderLineStartCr, b'\n') => Place::Body,
                (Place::HeaderLineStart, b'\r') => Place::HeaderLineStartCr,
                _ => match memchr(b'\n', &octets[at..]) {
                    Some(lf) => {
                        at += lf;
                        Place::HeaderLineStart
                    }
                    None => {
                        at = octets.len() - 1;
                        Place::HeaderLine
                    }
                },
            };
            at += 1;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The top, and whether its end was seen.
    fn top_of(message: &str, lines: u64, chunk_octets: usize) -> (String, bool) {
        let (mut top, mut text) = (Top::new(lines), Vec::new());
        for chunk in message.as_bytes().chunks(chunk_octets) {
            let (taken, is_over) = top.take(chunk);
            text.extend_from_slice(&chunk[..taken]);
            if is_over {
                return (String::from_utf8(text).unwrap(), true);
            }
        }
        (String::from_utf8(text).unwrap(), false)
    }

    #[test]
    fn header_empty_line_and_so_many_lines() {
        let message = "A: b\r\nC: d\r\n\r\none\r\n\r\nthree\r\n";
        for (lines, expected, is_over) in [
            (0, "A: b\r\nC: d\r\n\r\n", true),
            (1, "A: b\r\nC: d\r\n\r\none\r\n", true),
            (2, "A: b\r\nC: d\r\n\r\none\r\n\r\n", true),
            (3, message, true),
            (4, message, false),
            (u64::MAX, message, false),
        ] {
            for chunk_octets in 1..message.len() {
                assert_eq!(top_of(message, lines, chunk_octets), (expected.to_owned(), is_over), "{lines} lines");
            }
        }
    }

    #[test]
    fn a_message_may_lack_header_body_or_both() {
        assert_eq!(top_of("\r\none\r\ntwo\r\n", 1, 1), ("\r\none\r\n".to_owned(), true));
        assert_eq!(top_of("A: b\r\n", 0, 1), ("A: b\r\n".to_owned(), false));
        assert_eq!(top_of("", 5, 1), (String::new(), false));
        assert_eq!(top_of("A: b\r\n\r\nno end", 1, 2), ("A: b\r\n\r\nno end".to_owned(), false));
    }

    proptest! {
        #[test]
        fn any_top_is_what_its_lines_say(
            lines in proptest::collection::vec(proptest::sample::select(vec!["", "a", "b: c", ".", "\r"]), 0..8),
            wanted in 0..5u64,
            chunk_octets in 1..9usize,
        ) {
            let message: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
            let header = lines.iter().position(|line| line.is_empty()).map_or(lines.len(), |at| at + 1);
            let until = lines.len().min(header + wanted as usize);
            let expected: String = lines[..until].iter().map(|line| format!("{line}\r\n")).collect();
            prop_assert_eq!(top_of(&message, wanted, chunk_octets).0, expected);
        }
    }
}
