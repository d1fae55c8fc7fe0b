//! The verifier, which is all that a server keeps of a password, and the keys that both sides make of one.
//!
//! Its text is that of RFC 5803 §2: `SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey`.

use std::borrow::Cow;
use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::{digest, hmac, pbkdf2};
use subtle::{Choice, ConstantTimeEq};
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
pub(super) type Key = [u8; digest::SHA256_OUTPUT_LEN];

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
        let Keys { client_key, server_key } = Keys::derive(password, salt, iterations);
        Self { iterations, salt: salt.to_vec(), stored_key: sha256(&client_key), server_key }
    }

    /// What to show of somebody who does not exist: the same for a user every time, and no password is right. `secret` is the
    /// server's own and random.
    pub fn decoy(secret: &[u8; digest::SHA256_OUTPUT_LEN], user: &str) -> Self {
        let octets = |purpose: &str| hmac_sha256(secret, format!("{purpose}\0{user}").as_bytes());
        let salt = octets("salt")[..SALT_OCTETS].to_vec();
        Self { iterations: ITERATIONS, salt, stored_key: octets("stored key"), server_key: octets("server key") }
    }

    /// Whether this is the password, in a time that does not depend on how wrong it is.
    pub fn accepts(&self, password: &str) -> bool {
        let candidate = Self::derive(password, &self.salt, self.iterations);
        candidate.stored_key.ct_eq(&self.stored_key).into()
    }

    /// How often the client shall iterate the hash.
    pub(super) fn iterations(&self) -> NonZeroU32 {
        self.iterations
    }

    /// What the client shall salt the password with.
    pub(super) fn salt(&self) -> &[u8] {
        &self.salt
    }

    /// Whether who made this proof knows the password (RFC 5802 §3).
    pub(super) fn is_proved(&self, proof: &Key, auth_message: &[u8]) -> Choice {
        let client_key = xor(proof, &hmac_sha256(&self.stored_key, auth_message));
        sha256(&client_key).ct_eq(&self.stored_key)
    }

    /// The server's own proof that it knows this verifier.
    pub(super) fn signature(&self, auth_message: &[u8]) -> Key {
        hmac_sha256(&self.server_key, auth_message)
    }
}

/// What who knows the password can make of it.
pub(super) struct Keys {
    client_key: Key,
    server_key: Key,
}

impl Keys {
    pub(super) fn derive(password: &str, salt: &[u8], iterations: NonZeroU32) -> Self {
        let password = prepared(password);
        let mut salted = Key::default();
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, salt, password.as_bytes(), &mut salted);
        Self { client_key: hmac_sha256(&salted, b"Client Key"), server_key: hmac_sha256(&salted, b"Server Key") }
    }

    /// The proof of a client that knows the password.
    pub(super) fn proof(&self, auth_message: &[u8]) -> Key {
        xor(&self.client_key, &hmac_sha256(&sha256(&self.client_key), auth_message))
    }

    /// What a server that knows the password's verifier signs with.
    pub(super) fn signature(&self, auth_message: &[u8]) -> Key {
        hmac_sha256(&self.server_key, auth_message)
    }
}

/// A text as RFC 5802 §2.2 wants it, by SASLprep; one that this forbids stays as it is (RFC 8265 §4 lets servers do so).
pub(super) fn prepared(text: &str) -> Cow<'_, str> {
    stringprep::saslprep(text).unwrap_or(Cow::Borrowed(text))
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

fn sha256(octets: &[u8]) -> Key {
    let mut hash = Key::default();
    hash.copy_from_slice(digest::digest(&digest::SHA256, octets).as_ref());
    hash
}

fn xor(a: &Key, b: &Key) -> Key {
    std::array::from_fn(|at| a[at] ^ b[at])
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

    #[test]
    fn a_decoy_looks_alike_every_time_and_accepts_nothing() {
        let decoy = Verifier::decoy(&[1; 32], "nobody");
        assert_eq!(decoy, Verifier::decoy(&[1; 32], "nobody"));
        assert_eq!(decoy.to_string().parse(), Ok(decoy.clone()));
        assert_ne!(decoy.salt, Verifier::decoy(&[1; 32], "somebody").salt);
        assert_ne!(decoy.salt, Verifier::decoy(&[2; 32], "nobody").salt);
        assert!(!decoy.accepts("") && !decoy.accepts("nobody"));
    }
}
