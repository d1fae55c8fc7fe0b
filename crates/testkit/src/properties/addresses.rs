//! Addresses, and what else a peer says of them: what is understood is printed so that it is understood again.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use proto::address::{DOMAIN_OCTETS_MAX, LOCAL_PART_OCTETS_MAX};
use proto::path::PATH_OCTETS_MAX;
use proto::smtp::dsn::{EnvelopeId, Notify, ORIGINAL_RECIPIENT_OCTETS_MAX, OriginalRecipient, Return};
use proto::{Address, Domain, ForwardPath, LocalPart, ReversePath};

/// An input is a text.
pub fn addresses(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Some(domain) = printed_again::<Domain>(&text) {
        assert!(domain.as_str().is_ascii() && domain.as_str().len() <= DOMAIN_OCTETS_MAX);
        assert_eq!(domain.as_str(), domain.as_str().to_ascii_lowercase());
    }
    if let Some(local) = printed_again::<LocalPart>(&text) {
        local_part(&local);
    }
    if let Some(address) = printed_again::<Address>(&text) {
        address_itself(&address);
    }
    printed_again::<ReversePath>(&text);
    printed_again::<Notify>(&text);
    printed_again::<Return>(&text);
    printed_again::<EnvelopeId>(&text);
    if let Ok(original) = text.parse::<OriginalRecipient>() {
        let printed = original.to_string();
        assert!(printed.is_ascii() && !printed.contains([' ', '\r', '\n']), "{printed:?}");
        assert!(printed.len() > ORIGINAL_RECIPIENT_OCTETS_MAX || printed.parse() == Ok(original));
    }
    if let Ok((path, rest)) = ForwardPath::parse_prefix(&text) {
        assert!(text.ends_with(rest) && rest.len() < text.len());
        let in_brackets = match &path {
            ForwardPath::Postmaster => "<Postmaster>".to_owned(),
            ForwardPath::Address(address) => format!("<{address}>"),
        };
        assert!(in_brackets.len() <= PATH_OCTETS_MAX, "longer than it may be said: {in_brackets}");
        assert_eq!(ForwardPath::parse_prefix(&in_brackets), Ok((path, "")));
    }
}

/// What the text means, which printed means the same. Nothing that is printed can end a line.
fn printed_again<T: FromStr + Display + PartialEq + Debug>(text: &str) -> Option<T> {
    let meaning: T = text.parse().ok()?;
    let printed = meaning.to_string();
    assert!(!printed.contains(char::is_control), "a control in {printed:?}");
    assert_eq!(printed.parse().ok().as_ref(), Some(&meaning), "{text:?} is printed {printed:?}");
    Some(meaning)
}

fn local_part(local: &LocalPart) {
    let text = local.as_str();
    assert!((1..=LOCAL_PART_OCTETS_MAX).contains(&text.len()), "{text:?}");
    assert!(!local.is_number() || local.is_like_number(), "a number that does not look like one: {text:?}");
    if local.is_registrable() {
        assert!(!text.contains(['/', '\\', '\'', '"', '+', '@', ' ', '<', '>', '%', '!']), "a name: {text:?}");
        assert!(!text.starts_with('.') && !text.contains(".."), "a name: {text:?}");
        assert!(!local.is_number(), "a name: {text:?}");
    }
}

fn address_itself(address: &Address) {
    let base = address.base();
    assert_eq!(base.base(), base);
    assert_eq!(base.key(), address.key());
    let key: Address = address.key().parse().unwrap_or_else(|_| address.clone());
    assert_eq!(key.key(), address.key(), "a key that is another mailbox's");
    assert!(address.number().is_none() || address.local_part().is_number());
}
