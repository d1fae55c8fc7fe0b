//! What a sender wants to be told of its message's fate (RFC 3461 §4): the parameters of MAIL and RCPT, parsed as strictly as
//! they are written, for both ends of a session.

use std::fmt;
use std::str::FromStr;

use super::xtext;

/// Longest ENVID, in characters as encoded (RFC 3461 §4.4).
pub const ENVELOPE_ID_OCTETS_MAX: usize = 100;
/// Longest ORCPT, in characters as encoded (RFC 3461 §4.2).
pub const ORIGINAL_RECIPIENT_OCTETS_MAX: usize = 500;

/// How much of a message that failed its report gives back (RFC 3461 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Return {
    /// All of it.
    Full,
    /// Its header.
    Headers,
}

/// The text is no value of the parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a value of this parameter")]
pub struct BadParameter;

impl FromStr for Return {
    type Err = BadParameter;

    fn from_str(text: &str) -> Result<Self, BadParameter> {
        match text {
            _ if text.eq_ignore_ascii_case("FULL") => Ok(Self::Full),
            _ if text.eq_ignore_ascii_case("HDRS") => Ok(Self::Headers),
            _ => Err(BadParameter),
        }
    }
}

impl fmt::Display for Return {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "FULL",
            Self::Headers => "HDRS",
        })
    }
}

/// What the sender knows its transaction by (RFC 3461 §4.4): printable ASCII and spaces.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EnvelopeId(String);

impl EnvelopeId {
    /// An identifier, if it is one: not empty, printable ASCII, at most 100 characters when encoded.
    pub fn new(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && is_printable(text) && xtext::encode(text).len() <= ENVELOPE_ID_OCTETS_MAX;
        fits.then(|| Self(text.to_owned()))
    }

    /// The identifier, decoded.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for EnvelopeId {
    type Err = BadParameter;

    /// Takes it as the wire has it.
    fn from_str(text: &str) -> Result<Self, BadParameter> {
        let decoded = Some(text).filter(|text| text.len() <= ENVELOPE_ID_OCTETS_MAX).and_then(xtext::decode);
        decoded.and_then(|text| Self::new(&text)).ok_or(BadParameter)
    }
}

impl fmt::Display for EnvelopeId {
    /// As the wire has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&xtext::encode(&self.0))
    }
}

/// When a recipient's fate is to be told (RFC 3461 §4.1). None of them: never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Notify {
    /// When the message has been delivered.
    pub success: bool,
    /// When it could not be.
    pub failure: bool,
    /// When it takes longer than usual.
    pub delay: bool,
}

impl Notify {
    /// Whatever happens.
    pub const NEVER: Self = Self { success: false, failure: false, delay: false };
}

impl Default for Notify {
    /// What is told where nobody has asked (RFC 3461 §4.1).
    fn default() -> Self {
        Self { success: false, failure: true, delay: true }
    }
}

impl FromStr for Notify {
    type Err = BadParameter;

    fn from_str(text: &str) -> Result<Self, BadParameter> {
        if text.eq_ignore_ascii_case("NEVER") {
            return Ok(Self::NEVER);
        }
        let mut notify = Self::NEVER;
        for word in text.split(',') {
            let wish = match word {
                _ if word.eq_ignore_ascii_case("SUCCESS") => &mut notify.success,
                _ if word.eq_ignore_ascii_case("FAILURE") => &mut notify.failure,
                _ if word.eq_ignore_ascii_case("DELAY") => &mut notify.delay,
                _ => return Err(BadParameter),
            };
            *wish = true;
        }
        Ok(notify)
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wishes = [(self.success, "SUCCESS"), (self.failure, "FAILURE"), (self.delay, "DELAY")];
        let words: Vec<&str> = wishes.into_iter().filter_map(|(wish, word)| wish.then_some(word)).collect();
        f.write_str(if words.is_empty() { "NEVER".to_owned() } else { words.join(",") }.as_str())
    }
}

/// The recipient as the sender knew it (RFC 3461 §4.2; RFC 6533 §3 for `utf-8`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct OriginalRecipient {
    address_type: String,
    address: String,
}

impl OriginalRecipient {
    /// The recipient of this internet address.
    pub fn of_address(address: &crate::Address) -> Self {
        let address_type = if address.is_ascii() { "rfc822" } else { "utf-8" };
        Self { address_type: address_type.to_owned(), address: address.to_string() }
    }

    /// The kind of address, such as `rfc822`; in the letters it was sent in.
    pub fn address_type(&self) -> &str {
        &self.address_type
    }

    /// The address, decoded: printable.
    pub fn address(&self) -> &str {
        &self.address
    }
}

impl FromStr for OriginalRecipient {
    type Err = BadParameter;

    /// Takes it as the wire has it.
    fn from_str(text: &str) -> Result<Self, BadParameter> {
        let (address_type, encoded) = text.split_once(';').ok_or(BadParameter)?;
        let is_atom = !address_type.is_empty() && address_type.bytes().all(|b| b.is_ascii_graphic() && !is_special(b));
        if !is_atom || encoded.is_empty() || text.len() > ORIGINAL_RECIPIENT_OCTETS_MAX {
            return Err(BadParameter);
        }
        let address = if address_type.eq_ignore_ascii_case("utf-8") {
            xtext::decode_utf8(encoded)
        } else {
            xtext::decode(encoded).filter(|address| is_printable(address))
        };
        Ok(Self { address_type: address_type.to_owned(), address: address.ok_or(BadParameter)? })
    }
}

impl fmt::Display for OriginalRecipient {
    /// As the wire has it; in ASCII, whatever the address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let is_utf8 = self.address_type.eq_ignore_ascii_case("utf-8");
        let encoded = if is_utf8 { xtext::encode_utf8(&self.address) } else { xtext::encode(&self.address) };
        write!(f, "{};{encoded}", self.address_type)
    }
}

/// RFC 5322 §3.2.3: what no atom holds.
fn is_special(octet: u8) -> bool {
    br#"()<>[]:;@\,.""#.contains(&octet)
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|b| matches!(b, b' '..=b'~'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_taken_as_they_are_written_and_no_other_way() {
        for (text, printed) in [("NEVER", "NEVER"), ("failure,Success", "SUCCESS,FAILURE"), ("DELAY", "DELAY")] {
            assert_eq!(text.parse::<Notify>().unwrap().to_string(), printed);
        }
        for text in ["", "NEVER,SUCCESS", "SUCCESS,NEVER", "SUCCESS,", ",", "SUCCESS FAILURE", "ALWAYS"] {
            assert_eq!(text.parse::<Notify>(), Err(BadParameter), "{text}");
        }
        for (text, id) in [("QQ314159", "QQ314159"), ("a+20b+2B+3D", "a b+="), ("<1@x>", "<1@x>")] {
            let parsed: EnvelopeId = text.parse().unwrap();
            assert_eq!((parsed.as_str(), parsed.to_string().as_str()), (id, text));
        }
        for text in ["", "a b", "a=b", "a+b", "a+2b", "a+0D+0A", "grün", "a+7F", "a+C3+BC", &"a".repeat(101)] {
            assert_eq!(text.parse::<EnvelopeId>(), Err(BadParameter), "{text}");
        }
        for (text, address_type, address) in [
            ("rfc822;Bob@Example.COM", "rfc822", "Bob@Example.COM"),
            ("rfc822;a+2Bb@example.com", "rfc822", "a+b@example.com"),
            (r"utf-8;j\x{FC}rgen@example.com", "utf-8", "jürgen@example.com"),
            ("utf-8;jürgen@example.com", "utf-8", "jürgen@example.com"),
        ] {
            let parsed: OriginalRecipient = text.parse().unwrap();
            assert_eq!((parsed.address_type(), parsed.address()), (address_type, address));
            assert_eq!(parsed.to_string().parse(), Ok(parsed));
        }
        for text in [
            "",
            "rfc822",
            "rfc822;",
            ";a@b",
            "rf c;a@b",
            "rfc822;a b",
            "rfc822;jürgen@b",
            "rfc822;a+0A",
            "rfc822;+",
            r"utf-8;a\x{A}",
            r"utf-8;a\x{D800}",
            r"utf-8;a\x{}",
            "utf-8;a+2Bb",
            r"utf-8;a\b",
            "rfc822;a+zz",
        ] {
            assert_eq!(text.parse::<OriginalRecipient>(), Err(BadParameter), "{text}");
        }
    }
}
