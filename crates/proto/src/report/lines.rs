//! Lines of a report. Whatever is written, no line is ended but by the writer, and none is too long.

/// Where lines are folded if they can be, in octets (RFC 5322 §2.1.1).
const LINE_OCTETS_WANTED: usize = 78;
/// Longest word that is not broken, in octets: with what stands before it, it fits a line of 998 (RFC 5322 §2.1.1).
const WORD_OCTETS_MAX: usize = 900;

/// Lines in the making.
#[derive(Debug)]
pub(super) struct Lines {
    text: String,
    utf8: bool,
}

impl Lines {
    /// No lines. All but ASCII gets a `?` in its place, unless they are UTF-8.
    pub(super) fn new(utf8: bool) -> Self {
        Self { text: String::new(), utf8 }
    }

    /// A header field, folded (RFC 5322 §2.2.3).
    pub(super) fn field(&mut self, name: &str, value: &str) {
        self.fold(&format!("{name}: "), value, " ");
    }

    /// Lines for people.
    pub(super) fn paragraph(&mut self, text: &str) {
        self.fold("", text, "");
    }

    /// Lines for people that stand back.
    pub(super) fn indented(&mut self, text: &str) {
        self.fold("    ", text, "    ");
    }

    /// An empty line.
    pub(super) fn empty(&mut self) {
        self.end("");
    }

    /// All of it.
    pub(super) fn finish(self) -> Vec<u8> {
        self.text.into_bytes()
    }

    /// Only spaces are turned into line ends, and never so that a line of spaces comes to be: unfolded, the text is the same.
    fn fold(&mut self, head: &str, text: &str, indent: &str) {
        self.text.push_str(head);
        let mut column = head.len();
        let text: String = text.chars().map(|c| self.harmless(c)).collect();
        for (n, word) in text.split(' ').enumerate() {
            if n > 0 && column + 1 + word.len() > LINE_OCTETS_WANTED && !word.is_empty() {
                self.end(indent);
                column = indent.len();
            } else if n > 0 {
                self.text.push(' ');
                column += 1;
            }
            column += self.word(word, indent);
        }
        self.end("");
    }

    fn harmless(&self, c: char) -> char {
        match c {
            _ if c.is_control() => ' ',
            _ if c.is_ascii() || self.utf8 => c,
            _ => '?',
        }
    }

    /// Writes it, broken if no line holds it; says how long the last piece is.
    fn word(&mut self, mut word: &str, indent: &str) -> usize {
        while word.len() > WORD_OCTETS_MAX {
            let (piece, rest) = word.split_at(word.floor_char_boundary(WORD_OCTETS_MAX));
            self.text.push_str(piece);
            self.end(indent);
            word = rest;
        }
        self.text.push_str(word);
        word.len()
    }

    fn end(&mut self, indent: &str) {
        self.text.push_str("\r\n");
        self.text.push_str(indent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn no_text_ends_a_line() {
        let mut lines = Lines::new(false);
        lines.field("To", "a\r\nBcc: b\n\nc\u{85}ü");
        assert_eq!(lines.finish(), b"To: a  Bcc: b  c ?\r\n");
    }

    proptest! {
        #[test]
        fn what_is_folded_unfolds_to_the_same(value in "[ -~ü€😀]{0,300}|([a-z]{1,90} {0,3}){0,30}", utf8: bool) {
            let mut lines = Lines::new(utf8);
            lines.field("Name", &value);
            let text = String::from_utf8(lines.finish()).unwrap();
            let shown = if utf8 { value } else { value.replace(|c: char| !c.is_ascii(), "?") };
            prop_assert_eq!(text.replace("\r\n ", " "), format!("Name: {shown}\r\n"));
            for line in text.strip_suffix("\r\n").unwrap().split("\r\n") {
                prop_assert!(!line.trim_matches(' ').is_empty());
                let unbroken = line.trim_start_matches(' ').split_once(' ').is_none_or(|(_, rest)| rest.trim_matches(' ').is_empty());
                prop_assert!(line.trim_end_matches(' ').len() <= LINE_OCTETS_WANTED || unbroken || line.starts_with("Name:"));
            }
        }

        #[test]
        fn no_line_is_too_long(value in "[a-zü€😀]{0,3000}( [a-zü€😀]{0,3000})?") {
            let mut lines = Lines::new(true);
            lines.field("Diagnostic-Code", &value);
            let text = String::from_utf8(lines.finish()).unwrap();
            prop_assert!(text.split("\r\n").all(|line| line.len() <= 998));
            prop_assert_eq!(text.replace("\r\n ", "").replace(' ', ""), format!("Diagnostic-Code:{}\r\n", value.replace(' ', "")));
        }
    }
}
