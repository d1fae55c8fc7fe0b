//! Domains: names (RFC 5321 §2.3.5, RFC 6531 §3.3) and address literals (RFC 5321 §4.1.3).
//!
//! A name has one form here, whatever it was written in: lower case and ASCII, with A-labels such as `xn--bcher-kva` where
//! U-labels such as `bücher` stood (RFC 5890 §2.3.2.1). Between the two stands UTS #46, without its transitional mappings.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

use super::AddressError;

/// Longest domain, in octets, its labels as A-labels (RFC 5321 §4.5.3.1.2).
pub const DOMAIN_OCTETS_MAX: usize = 255;
/// Longest label of a domain, in octets, as an A-label (RFC 1035 §2.3.4).
pub const LABEL_OCTETS_MAX: usize = 63;
/// Longest text that is looked at: UTF-8 has at most four octets where the A-label has one or more.
const TEXT_OCTETS_MAX: usize = 4 * DOMAIN_OCTETS_MAX;

/// A domain name or an address literal such as `[192.0.2.1]`: ASCII, in lower case, at most 255 octets. U-labels are kept as
/// A-labels, so that both forms of a name are equal.
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
        if text.len() > TEXT_OCTETS_MAX {
            return Err(AddressError::DomainTooLong);
        }
        let is_literal = text.starts_with('[');
        let is_plain = text.is_ascii() && !text.split('.').any(is_a_label);
        let domain = if is_literal || is_plain { text.to_ascii_lowercase() } else { with_a_labels(text)? };
        if domain.len() > DOMAIN_OCTETS_MAX {
            return Err(AddressError::DomainTooLong);
        }
        let valid = match domain.strip_prefix('[').and_then(|t| t.strip_suffix(']')) {
            Some(literal) => is_address_literal(literal),
            None => domain.split('.').all(is_label),
        };
        if valid { Ok(Self(domain)) } else { Err(AddressError::Domain) }
    }
}

fn is_a_label(label: &str) -> bool {
    label.get(..4).is_some_and(|prefix| prefix.eq_ignore_ascii_case("xn--"))
}

/// Refuses a name with an A-label that stands for no U-label: no such name is registered (RFC 5891 §4.4), and one that reads
/// the same to a person as an honest one could be.
fn with_a_labels(text: &str) -> Result<String, AddressError> {
    Uts46::new()
        .to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Ignore)
        .map(Into::into)
        .map_err(|_| AddressError::Domain)
}

fn is_label(label: &str) -> bool {
    (1..=LABEL_OCTETS_MAX).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

/// RFC 5321 §4.1.3, without the brackets.
fn is_address_literal(text: &str) -> bool {
    match text.split_once(':') {
        None => text.parse::<Ipv4Addr>().is_ok(),
        Some((tag, address)) if tag.eq_ignore_ascii_case("IPv6") => address.parse::<Ipv6Addr>().is_ok(),
        Some((tag, content)) => {
            is_label(tag) && !content.is_empty() && content.bytes().all(|b| matches!(b, 33..=90 | 94..=126))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kept(text: &str) -> String {
        text.parse::<Domain>().map_or_else(|error| error.to_string(), |domain| domain.to_string())
    }

    #[test]
    fn all_forms_of_a_name_are_one() {
        for (text, name) in [
            ("Example.ORG", "example.org"),
            ("bücher.example", "xn--bcher-kva.example"),
            ("bu\u{308}cher.example", "xn--bcher-kva.example"),
            ("BÜCHER.example", "xn--bcher-kva.example"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("XN--BCHER-KVA.EXAMPLE", "xn--bcher-kva.example"),
            ("xn--BCHER-kva.bücher.EXAMPLE", "xn--bcher-kva.xn--bcher-kva.example"),
            // Not transitional: these are letters of their own, not "ss" and "σ".
            ("straße.example", "xn--strae-oqa.example"),
            ("strasse.example", "strasse.example"),
            ("βόλος.example", "xn--nxasmm1c.example"),
            ("例え。テスト", "xn--r8jz45g.xn--zckzah"),
            ("ｅｘａｍｐｌｅ.org", "example.org"),
            ("exam\u{AD}ple.org", "example.org"),
            ("אבג.example", "xn--4dbcd.example"),
            ("😀.example", "xn--e28h.example"),
            ("ab--cd.example", "ab--cd.example"),
            ("[192.0.2.1]", "[192.0.2.1]"),
            ("[IPv6:2001:DB8::1]", "[ipv6:2001:db8::1]"),
        ] {
            assert_eq!(kept(text), name, "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "",
            ".",
            "example.org.",
            "a..b",
            "a_b.example",
            "-a.example",
            "ü-.example",
            "a b",
            // Stand for no U-label: nothing, plain ASCII, a capital, two characters for one, an override, no punycode.
            "xn--.example",
            "xn--abc-.example",
            "xn--bcher-2pa.example",
            "xn--u-ccb.example",
            "xn--bcx-hoa4401b.example",
            "xn--\u{FC}.example",
            "xn--99999999.example",
            "bü_cher.example",
            "bü\u{202E}cher.example",
            "bü＠cher.example",
            "\u{AD}",
            "a.\u{301}b",
            // A label that is written from both ends (RFC 5893 §2).
            "אa.example",
            "[192.0.2.1",
            "[١.0.2.1]",
            "［192.0.2.1］",
            "[x-ü:a]",
        ] {
            assert_eq!(text.parse::<Domain>(), Err(AddressError::Domain), "{text}");
        }
    }

    #[test]
    fn lengths_are_those_of_the_a_labels() {
        let label = |n| "x".repeat(n);
        assert_eq!(kept(&label(63)), label(63));
        assert_eq!(kept(&label(64)), "Bad domain");
        assert_eq!(kept(&format!("ü{}", label(55))).len(), 63);
        assert_eq!(kept(&format!("ü{}", label(56))), "Bad domain");
        let longest = [label(63), label(63), label(63), label(63)].join(".");
        assert_eq!(kept(&longest), longest);
        assert_eq!(kept(&format!("{longest}.x")), "Domain is longer than 255 octets");
        assert_eq!(kept(&"ü.".repeat(40)), "Domain is longer than 255 octets");
        assert_eq!(kept(&"ü".repeat(600)), "Domain is longer than 255 octets");
    }

    proptest! {
        #[test]
        fn what_is_kept_is_ascii_and_parses_to_itself(text in "([a-zß-öĀ-ſα-ωа-я0-9İ😀-]{1,12}|xn--[a-z0-9-]{1,9})(\\.[a-zA-Z]{1,5})?|\\PC{1,12}") {
            if let Ok(domain) = text.parse::<Domain>() {
                prop_assert!(domain.as_str().is_ascii());
                prop_assert_eq!(domain.as_str().to_ascii_lowercase(), domain.as_str());
                prop_assert_eq!(domain.to_string().parse::<Domain>(), Ok(domain));
            }
        }
    }
}
