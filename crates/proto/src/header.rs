//! How a message begins (RFC 5322 §2.1): with its header or, from people who type, with its text.

/// What is known of a message's first line, whose octets may come in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Beginning {
    /// Nothing has come.
    #[default]
    Start,
    /// It may be the name of a header field.
    Name,
    /// It was one, and the spaces behind it that RFC 5322 §4.5 knows of.
    AfterName,
    /// A header field, or the empty line of a header without any.
    Header,
    /// Something else.
    Text,
}

impl Beginning {
    /// Looks at the next octets of the message.
    pub fn read(&mut self, octets: &[u8]) {
        for octet in octets {
            *self = match (*self, octet) {
                (Self::Header | Self::Text, _) => return,
                (Self::Start, b'\r') | (Self::Name | Self::AfterName, b':') => Self::Header,
                (Self::Name | Self::AfterName, b' ' | b'\t') => Self::AfterName,
                (Self::Start | Self::Name, 33..=57 | 59..=126) => Self::Name,
                _ => Self::Text,
            };
        }
    }

    /// Whether the message has no header: one that is put before it must end in an empty line.
    pub fn is_text(self) -> bool {
        self == Self::Text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_told_from_text() {
        for (message, is_text) in [
            ("", false),
            ("\r\nHello\r\n", false),
            ("Subject: hello\r\n", false),
            ("Subject :hello\r\n", false),
            ("X-Empty:\r\n", false),
            ("Hello both\r\n", true),
            ("Hello\r\n", true),
            ("From alice Tue Nov 24 16:00:00 2026\r\n", true),
            (": hello\r\n", true),
            (" Subject: hello\r\n", true),
            ("Grüße: hello\r\n", true),
        ] {
            for step in 1..=message.len().max(1) {
                let mut beginning = Beginning::default();
                message.as_bytes().chunks(step).for_each(|octets| beginning.read(octets));
                assert_eq!(beginning.is_text(), is_text, "{message:?}");
            }
        }
    }
}
