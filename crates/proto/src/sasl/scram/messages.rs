//! The four messages (RFC 5802 §5, §7), without the base64 that SASL's profiles put around them.
//!
//! Each is a list of attributes, `letter=value`, parted by commas, some at fixed places and behind them extensions, which are
//! passed over. `m=` stands for an extension that can't be: it is refused wherever it comes.

use std::num::NonZeroU32;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The longest message that is looked at, in octets.
pub const MESSAGE_OCTETS_MAX: usize = 9 << 10;
/// The longest nonce of one side, in octets.
pub const NONCE_OCTETS_MAX: usize = 512;
/// The longest nonce of both sides together, in octets.
const WHOLE_NONCE_OCTETS_MAX: usize = 2 * NONCE_OCTETS_MAX;

/// What the client says of channel bindings (RFC 5802 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BindingFlag<'a> {
    /// `n`: it knows none.
    Unknown,
    /// `y`: it knows some, but the server, it thinks, doesn't.
    Unoffered,
    /// `p=`: it uses that of this name.
    Used(&'a str),
}

/// `gs2-header client-first-message-bare`
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFirst<'a> {
    pub(super) flag: BindingFlag<'a>,
    /// The header as it stands, with the comma behind it.
    pub(super) header: &'a str,
    /// For whom the client acts, if not just for who it logs in as.
    pub(super) on_behalf_of: Option<String>,
    /// The rest as it stands: it is part of what is signed.
    pub(super) bare: &'a str,
    pub(super) user: String,
    pub(super) nonce: &'a str,
}

impl<'a> ClientFirst<'a> {
    pub(super) fn parse(message: &'a str) -> Option<Self> {
        let (flag, rest) = message.split_once(',')?;
        let (authzid, bare) = rest.split_once(',')?;
        let flag = match flag {
            "n" => BindingFlag::Unknown,
            "y" => BindingFlag::Unoffered,
            _ => BindingFlag::Used(flag.strip_prefix("p=").filter(|name| is_binding_name(name))?),
        };
        let on_behalf_of = match authzid {
            "" => None,
            _ => Some(unescaped(authzid.strip_prefix("a=")?)?),
        };
        let mut attributes = bare.split(',');
        let user = unescaped(value(attributes.next()?, 'n')?)?;
        let nonce = nonce(attributes.next()?, NONCE_OCTETS_MAX)?;
        let header = &message[..message.len() - bare.len()];
        are_extensions(attributes).then_some(Self { flag, header, on_behalf_of, bare, user, nonce })
    }
}

/// `r=nonce,s=salt,i=iterations`
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ServerFirst<'a> {
    pub(super) nonce: &'a str,
    pub(super) salt: Vec<u8>,
    pub(super) iterations: NonZeroU32,
}

impl<'a> ServerFirst<'a> {
    pub(super) fn parse(message: &'a str) -> Option<Self> {
        let mut attributes = message.split(',');
        let nonce = nonce(attributes.next()?, WHOLE_NONCE_OCTETS_MAX)?;
        let salt = STANDARD.decode(value(attributes.next()?, 's')?).ok()?;
        let iterations = value(attributes.next()?, 'i')?;
        let is_number = iterations.starts_with(|c| matches!(c, '1'..='9'));
        let iterations = iterations.parse().ok().filter(|_| is_number)?;
        are_extensions(attributes).then_some(Self { nonce, salt, iterations })
    }

    pub(super) fn print(&self) -> String {
        format!("r={},s={},i={}", self.nonce, STANDARD.encode(&self.salt), self.iterations)
    }
}

/// `c=channel-binding,r=nonce,p=proof`
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ClientFinal<'a> {
    /// The header once more, and what binds the channel behind it.
    pub(super) binding: Vec<u8>,
    pub(super) nonce: &'a str,
    /// All but the proof, as it stands: it is part of what is signed.
    pub(super) without_proof: &'a str,
    pub(super) proof: Vec<u8>,
}

impl<'a> ClientFinal<'a> {
    pub(super) fn parse(message: &'a str) -> Option<Self> {
        let (without_proof, proof) = message.rsplit_once(',')?;
        let proof = STANDARD.decode(value(proof, 'p')?).ok()?;
        let mut attributes = without_proof.split(',');
        let binding = STANDARD.decode(value(attributes.next()?, 'c')?).ok()?;
        let nonce = nonce(attributes.next()?, WHOLE_NONCE_OCTETS_MAX)?;
        are_extensions(attributes).then_some(Self { binding, nonce, without_proof, proof })
    }
}

/// The last word.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum ServerFinal {
    /// `v=`: the server's own proof.
    Signature(Vec<u8>),
    /// `e=`: it refuses.
    Refusal,
}

impl ServerFinal {
    pub(super) fn parse(message: &str) -> Option<Self> {
        let mut attributes = message.split(',');
        let first = attributes.next()?;
        let said = match value(first, 'e') {
            Some(_) => Self::Refusal,
            None => Self::Signature(STANDARD.decode(value(first, 'v')?).ok()?),
        };
        are_extensions(attributes).then_some(said)
    }
}

/// What both sides sign (RFC 5802 §3).
pub(super) fn auth_message(client_first_bare: &str, server_first: &str, client_final_without_proof: &str) -> String {
    format!("{client_first_bare},{server_first},{client_final_without_proof}")
}

/// The message in base64.
pub(super) fn decode(response: &[u8]) -> Option<String> {
    let message = STANDARD.decode(response).ok().filter(|message| message.len() <= MESSAGE_OCTETS_MAX)?;
    String::from_utf8(message).ok()
}

/// A user's name with what would end it made harmless.
pub(super) fn escaped(name: &str) -> String {
    name.replace('=', "=3D").replace(',', "=2C")
}

fn unescaped(name: &str) -> Option<String> {
    let mut plain = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, after)) = rest.split_once('=') {
        let (c, after) = match after.split_at_checked(2)? {
            ("2C", after) => (',', after),
            ("3D", after) => ('=', after),
            _ => return None,
        };
        plain.push_str(before);
        plain.push(c);
        rest = after;
    }
    plain.push_str(rest);
    (!plain.is_empty() && !plain.contains('\0')).then_some(plain)
}

/// The value of an attribute that must be this one.
fn value(attribute: &str, letter: char) -> Option<&str> {
    let value = attribute.strip_prefix(letter)?.strip_prefix('=')?;
    (!value.is_empty() && !value.contains('\0')).then_some(value)
}

/// Printable ASCII (without a comma, which would end it), of a sane length.
fn nonce(attribute: &str, octets_max: usize) -> Option<&str> {
    value(attribute, 'r')
        .filter(|nonce| nonce.len() <= octets_max && nonce.bytes().all(|octet| octet.is_ascii_graphic()))
}

fn is_binding_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'.' | b'-'))
}

fn are_extensions<'a>(mut attributes: impl Iterator<Item = &'a str>) -> bool {
    attributes.all(|attribute| {
        let letter = attribute.chars().next().filter(|letter| letter.is_ascii_alphabetic() && *letter != 'm');
        letter.and_then(|letter| value(attribute, letter)).is_some()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_client_first_message_is_read() {
        let first = ClientFirst::parse("p=tls-exporter,a=a=2Cb,n=a=2Cb=3D,r=xyz,t=ext").unwrap();
        assert_eq!(first.flag, BindingFlag::Used("tls-exporter"));
        assert_eq!((first.header, first.bare), ("p=tls-exporter,a=a=2Cb,", "n=a=2Cb=3D,r=xyz,t=ext"));
        assert_eq!((first.on_behalf_of.as_deref(), first.user.as_str(), first.nonce), (Some("a,b"), "a,b=", "xyz"));
        for bad in [
            "",
            "n",
            "n,",
            "n,,",
            "x,,n=u,r=x",
            "p=,,n=u,r=x",
            "p=tls exporter,,n=u,r=x",
            "n,u,n=u,r=x",
            "n,a=,n=u,r=x",
            "n,,m=ext,n=u,r=x",
            "n,,n=u,r=x,m=ext",
            "n,,n=u,r=x,",
            "n,,n=u,r=x,t",
            "n,,n=u,r=x,1=t",
            "n,,n=,r=x",
            "n,,n=u=2c,r=x",
            "n,,n=u=,r=x",
            "n,,n=u=ü,r=x",
            "n,,n=u\0,r=x",
            "n,,n=u",
            "n,,n=u,r=",
            "n,,n=u,r=\u{fc}",
            "n,,n=u,r=a b",
            "n,,r=x,n=u",
            "y",
        ] {
            assert_eq!(ClientFirst::parse(bad), None, "{bad:?}");
        }
        let long = |octets| format!("n,,n=u,r={}", "x".repeat(octets));
        assert!(ClientFirst::parse(&long(NONCE_OCTETS_MAX)).is_some());
        assert_eq!(ClientFirst::parse(&long(NONCE_OCTETS_MAX + 1)), None);
        let last = |octets| format!("c=biws,r={},p=YQ==", "x".repeat(octets));
        assert!(ClientFinal::parse(&last(WHOLE_NONCE_OCTETS_MAX)).is_some());
        assert_eq!(ClientFinal::parse(&last(WHOLE_NONCE_OCTETS_MAX + 1)), None);
    }

    #[test]
    fn the_other_messages_are_read_too() {
        assert_eq!(ServerFirst::parse("r=xy,s=YQ==,i=4096,t=ext").unwrap().print(), "r=xy,s=YQ==,i=4096");
        for bad in ["", "r=xy,s=YQ==", "r=xy,s=YQ==,i=0", "r=xy,s=YQ==,i=+1", "r=xy,s=YQ==,i=01", "r=xy,s=!,i=1"] {
            assert_eq!(ServerFirst::parse(bad), None, "{bad:?}");
        }
        assert_eq!(ServerFirst::parse("m=ext,r=xy,s=YQ==,i=4096"), None);
        assert_eq!(ClientFinal::parse("c=biws,r=xy,t=e,p=YQ==").unwrap().without_proof, "c=biws,r=xy,t=e");
        for bad in
            ["", "c=biws,r=xy", "c=biws,p=YQ==", "c=biws,r=xy,p=YQ==,t=e", "c=biws,r=xy,m=e,p=YQ==", "r=x,p=YQ=="]
        {
            assert_eq!(ClientFinal::parse(bad), None, "{bad:?}");
        }
        assert_eq!(ServerFinal::parse("v=YQ=="), Some(ServerFinal::Signature(b"a".to_vec())));
        assert_eq!(ServerFinal::parse("e=invalid-proof,t=e"), Some(ServerFinal::Refusal));
        for bad in ["", "v=", "v=!", "e=", "w=YQ==", "v=YQ==,m=e"] {
            assert_eq!(ServerFinal::parse(bad), None, "{bad:?}");
        }
    }

    proptest! {
        #[test]
        fn every_name_survives(name in "[^\0]{1,40}") {
            let escaped = escaped(&name);
            prop_assert!(!escaped.contains(','));
            prop_assert_eq!(unescaped(&escaped), Some(name));
        }
    }
}
