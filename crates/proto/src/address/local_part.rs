//! Local parts: what stands before the `@` (RFC 5321 §4.1.2, RFC 6531 §3.3), decoded.

use std::fmt;
use std::str::FromStr;

use unicode_normalization::char::is_combining_mark;
use unicode_normalization::{UnicodeNormalization, is_nfkc};

use super::AddressError;

/// Longest local part, in octets (RFC 5321 §4.5.3.1.1).
pub const LOCAL_PART_OCTETS_MAX: usize = 64;

/// The part of an address before the `@`, decoded: never empty, no control characters, at most 64 octets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalPart(String);

impl LocalPart {
    /// The operator's name (RFC 5321 §4.5.1).
    pub(super) fn postmaster() -> Self {
        Self("postmaster".to_owned())
    }

    /// A descriptor's number.
    pub(super) fn numbered(number: u32) -> Self {
        Self(number.to_string())
    }

    /// The text without any quoting.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is digits alone: such addresses belong to descriptors.
    pub fn is_number(&self) -> bool {
        self.0.bytes().all(|b| b.is_ascii_digit())
    }

    /// Whether somebody may take it for a number, in anybody's digits, with spaces or a sign. Mail for a number is for its client
    /// alone: what looks like one is led to nobody else.
    pub fn is_like_number(&self) -> bool {
        let plain: String = self.base().0.nfkc().collect();
        let digits = plain.trim().trim_matches(['+', '-']).trim();
        !digits.is_empty() && digits.chars().all(char::is_numeric)
    }

    /// Whether a user may choose it as a name: letters, digits and accents of any script, and `.`, `-` and `_` between them,
    /// that look like no other name to a person, as far as one character tells. So nothing that can't be seen or turns the
    /// direction of writing, no other form of a character that has a plain one (NFKC), and no number in anybody's digits. Nor may
    /// it begin with `-`: programs that get an address as an argument take that for an option.
    pub fn is_registrable(&self) -> bool {
        is_dot_string(&self.0)
            && !self.0.starts_with('-')
            && is_nfkc(&self.0)
            && self.0.chars().all(is_of_name)
            && !self.0.chars().all(char::is_numeric)
            // An accent needs a letter to stand on.
            && !self.0.split(['.', '-', '_']).any(|word| word.starts_with(is_combining_mark))
    }

    /// It without its `+detail` (RFC 5233 §2).
    pub fn base(&self) -> Self {
        match self.0.split_once('+') {
            Some((user, _)) if !user.is_empty() => Self(user.to_owned()),
            _ => self.clone(),
        }
    }

    /// Equal for two that differ in letter case alone, or in how an accent is written (RFC 6532 §3.1 wants NFC).
    pub(super) fn folded(&self) -> String {
        if self.0.is_ascii() {
            return self.0.to_ascii_lowercase();
        }
        // A small letter can have a composed form where the capital has none.
        self.0.nfc().collect::<String>().to_lowercase().nfc().collect()
    }
}

impl fmt::Display for LocalPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_dot_string(&self.0) {
            return f.write_str(&self.0);
        }
        f.write_str("\"")?;
        for c in self.0.chars() {
            if matches!(c, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{c}")?;
        }
        f.write_str("\"")
    }
}

impl FromStr for LocalPart {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (local, rest) = local_part(text)?;
        if rest.is_empty() { Ok(local) } else { Err(AddressError::LocalPart) }
    }
}

/// Takes a local part off the front of `text`.
pub(super) fn local_part(text: &str) -> Result<(LocalPart, &str), AddressError> {
    let (local, rest) = match text.strip_prefix('"') {
        Some(quoted) => quoted_string(quoted)?,
        None => {
            let (dotted, rest) = text.split_at(text.find(|c| c != '.' && !is_atext(c)).unwrap_or(text.len()));
            if !is_dot_string(dotted) {
                return Err(AddressError::LocalPart);
            }
            (dotted.to_owned(), rest)
        }
    };
    if local.len() > LOCAL_PART_OCTETS_MAX {
        return Err(AddressError::LocalPartTooLong);
    }
    Ok((LocalPart(local), rest))
}

/// The decoded text of a quoted string whose opening quote is gone, and what follows the closing one.
fn quoted_string(text: &str) -> Result<(String, &str), AddressError> {
    let mut decoded = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' if decoded.is_empty() => break,
            '"' => return Ok((decoded, &text[at + 1..])),
            '\\' => match chars.next() {
                Some((_, c @ ' '..='~')) => decoded.push(c),
                _ => break,
            },
            c if c.is_control() => break,
            c => decoded.push(c),
        }
    }
    Err(AddressError::LocalPart)
}

fn is_dot_string(text: &str) -> bool {
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atext))
}

/// RFC 5322 §3.2.3, widened by RFC 6531 §3.3.
fn is_atext(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || (!c.is_ascii() && !c.is_control())
}

fn is_of_name(c: char) -> bool {
    matches!(c, '.' | '-' | '_') || ((c.is_alphanumeric() || is_combining_mark(c)) && !is_invisible(c))
}

/// The letters and marks that nobody sees (Default_Ignorable_Code_Point): a joiner of graphemes, fillers, variation selectors.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{34F}'
            | '\u{115F}'..='\u{1160}'
            | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}'
            | '\u{3164}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FFA0}'
            | '\u{E0000}'..='\u{E0FFF}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_somebody_may_take_for_a_number() {
        for name in ["9", "007", "\"9 \"", "\" 9\"", "+9", "-9", "9+x", "９", "９+9", "٩", "²", "4294967296"] {
            assert!(name.parse::<LocalPart>().unwrap().is_like_number(), "{name}");
        }
        for name in ["a", "9a", "a9", "9.9", "x+9", "\" \"", "+", "+x", "-"] {
            assert!(!name.parse::<LocalPart>().unwrap().is_like_number(), "{name}");
        }
    }

    #[test]
    fn names_that_users_may_choose() {
        for name in [
            "alice",
            "Alice.B-c_d",
            "a1",
            "1a",
            "jürgen",
            "Ελλάς",
            "алиса",
            "愛麗絲",
            "أليس",
            "ทดสอบ",
            "हिन्दी",
            "q\u{323}\u{307}x",
        ] {
            assert!(name.parse::<LocalPart>().unwrap().is_registrable(), "{name}");
        }
        for (name, why) in [
            ("7", "a number"),
            ("٣٤", "a number"),
            ("3٤", "a number"),
            ("\".a\"", "needs quotes"),
            ("\"a b\"", "needs quotes"),
            ("a+b", "a detail"),
            ("-alice", "an option"),
            ("--help", "an option"),
            ("a/b", "a sign"),
            ("a😀", "a picture"),
            ("ju\u{308}rgen", "not NFC"),
            ("ａｌｉｃｅ", "full width"),
            ("ﬁn", "a ligature"),
            ("a²", "another digit"),
            ("al\u{200D}ice", "zero width joiner"),
            ("al\u{200B}ice", "zero width space"),
            ("\u{FEFF}alice", "zero width no-break space"),
            ("al\u{AD}ice", "soft hyphen"),
            ("al\u{202E}eci", "right-to-left override"),
            ("al\u{2066}ice", "an isolate"),
            ("alice\u{34F}", "grapheme joiner"),
            ("alice\u{FE0F}", "variation selector"),
            ("alice\u{3164}", "Hangul filler"),
            ("alice\u{1160}", "Hangul filler"),
            ("alice\u{E0100}", "variation selector"),
            ("\u{301}alice", "an accent on nothing"),
            ("a.\u{301}b", "an accent on a dot"),
            ("a\u{A0}b", "a space"),
            ("a\u{2028}b", "a line end"),
        ] {
            assert!(!name.parse::<LocalPart>().unwrap().is_registrable(), "{name}: {why}");
        }
    }

    #[test]
    fn control_characters_are_in_no_local_part() {
        for text in ["a\u{7F}", "a\u{85}b", "\"a\tb\"", "\"a\r\nb\"", "\"a\\\u{1}\"", "a\0"] {
            assert_eq!(text.parse::<LocalPart>(), Err(AddressError::LocalPart), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_folded_is_one_for_all_forms_and_stays_so(text in "\\PC{1,12}|[Σσς\u{300}-\u{345}İıJǰA-Zßé]{1,9}") {
            let folded = LocalPart(text.clone()).folded();
            prop_assert_eq!(LocalPart(text.nfd().collect()).folded(), folded.as_str());
            prop_assert_eq!(LocalPart(text.nfc().collect()).folded(), folded.as_str());
            prop_assert_eq!(LocalPart(folded.clone()).folded(), folded);
        }
    }
}
