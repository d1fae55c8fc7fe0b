//! A message's header (RFC 5322 §2.1, §2.2): whether there is one, where it ends, and which fields of the trace it has.

use memchr::memchr;

/// The longest name that is looked for.
const NAME_OCTETS_MAX: usize = b"message-id".len();

/// Reads a message's header as its octets come, in any pieces, and keeps none of it.
///
/// Lines end in CRLF. A message that came with BODY=BINARYMIME may have an LF alone, which ends a line too, since most
/// readers see it that way; a CR alone is an octet like others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scan {
    place: Place,
    /// The first octets of the line's name, in lower case.
    name: [u8; NAME_OCTETS_MAX],
    /// How many octets the line's name has, even if they are too many to be kept.
    name_octets: usize,
    has_field: bool,
    received: usize,
    has_date: bool,
    has_message_id: bool,
    octets: u64,
}

/// What stands before the next octet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Place {
    /// Nothing, or a line's end.
    #[default]
    LineStart,
    /// A CR at the start of a line.
    Cr,
    /// What may be the name of a field.
    Name,
    /// A name, and the blanks behind it that RFC 5322 §4.5 knows of.
    AfterName,
    /// The part of a line that doesn't matter.
    Line,
    /// The empty line that ends the header.
    Over,
    /// A first line that is no field: there is no header.
    Text,
}

impl Scan {
    /// Looks at the next octets of the message. Behind the header there is nothing to look at.
    pub fn read(&mut self, octets: &[u8]) {
        let mut at = 0;
        while let Some(&octet) = octets.get(at) {
            self.place = match (self.place, octet) {
                (Place::Over | Place::Text, _) => break,
                (Place::Line, _) => match memchr(b'\n', &octets[at..]) {
                    Some(before) => {
                        at += before;
                        Place::LineStart
                    }
                    None => {
                        at = octets.len() - 1;
                        Place::Line
                    }
                },
                (Place::LineStart | Place::Cr, b'\n') => Place::Over,
                (Place::LineStart, b'\r') => Place::Cr,
                (Place::LineStart, b'!'..=b'9' | b';'..=b'~') => {
                    self.name_octets = 0;
                    self.read_name(octet)
                }
                (Place::Name, b'!'..=b'9' | b';'..=b'~') => self.read_name(octet),
                (Place::Name | Place::AfterName, b' ' | b'\t') => Place::AfterName,
                (Place::Name | Place::AfterName, b':') => self.end_name(),
                _ if !self.has_field => Place::Text,
                (_, b'\n') => Place::LineStart,
                // A folded line, or one that is no field and yet among fields.
                _ => Place::Line,
            };
            at += 1;
        }
        self.octets += at as u64;
    }

    fn read_name(&mut self, octet: u8) -> Place {
        if let Some(place) = self.name.get_mut(self.name_octets) {
            *place = octet.to_ascii_lowercase();
        }
        self.name_octets = self.name_octets.saturating_add(1);
        Place::Name
    }

    fn end_name(&mut self) -> Place {
        self.has_field = true;
        match self.name.get(..self.name_octets) {
            Some(b"received") => self.received += 1,
            Some(b"date") => self.has_date = true,
            Some(b"message-id") => self.has_message_id = true,
            _ => {}
        }
        Place::Line
    }

    /// Whether the message, should it end here, has no header: one that is put before it must end in an empty line.
    pub fn is_text(&self) -> bool {
        match self.place {
            Place::Text => true,
            Place::Name | Place::AfterName => !self.has_field,
            Place::LineStart | Place::Cr | Place::Line | Place::Over => false,
        }
    }

    /// How many Received fields have come: through how many hands the message has gone (RFC 5321 §6.3).
    pub fn received(&self) -> usize {
        self.received
    }

    /// Whether a Date field has come.
    pub fn has_date(&self) -> bool {
        self.has_date
    }

    /// Whether a Message-ID field has come.
    pub fn has_message_id(&self) -> bool {
        self.has_message_id
    }

    /// The octets of the header with the empty line that ends it, once that has come. Text has no header.
    pub fn header_octets(&self) -> Option<u64> {
        (self.place == Place::Over).then_some(self.octets)
    }
}

/// The name of the field that a line begins, without the blanks before its colon (RFC 5322 §3.6.8, §4.5); `None` for
/// any other line.
pub fn field_name(line: &[u8]) -> Option<&[u8]> {
    let name = line[..memchr(b':', line)?].trim_ascii_end();
    (!name.is_empty() && name.iter().all(u8::is_ascii_graphic)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scan(message: &[u8], step: usize) -> Scan {
        let mut scan = Scan::default();
        message.chunks(step.max(1)).for_each(|octets| scan.read(octets));
        scan
    }

    /// Whole and in all other steps.
    fn scan_all(message: &str) -> Scan {
        let whole = scan(message.as_bytes(), message.len());
        for step in 1..=message.len() {
            assert_eq!(scan(message.as_bytes(), step), whole, "{message:?}");
        }
        whole
    }

    #[test]
    fn a_header_is_told_from_text() {
        for (message, is_text) in [
            ("", false),
            ("\r", false),
            ("\r\nHello\r\n", false),
            ("\nHello\r\n", false),
            ("Subject: hello\r\n", false),
            ("Subject :hello\r\n", false),
            ("X-Empty:\r\n", false),
            ("Subject: hello\r\nHello", false),
            ("Hello", true),
            ("Hello both\r\n", true),
            ("Hello\r\n", true),
            ("Hello \r\nSubject: hello\r\n", true),
            ("Hello\nSubject: hello\n", true),
            ("From alice Tue Nov 24 16:00:00 2026\r\n", true),
            (": hello\r\n", true),
            (" Subject: hello\r\n", true),
            ("\rSubject: hello\r\n", true),
            ("Grüße: hello\r\n", true),
        ] {
            assert_eq!(scan_all(message).is_text(), is_text, "{message:?}");
        }
    }

    #[test]
    fn received_fields_are_counted() {
        for (message, received) in [
            ("Received: a\r\n", 1),
            ("Received:", 1),
            ("RECEIVED \t: a\r\nreceived:b\r\n\r\n", 2),
            ("Received: a\r\n Received: b\r\n\tReceived: c\r\nReceived: d\r\n\r\nReceived: e\r\n", 2),
            ("Received: a\nReceived: b\n\nReceived: c\n", 2),
            ("X-Received: a\r\nReceived-SPF: b\r\nReceive: c\r\nX: Received: d\r\n\r\n", 0),
            ("X: a\rReceived: b\r\n\rReceived: c\r\nReceived: d\r\n", 1),
            ("X: a\r\nno field\r\n: none\r\nReceived\r\nReceived x: y\r\nReceived: a\r\n", 1),
            ("X: a\nname\nReceived: a\nname \nReceived: b\n", 2),
            ("\r\nReceived: a\r\n", 0),
            ("text\r\nReceived: a\r\n", 0),
        ] {
            assert_eq!(scan_all(message).received(), received, "{message:?}");
        }
    }

    #[test]
    fn date_and_message_id_are_noticed() {
        for (message, has_date, has_message_id) in [
            ("date: x\r\nMessage-Id: y\r\n\r\n", true, true),
            ("Resent-Date: x\r\nMessage-ID :y\r\n\r\nDate: x\r\n", false, true),
            ("Dates: x\r\nDate : y\r\nMessage-IDs: z\r\n\r\nMessage-ID: y\r\n", true, false),
            ("Subject: a\r\n Date: x\r\n", false, false),
        ] {
            let scan = scan_all(message);
            assert_eq!((scan.has_date(), scan.has_message_id()), (has_date, has_message_id), "{message:?}");
        }
    }

    #[test]
    fn the_header_ends_in_an_empty_line() {
        for (message, octets) in [
            ("Subject: a\r\n\r\nb\r\n\r\n", Some(14)),
            ("Subject: a\r\n b\r\n\r\n", Some(18)),
            ("Subject: a\n\nb", Some(12)),
            ("\r\n", Some(2)),
            ("Subject: a\r\n\r", None),
            ("Subject: a\r\n\r\r\n", None),
            ("Subject: a\r\n", None),
            ("Hello\r\n\r\n", None),
            ("", None),
        ] {
            assert_eq!(scan_all(message).header_octets(), octets, "{message:?}");
        }
    }

    #[test]
    fn a_field_has_a_name_and_a_colon() {
        for (line, name) in [("Subject: hi", "Subject"), ("X-Y:", "X-Y"), ("To : a@x", "To"), ("a:b:c", "a")] {
            assert_eq!(field_name(line.as_bytes()), Some(name.as_bytes()), "{line}");
        }
        for line in ["", ":", ": x", "Dear all: hi", " To: a@x", "text", "Gr\u{fc}\u{df}e: x", "\r\n"] {
            assert_eq!(field_name(line.as_bytes()), None, "{line}");
        }
    }

    proptest! {
        #[test]
        fn every_split_is_read_the_same(
            pieces in proptest::collection::vec("(Received|date|Message-ID|[a :\r\n]|\r\n|\r\n\r\n){0,3}", 0..16),
        ) {
            let message = pieces.concat();
            let mut split = Scan::default();
            pieces.iter().for_each(|piece| split.read(piece.as_bytes()));
            prop_assert_eq!(&split, &scan(message.as_bytes(), message.len()));
            // The end, said a second way.
            let end = message.match_indices('\n').map(|(at, _)| at + 1)
                .find(|&at| [1, 2].iter().any(|&line_end| {
                    at >= line_end
                        && ["\n", "\r\n"].contains(&&message[at - line_end..at])
                        && (at == line_end || message[..at - line_end].ends_with('\n'))
                }));
            if !split.is_text() {
                prop_assert_eq!(split.header_octets(), end.map(|end| end as u64));
            }
        }
    }
}
