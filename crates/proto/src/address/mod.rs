//! Addresses as RFC 5321 §4.1.2 and §4.1.3 write them.
//!
//! An [`Address`] holds the decoded local part, so that all quoted forms of one mailbox are equal, and prints it with the
//! least quoting possible. Domains are case-insensitive (§2.4) and kept in lower case, and in ASCII: a domain in UTF-8
//! (RFC 6531 §3.3) equals its A-label form. A local part keeps the form it came in; [`Address::key`] is what mailboxes are
//! looked up by.

mod domain;
mod local_part;

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

pub use self::domain::{DOMAIN_OCTETS_MAX, Domain, LABEL_OCTETS_MAX};
pub use self::local_part::{LOCAL_PART_OCTETS_MAX, LocalPart};

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
        Self::new(LocalPart::numbered(number), domain.clone())
    }

    /// The operator's address, which every domain has (RFC 5321 §4.5.1).
    pub fn postmaster(domain: &Domain) -> Self {
        Self::new(LocalPart::postmaster(), domain.clone())
    }

    /// The number, if this is a descriptor's address.
    pub fn number(&self) -> Option<u32> {
        // Only as a number is printed: 007 is none.
        let local = self.local.as_str();
        local.parse().ok().filter(|number: &u32| number.to_string() == local)
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
        Self::new(self.local.base(), self.domain.clone())
    }

    /// What the address's mailbox is looked up by: no detail, lower case, composed characters (NFC). Two addresses with one key
    /// are one mailbox.
    pub fn key(&self) -> String {
        format!("{}@{}", self.local.base().folded(), self.domain)
    }

    /// Whether it can be said without SMTPUTF8, in whatever form it came.
    pub fn is_ascii(&self) -> bool {
        self.local.as_str().is_ascii()
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

/// `local-part@domain`, the domain reaching to the first character that `ends` it.
pub(crate) fn mailbox(text: &str, ends: impl Fn(char) -> bool) -> Result<(Address, &str), AddressError> {
    let (local, rest) = local_part::local_part(text)?;
    let rest = rest.strip_prefix('@').ok_or(AddressError::NoDomain)?;
    let (domain, rest) = rest.split_at(rest.find(ends).unwrap_or(rest.len()));
    Ok((Address::new(local, domain.parse()?), rest))
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

    #[test]
    fn one_name_in_unicode_has_one_key() {
        for (one, other, equal) in [
            ("jürgen@a", "ju\u{308}rgen@a", true),
            ("JÜRGEN@a", "ju\u{308}rgen@a", true),
            ("jürgen+x@a", "ju\u{308}rgen@a", true),
            ("jürgen@bücher.example", "Ju\u{308}RGEN@XN--BCHER-KVA.EXAMPLE", true),
            // No capital with its caron is one character.
            ("J\u{30C}@a", "\u{1F0}@a", true),
            ("\u{212B}@a", "å@a", true),
            ("ΟΔΟΣ@a", "οδος@a", true),
            ("jurgen@a", "jürgen@a", false),
            ("straße@a", "strasse@a", false),
            ("ａ@a", "a@a", false),
        ] {
            let key = |text: &str| text.parse::<Address>().unwrap().key();
            assert_eq!(key(one) == key(other), equal, "{one} {other}");
        }
    }

    #[test]
    fn only_a_local_part_needs_smtputf8() {
        for (text, is_ascii) in [("a@b.example", true), ("a@bücher.example", true), ("ü@b.example", false)] {
            assert_eq!(text.parse::<Address>().unwrap().is_ascii(), is_ascii, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_printed_parses_to_the_same(local in "[ -~ä-ö]{1,30}", domain in "[a-z0-9ä-ö]{1,9}(\\.[a-z0-9]{1,9}){0,3}") {
            let quoted = local.replace('\\', "\\\\").replace('"', "\\\"");
            let address: Address = format!("\"{quoted}\"@{domain}").parse().unwrap();
            prop_assert_eq!(address.local_part().as_str(), local);
            prop_assert_eq!(address.to_string().parse::<Address>(), Ok(address));
        }
    }
}
