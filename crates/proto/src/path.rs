//! Paths as MAIL and RCPT have them (RFC 5321 §4.1.1.2, §4.1.1.3): in brackets, with a source route that is ignored, or bare,
//! as people type them.

use std::fmt;
use std::str::FromStr;

use crate::address::mailbox;
use crate::{Address, AddressError, Domain};

/// Longest path with its punctuation, in octets (RFC 5321 §4.5.3.1.3).
pub const PATH_OCTETS_MAX: usize = 256;

/// Where mail comes from: MAIL FROM's path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ReversePath {
    /// `<>`, which reports are sent from (RFC 5321 §4.5.5).
    Null,
    /// A sender's address.
    Address(Address),
}

impl ReversePath {
    /// Takes a path off the front of `text`; the rest is the parameters.
    pub fn parse_prefix(text: &str) -> Result<(Self, &str), AddressError> {
        match text.strip_prefix("<>") {
            Some(rest) => Ok((Self::Null, rest)),
            None => path(text).map(|(address, rest)| (Self::Address(address), rest)),
        }
    }

    /// The sender's address, unless it is the null path.
    pub fn address(&self) -> Option<&Address> {
        match self {
            Self::Null => None,
            Self::Address(address) => Some(address),
        }
    }
}

impl fmt::Display for ReversePath {
    /// The address without brackets, or `<>`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl FromStr for ReversePath {
    type Err = AddressError;

    /// Takes it as it is printed, which may be longer than a path on the wire.
    fn from_str(text: &str) -> Result<Self, AddressError> {
        if text == "<>" { Ok(Self::Null) } else { text.parse().map(Self::Address) }
    }
}

/// Where mail goes: RCPT TO's path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ForwardPath {
    /// `<Postmaster>` without a domain (RFC 5321 §4.5.1).
    Postmaster,
    /// A recipient's address.
    Address(Address),
}

impl ForwardPath {
    /// Takes a path off the front of `text`; the rest is the parameters.
    pub fn parse_prefix(text: &str) -> Result<(Self, &str), AddressError> {
        const POSTMASTER: &str = "<postmaster>";
        match text.split_at_checked(POSTMASTER.len()) {
            Some((head, rest)) if head.eq_ignore_ascii_case(POSTMASTER) => Ok((Self::Postmaster, rest)),
            _ => path(text).map(|(address, rest)| (Self::Address(address), rest)),
        }
    }
}

/// A path in brackets, its source route ignored (RFC 5321 §4.1.1.3, appendix C), or the bare form up to a space.
fn path(text: &str) -> Result<(Address, &str), AddressError> {
    let Some(inner) = text.strip_prefix('<') else {
        let (address, rest) = mailbox(text, |c| c == ' ')?;
        return within_limit(text, address, rest);
    };
    let mailbox_text = match inner.strip_prefix('@') {
        Some(_) => {
            let (route, mailbox_text) = inner.split_once(':').ok_or(AddressError::Path)?;
            for hop in route.split(',') {
                hop.strip_prefix('@').ok_or(AddressError::Path)?.parse::<Domain>()?;
            }
            mailbox_text
        }
        None => inner,
    };
    let (address, rest) = mailbox(mailbox_text, |c| c == '>')?;
    let rest = rest.strip_prefix('>').ok_or(AddressError::Path)?;
    within_limit(text, address, rest)
}

/// The path that was taken off the front of `text`, unless it is too long: as it was written, or as everybody else will get it,
/// in brackets and with A-labels for U-labels.
fn within_limit<'a>(text: &str, address: Address, rest: &'a str) -> Result<(Address, &'a str), AddressError> {
    let written = &text[..text.len() - rest.len()];
    let brackets = if written.starts_with('<') { "" } else { "<>" };
    let is_too_long = written.len() + brackets.len() > PATH_OCTETS_MAX
        || (!written.is_ascii() && address.to_string().len() + "<>".len() > PATH_OCTETS_MAX);
    if is_too_long { Err(AddressError::PathTooLong) } else { Ok((address, rest)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn forward(text: &str) -> String {
        match ForwardPath::parse_prefix(text) {
            Ok((ForwardPath::Address(address), rest)) => format!("{address}|{rest}"),
            Ok((ForwardPath::Postmaster, rest)) => format!("Postmaster|{rest}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn every_form_of_a_path() {
        for (text, meaning) in [
            ("9@mymailserver", "9@mymailserver|"),
            ("9@mymailserver SIZE=3", "9@mymailserver| SIZE=3"),
            ("<alice@Example.ORG> X=Y", "alice@example.org| X=Y"),
            ("<@a.example,@b.example:alice@c.example>", "alice@c.example|"),
            (r#"<"alice"@example.org>"#, "alice@example.org|"),
            (r#"<"a b\"c>"@example.org>"#, r#""a b\"c>"@example.org|"#),
            ("<alice+lists@example.org>", "alice+lists@example.org|"),
            ("<alice@[192.0.2.1]>", "alice@[192.0.2.1]|"),
            ("<alice@[IPv6:2001:db8::1]>", "alice@[ipv6:2001:db8::1]|"),
            ("<jürgen@bücher.example>", "jürgen@xn--bcher-kva.example|"),
            ("<PostMaster>", "Postmaster|"),
            ("<alice>", "Address has no domain"),
            ("<alice@example.org", "Bad path"),
            ("<@a.example alice@c.example>", "Bad path"),
            ("<a..b@example.org>", "Bad local part"),
            (r#"<""@example.org>"#, "Bad local part"),
            ("<alice@-bad.example>", "Bad domain"),
            ("<alice@[300.0.2.1]>", "Bad domain"),
            ("<>", "Bad local part"),
        ] {
            assert_eq!(forward(text), meaning, "{text}");
        }
    }

    #[test]
    fn lengths_have_limits() {
        let long = |n| "x".repeat(n);
        let domain = |last| format!("{}.{}.{}", long(63), long(63), long(last));
        assert_eq!(forward(&format!("<{}@a.example>", long(65))), AddressError::LocalPartTooLong.to_string());
        assert_eq!(forward(&format!("<a@{}>", long(256))), AddressError::DomainTooLong.to_string());
        assert_eq!(forward(&format!("<{}@{}>", long(64), domain(61))), format!("{}@{}|", long(64), domain(61)));
        assert_eq!(forward(&format!("<{}@{}>", long(64), domain(62))), AddressError::PathTooLong.to_string());
        // Without brackets it is no longer: others say it with them.
        assert_eq!(forward(&format!("{}@{}", long(64), domain(61))), format!("{}@{}|", long(64), domain(61)));
        assert_eq!(forward(&format!("{}@{}", long(64), domain(62))), AddressError::PathTooLong.to_string());
    }

    proptest! {
        #[test]
        fn whatever_parses_is_printed_so_that_it_parses_again(text in "<?(@[a-c.,]{1,9}:)?[a-c\"\\\\. +ü]{1,9}@([a-c.\\[\\]-]{1,9}|[\\w.]{1,200}|İ{80,140})>?[ A-C=]{0,5}") {
            if let Ok((ForwardPath::Address(address), rest)) = ForwardPath::parse_prefix(&text) {
                prop_assert!(text.ends_with(rest));
                prop_assert_eq!(address.to_string().parse::<Address>(), Ok(address));
            }
        }

        #[test]
        fn no_input_breaks_the_parser(text in "\\PC{0,300}") {
            let forward = ForwardPath::parse_prefix(&text).map(|(_, rest)| rest.len());
            prop_assert!(forward.is_err() || forward.is_ok_and(|rest| rest < text.len()));
        }
    }
}
