//! SCRAM-SHA-256 (RFC 5802, RFC 7677): so far the verifier, which is all that a server keeps of a password.
//!
//! Its text is that of RFC 5803 §2: `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};
use subtle::ConstantTimeEq;
use thiserror::Error;

/// How often the hash is iterated for a new verifier: the least that RFC 7677 §4 allows. Issued passwords have 80 random
/// bits, so more work would slow logins without protecting anything.
pub const ITERATIONS: NonZeroU32 = NonZeroU32::new(4096).expect("not zero");
/// The most iterations that a client's own verifier may ask of the server at each login.
pub const ITERATIONS_MAX: u32 = 100_000;
/// Octets of salt in a new verifier.
pub const SALT_OCTETS: usize = 16;
/// The most octets of salt that a client's own verifier may have.
pub const SALT_OCTETS_MAX: usize = 64;

const NAME: &str = "SCRAM-SHA-256";
type Key = [u8; digest::SHA256_OUTPUT_LEN];

/// What a server keeps of a password: enough to check it, not enough to log in with.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    iterations: NonZeroU32,
    salt: Vec<u8>,
    stored_key: Key,
    server_key: Key,
}

impl Verifier {
    /// Derives the verifier of a password. `salt` must be random, [`SALT_OCTETS`] long. Takes a millisecond of work for
    /// each 4,096 iterations or so.
    pub fn derive(password: &str, salt: &[u8], iterations: NonZeroU32) -> Self {
        // RFC 5802 §2.2 wants SASLprep; a password that it forbids is taken as it is (RFC 8265 §4 lets servers do so).
        let prepared = stringprep::saslprep(password);
        let password = prepared.as_deref().unwrap_or(password);
        let mut salted = Key::default();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, password.as_bytes(), &mut salted);
        let client_key = hmac_sha256(&salted, b"Client Key");
        let mut stored_key = Key::default();
        stored_key.copy_from_slice(digest::digest(&digest::SHA256, &client_key).as_ref());
        Self { iterations, salt: salt.to_vec(), stored_key, server_key: hmac_sha256(&salted, b"Server Key") }
    }

    /// Whether this is the password, in a time that does not depend on how wrong it is.
    pub fn accepts(&self, password: &str) -> bool {
        let candidate = Self::derive(password, &self.salt, self.iterations);
        candidate.stored_key.ct_eq(&self.stored_key).into()
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [salt, stored, server] =
            [self.salt.as_slice(), &self.stored_key, &self.server_key].map(|octets| STANDARD.encode(octets));
        write!(f, "{NAME}${}:{salt}${stored}:{server}", self.iterations)
    }
}

impl fmt::Debug for Verifier {
    /// Without the keys: they are as good as the password to one who can try many.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

/// The text is no SCRAM-SHA-256 verifier, or asks for too much or too little work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a SCRAM-SHA-256 verifier")]
pub struct BadVerifier;

impl FromStr for Verifier {
    type Err = BadVerifier;

    fn from_str(text: &str) -> Result<Self, BadVerifier> {
        let mut fields = text.split('$');
        let (name, parameters, keys) = (fields.next(), fields.next(), fields.next());
        let (Some(NAME), Some(parameters), Some(keys), None) = (name, parameters, keys, fields.next()) else {
            return Err(BadVerifier);
        };
        let (iterations, salt) = parameters.split_once(':').ok_or(BadVerifier)?;
        let (stored, server) = keys.split_once(':').ok_or(BadVerifier)?;
        let iterations: NonZeroU32 = iterations.parse().map_err(|_| BadVerifier)?;
        let salt = STANDARD.decode(salt).map_err(|_| BadVerifier)?;
        let key = |text| STANDARD.decode(text).ok().and_then(|octets| Key::try_from(octets).ok()).ok_or(BadVerifier);
        let sane = (ITERATIONS.get()..=ITERATIONS_MAX).contains(&iterations.get())
            && (1..=SALT_OCTETS_MAX).contains(&salt.len());
        if !sane {
            return Err(BadVerifier);
        }
        Ok(Self { iterations, salt, stored_key: key(stored)?, server_key: key(server)? })
    }
}

fn hmac_sha256(key: &Key, message: &[u8]) -> Key {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let mut octets = Key::default();
    octets.copy_from_slice(tag.as_ref());
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    /// PostgreSQL's documentation and RFC 7677 §3 use this password and salt.
    fn pencil() -> Verifier {
        Verifier::derive("pencil", &STANDARD.decode("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap(), ITERATIONS)
    }

    #[test]
    fn the_keys_of_rfc_7677() {
        // The server's signature over the AuthMessage of RFC 7677 §3 is printed there; it is made with ServerKey.
        let auth_message = "n=user,r=rOprNGfwEbeRWgbNEkqO,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                            s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
        let signature = hmac_sha256(&pencil().server_key, auth_message.as_bytes());
        assert_eq!(STANDARD.encode(signature), "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
    }

    #[test]
    fn accepts_its_password_alone() {
        assert!(pencil().accepts("pencil"));
        assert!(!pencil().accepts("Pencil"));
        assert!(!pencil().accepts(""));
    }

    #[test]
    fn prints_and_parses() {
        let text = pencil().to_string();
        assert!(text.starts_with("SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$"), "{text}");
        assert_eq!(text.parse(), Ok(pencil()));
        for bad in [
            "",
            "SCRAM-SHA-1$4096:YQ==$a:b",
            &text.replace("4096", "1"),
            &text.replace("4096", "2000000000"),
            &text[..60],
        ] {
            assert_eq!(bad.parse::<Verifier>(), Err(BadVerifier), "{bad}");
        }
        assert!(!format!("{:?}", pencil()).contains(&STANDARD.encode(pencil().stored_key)));
    }
}
