//! Addresses as RFC 5321 §4.1.2 and §4.1.3 write them.
//!
//! An [`Address`] holds the decoded local part, so that all quoted forms of one mailbox are equal, and prints it with the
//! least quoting possible. Domains are case-insensitive (§2.4) and kept in lower case. A local part keeps the case it came
//! with; [`Address::key`] is what mailboxes are looked up by.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use thiserror::Error;

/// Longest local part, in octets (RFC 5321 §4.5.3.1.1).
pub const LOCAL_PART_OCTETS_MAX: usize = 64;
/// Longest domain, in octets (RFC 5321 §4.5.3.1.2).
pub const DOMAIN_OCTETS_MAX: usize = 255;

/// Why a text is no address. The message is fit to be shown to the peer that sent it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[allow(missing_docs, reason = "the message of each variant says it")]
pub enum AddressError {
    #[error("Path is longer than {} octets", crate::path::PATH_OCTETS_MAX)]
    PathTooLong,
    #[error("Local part is longer than {LOCAL_PART_OCTETS_MAX} octets")]
    LocalPartTooLong,
    #[error("Domain is longer than {DOMAIN_OCTETS_MAX} octets")]
    DomainTooLong,
    #[error("Address has no domain")]
    NoDomain,
    #[error("Bad local part")]
    LocalPart,
    #[error("Bad domain")]
    Domain,
    #[error("Bad path")]
    Path,
}

/// A mailbox's address: `local-part@domain` (RFC 5321 §4.1.2, RFC 6531 §3.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    local: LocalPart,
    domain: Domain,
}

impl Address {
    /// Puts an address together.
    pub fn new(local: LocalPart, domain: Domain) -> Self {
        Self { local, domain }
    }

    /// The address that a client gets for its descriptor `number`.
    pub fn numbered(number: u32, domain: &Domain) -> Self {
        Self::new(LocalPart(number.to_string()), domain.clone())
    }

    /// The operator's address, which every domain has (RFC 5321 §4.5.1).
    pub fn postmaster(domain: &Domain) -> Self {
        Self::new(LocalPart("postmaster".to_owned()), domain.clone())
    }

    /// The number, if this is a descriptor's address.
    pub fn number(&self) -> Option<u32> {
        // Only as a number is printed: 007 is none.
        self.local.0.parse().ok().filter(|number: &u32| number.to_string() == self.local.0)
    }

    /// What stands before the `@`.
    pub fn local_part(&self) -> &LocalPart {
        &self.local
    }

    /// What stands behind the `@`.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The address without its `+detail` (RFC 5233 §2).
    pub fn base(&self) -> Self {
        match self.local.0.split_once('+') {
            Some((user, _)) if !user.is_empty() => Self::new(LocalPart(user.to_owned()), self.domain.clone()),
            _ => self.clone(),
        }
    }

    /// What the address's mailbox is looked up by: no detail, lower case. Two addresses with one key are one mailbox.
    pub fn key(&self) -> String {
        let Self { local, domain } = self.base();
        format!("{}@{domain}", local.0.to_lowercase())
    }

    /// Whether it can be said without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.local.0.is_ascii() && self.domain.0.is_ascii()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain)
    }
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (address, rest) = mailbox(text, |_| false)?;
        if rest.is_empty() { Ok(address) } else { Err(AddressError::Domain) }
    }
}

/// The part of an address before the `@`, decoded: never empty, no control characters, at most 64 octets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalPart(String);

impl LocalPart {
    /// The text without any quoting.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is digits alone: such addresses belong to descriptors.
    pub fn is_number(&self) -> bool {
        self.0.bytes().all(|b| b.is_ascii_digit())
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

/// A domain name or an address literal such as `[192.0.2.1]`, in lower case, at most 255 octets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain(String);

impl Domain {
    /// The text, a literal with its brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Domain {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        // Lower case first: it can be longer.
        let text = text.to_lowercase();
        if text.len() > DOMAIN_OCTETS_MAX {
            return Err(AddressError::DomainTooLong);
        }
        let valid = match text.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
            Some(literal) => is_address_literal(literal),
            None => text.split('.').all(is_label),
        };
        if valid { Ok(Self(text)) } else { Err(AddressError::Domain) }
    }
}

/// `local-part@domain`, the domain reaching to the first character that `ends` it.
pub(crate) fn mailbox(text: &str, ends: impl Fn(char) -> bool) -> Result<(Address, &str), AddressError> {
    let (local, rest) = local_part(text)?;
    let rest = rest.strip_prefix('@').ok_or(AddressError::NoDomain)?;
    let (domain, rest) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
    Ok((Address::new(local, domain.parse()?), rest))
}

fn local_part(text: &str) -> Result<(LocalPart, &str), AddressError> {
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
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || is_utf8_non_ascii(c)
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || is_utf8_non_ascii(c))
}

fn is_utf8_non_ascii(c: char) -> bool {
    !c.is_ascii() && !c.is_control()
}

/// RFC 5321 §4.1.3, without the brackets.
fn is_address_literal(text: &str) -> bool {
    match text.split_once(':') {
        None => text.parse::<Ipv4Addr>().is_ok(),
        Some((tag, address)) if tag.eq_ignore_ascii_case("IPv6") => address.parse::<Ipv6Addr>().is_ok(),
        Some((tag, content)) => {
            is_label(tag)
                && tag.is_ascii()
                && !content.is_empty()
                && content.bytes().all(|b| matches!(b, 33..=90 | 94..=126))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn one_mailbox_has_one_key() {
        for text in ["alice@example.org", "ALICE@EXAMPLE.org", "alice+lists@example.org", "\"alice\"@example.org"] {
            assert_eq!(text.parse::<Address>().unwrap().key(), "alice@example.org");
        }
        assert_eq!("7@example.org".parse::<Address>().unwrap().number(), Some(7));
        assert_eq!("007@example.org".parse::<Address>().unwrap().number(), None);
        assert_eq!("+x@example.org".parse::<Address>().unwrap().key(), "+x@example.org");
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same(local in "[ -~ä-ö]{1,30}", domain in "[a-z0-9]{1,9}(\\.[a-z0-9]{1,9}){0,3}") {
            let address = Address::new(LocalPart(local), Domain(domain));
            prop_assert_eq!(address.to_string().parse::<Address>(), Ok(address));
        }
    }
}
