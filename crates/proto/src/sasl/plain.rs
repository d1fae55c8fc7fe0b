//! The PLAIN mechanism (RFC 4616): one message, `[authzid] NUL authcid NUL passwd`, in base64 on the wire.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A user name and the password that shall prove it.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Who logs in.
    pub user: String,
    /// The proof; never printed, not in debug output either.
    pub password: String,
}

impl Credentials {
    /// Reads a client's message. `None` if it is malformed, or asks to act for somebody else than it logs in as.
    pub fn decode(message: &[u8]) -> Option<Self> {
        let text = String::from_utf8(STANDARD.decode(message).ok()?).ok()?;
        let mut parts = text.split('\0');
        let (on_behalf_of, user, password) = (parts.next()?, parts.next()?, parts.next()?);
        let well_formed = parts.next().is_none() && !user.is_empty() && !password.is_empty();
        let for_itself = on_behalf_of.is_empty() || on_behalf_of == user;
        (well_formed && for_itself).then(|| Self { user: user.to_owned(), password: password.to_owned() })
    }

    /// The client's message, ready for the wire.
    pub fn encode(&self) -> String {
        STANDARD.encode(format!("\0{}\0{}", self.user, self.password))
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_4616() {
        let tim = Credentials::decode(STANDARD.encode("\0tim\0tanstaaftanstaaf").as_bytes()).unwrap();
        assert_eq!((tim.user.as_str(), tim.password.as_str()), ("tim", "tanstaaftanstaaf"));
        assert_eq!(Credentials::decode(tim.encode().as_bytes()), Some(tim));
    }

    #[test]
    fn nobody_acts_for_another() {
        let decode = |text: &str| Credentials::decode(STANDARD.encode(text).as_bytes());
        assert!(decode("tim\0tim\0secret").is_some());
        for bad in ["Ursel\0Kurt\0xipj3plmq", "\0\0secret", "\0tim\0", "tim", "\0tim\0secret\0more"] {
            assert_eq!(decode(bad), None, "{bad:?}");
        }
        assert_eq!(Credentials::decode(b"no base64!"), None);
    }

    #[test]
    fn the_password_is_not_in_debug_output() {
        let credentials = Credentials { user: "tim".into(), password: "tanstaaf".into() };
        assert!(!format!("{credentials:?}").contains("tanstaaf"));
    }
}
