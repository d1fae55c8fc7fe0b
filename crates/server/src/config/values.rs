//! Values of the configuration that have a form of their own.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use bytesize::ByteSize;
use proto::Domain;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Deserialize as DeriveDeserialize, Serialize};
use thiserror::Error;

/// Where the server listens, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, DeriveDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// What is spoken there.
    pub protocol: Protocol,
    /// The address; port 0 takes any free port.
    pub address: SocketAddr,
    /// Whether and how it is encrypted.
    #[serde(default)]
    pub tls: Tls,
    /// Whether other mail servers may deliver to our users there.
    #[serde(default)]
    pub from_outside: bool,
}

impl Listen {
    /// SMTP for our own clients, in clear text.
    pub fn smtp(address: SocketAddr) -> Self {
        Self { protocol: Protocol::Smtp, address, tls: Tls::Off, from_outside: false }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.protocol, self.address)
    }
}

/// The text is no `PROTOCOL=ADDRESS`.
#[derive(Debug, Error)]
#[error("expected PROTOCOL=ADDRESS with an IP address and a port, as in smtp=127.0.0.1:2525")]
pub struct BadListen;

impl FromStr for Listen {
    type Err = BadListen;

    fn from_str(text: &str) -> Result<Self, BadListen> {
        match text.split_once('=') {
            Some(("smtp", address)) => address.parse().map(Self::smtp).map_err(|_| BadListen),
            _ => Err(BadListen),
        }
    }
}

/// What a listener speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, DeriveDeserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// SMTP, with registration and retrieval.
    Smtp,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Smtp => "smtp",
        })
    }
}

/// Whether and how a listener is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, DeriveDeserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// Not at all: passwords are taken from this machine's own clients only.
    #[default]
    Off,
}

/// The hostname where none is configured.
pub(super) fn default_hostname() -> Domain {
    #[expect(clippy::expect_used, reason = "a constant that the tests parse")]
    "mymailserver".parse().expect("a domain")
}

/// A domain as text.
pub(super) mod domain {
    use proto::Domain;
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    pub(in crate::config) fn serialize<S: Serializer>(domain: &Domain, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(domain)
    }

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Domain, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A number that is large enough to work with.
pub(super) fn at_least<'de, const LEAST: u64, N, D>(deserializer: D) -> Result<N, D::Error>
where
    N: TryFrom<u64>,
    D: Deserializer<'de>,
{
    match u64::deserialize(deserializer)? {
        number if number < LEAST => Err(D::Error::custom(format!("must be at least {LEAST}"))),
        number => N::try_from(number).map_err(|_| D::Error::custom("is too large")),
    }
}

/// A size that is large enough to work with (RFC 5321 §4.5.3.1.7 wants 64 KiB for a message).
pub(super) fn size_of_at_least<'de, const LEAST: u64, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<ByteSize, D::Error> {
    match ByteSize::deserialize(deserializer)? {
        size if size.as_u64() < LEAST => Err(D::Error::custom(format!("must be at least {}", ByteSize::b(LEAST)))),
        size => Ok(size),
    }
}
