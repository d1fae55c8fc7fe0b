//! What every login has in common, whichever protocol it is said in.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proto::sasl::plain::Credentials;
use proto::sasl::{Channel, Mechanism, client::Exchange};
use ring::rand::{SecureRandom, SystemRandom};

use crate::Error;

/// Longest user name and password together, in octets: the AUTH line of RFC 4954 §4 has room for far more.
pub const CREDENTIALS_OCTETS_MAX: usize = 4096;
/// Octets of randomness in a nonce.
const NONCE_OCTETS: usize = 18;

/// Fails where others could overhear a password.
pub(crate) fn require_private(channel: &Channel) -> Result<(), Error> {
    if channel.is_private() { Ok(()) } else { Err(Error::NotPrivate) }
}

/// The credentials, if they can be said.
pub(crate) fn credentials(user: &str, password: &str) -> Result<Credentials, Error> {
    if user.is_empty() || password.is_empty() || user.len() + password.len() > CREDENTIALS_OCTETS_MAX {
        return Err(Error::BadInput("a user name or password is empty or too long"));
    }
    if user.contains('\0') || password.contains('\0') {
        return Err(Error::BadInput("a user name or password has a NUL character"));
    }
    Ok(Credentials { user: user.to_owned(), password: password.to_owned() })
}

/// Begins a login by the best mechanism that both ends know; `None` if there is none.
pub(crate) fn begin(
    credentials: &Credentials,
    channel: &Channel,
    offers: impl Fn(Mechanism) -> bool,
) -> Result<Option<Exchange>, Error> {
    let mut nonce = [0; NONCE_OCTETS];
    let filled = SystemRandom::new().fill(&mut nonce);
    filled.map_err(|_| Error::Io(io::Error::other("the system has no random numbers")))?;
    Ok(Exchange::begin(credentials, channel, offers, &STANDARD.encode(nonce)))
}
