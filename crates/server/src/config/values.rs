//! Values of the configuration that have a form of their own.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;

use bytesize::ByteSize;
use proto::Domain;
use serde::de::{Deserialize, Deserializer, Error as _};
use serde::ser::Serializer;
use serde::{Deserialize as DeriveDeserialize, Serialize};
use thiserror::Error;

/// Where the server listens, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, DeriveDeserialize)]
#[serde(deny_unknown_fields)]
pub struct Listen {
    /// What is spoken there.
    pub protocol: Protocol,
    /// The address; port 0 takes any free port.
    #[serde(deserialize_with = "socket_address")]
    pub address: SocketAddr,
    /// Whether and how it is encrypted.
    #[serde(default)]
    pub tls: Tls,
    /// Whether other mail servers may deliver to our users there.
    #[serde(default)]
    pub from_outside: bool,
}

impl Listen {
    /// SMTP for our own clients, encrypted when they ask for it.
    pub fn smtp(address: SocketAddr) -> Self {
        Self { protocol: Protocol::Smtp, address, tls: Tls::Starttls, from_outside: false }
    }

    /// POP3, encrypted when clients ask for it.
    pub fn pop3(address: SocketAddr) -> Self {
        Self { protocol: Protocol::Pop3, ..Self::smtp(address) }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.protocol, self.address)
    }
}

/// The text is no `PROTOCOL=ADDRESS`.
#[derive(Debug, Error)]
#[error(
    "expected PROTOCOL=ADDRESS, as in smtp=127.0.0.1:2525: the protocol is smtp or pop3, encrypted when a client asks for it, or smtps or pop3s, encrypted from the start; the address is an IP address with a port"
)]
pub struct BadListen;

impl FromStr for Listen {
    type Err = BadListen;

    fn from_str(text: &str) -> Result<Self, BadListen> {
        let (protocol, address) = text.split_once('=').ok_or(BadListen)?;
        let address = address.parse().map_err(|_| BadListen)?;
        match protocol {
            "smtp" => Ok(Self::smtp(address)),
            "pop3" => Ok(Self::pop3(address)),
            "smtps" => Ok(Self { tls: Tls::Implicit, ..Self::smtp(address) }),
            "pop3s" => Ok(Self { tls: Tls::Implicit, ..Self::pop3(address) }),
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
    /// POP3.
    Pop3,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Smtp => "smtp",
            Self::Pop3 => "pop3",
        })
    }
}

/// Whether and how a listener is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, DeriveDeserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tls {
    /// Not at all: passwords are taken from this machine's own clients only.
    Off,
    /// Once a client asks for it, with STARTTLS (RFC 3207) or STLS (RFC 2595).
    #[default]
    Starttls,
    /// From the first octet (RFC 8314 §3).
    Implicit,
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
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(|error| D::Error::custom(format!("{error}; a good one is mail.example.org")))
    }
}

/// A length of time that a timer can run: longer than nothing, at most a year.
pub(super) mod duration {
    use std::time::Duration;

    pub(in crate::config) use humantime_serde::serialize;
    use serde::de::{Deserializer, Error};

    const LEAST: Duration = Duration::from_millis(1);
    const MOST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

    pub(in crate::config) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        match humantime_serde::deserialize(deserializer)? {
            time if time < LEAST => Err(D::Error::custom("must be at least a millisecond")),
            time if time > MOST => Err(D::Error::custom("must be at most a year")),
            time => Ok(time),
        }
    }
}

/// Secrets, which an error must not quote.
pub(super) fn secrets<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let value = toml::Value::deserialize(deserializer)?;
    value.try_into().map_err(|_| D::Error::custom("must be a list of texts"))
}

/// What stands for secrets where they are shown. Taken for a configuration it is an error, so that nobody opens a server that
/// way which asks for a token.
pub(super) fn masked<S: Serializer>(secrets: &[String], serializer: S) -> Result<S::Ok, S::Error> {
    match secrets.len() {
        0 => serializer.collect_seq(secrets),
        count => serializer.collect_str(&format_args!("{count}, not shown")),
    }
}

fn socket_address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SocketAddr, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|_| D::Error::custom("must be an IP address with a port, such as 0.0.0.0:25 or [::1]:2525"))
}

/// Listeners: at least one, and no two that want the same address.
pub(super) fn listeners<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Listen>, D::Error> {
    let listeners: Vec<Listen> = Vec::deserialize(deserializer)?;
    let twice = listeners.iter().enumerate().find(|(at, listen)| {
        listen.address.port() != 0 && listeners[..*at].iter().any(|earlier| earlier.address == listen.address)
    });
    match twice {
        _ if listeners.is_empty() => Err(D::Error::custom("must have at least one entry")),
        Some((_, listen)) => Err(D::Error::custom(format!("{} is there twice", listen.address))),
        None => Ok(listeners),
    }
}

/// A number that one can work with.
pub(super) fn within<'de, const LEAST: u64, const MOST: u64, N, D>(deserializer: D) -> Result<N, D::Error>
where
    N: TryFrom<u64>,
    D: Deserializer<'de>,
{
    match u64::deserialize(deserializer)? {
        number if number < LEAST => Err(D::Error::custom(format!("must be at least {LEAST}"))),
        number if number > MOST => Err(D::Error::custom(format!("must be at most {MOST}"))),
        number => N::try_from(number).map_err(|_| D::Error::custom("is too large")),
    }
}

/// A size as it was meant: in the largest unit that divides it.
pub(super) fn exact_size<S: Serializer>(size: &ByteSize, serializer: S) -> Result<S::Ok, S::Error> {
    let octets = size.as_u64();
    let unit = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)]
        .into_iter()
        .find(|(_, unit)| octets.is_multiple_of(*unit));
    match unit {
        Some((name, unit)) if octets > 0 => serializer.collect_str(&format_args!("{} {name}", octets / unit)),
        _ => serializer.collect_str(&format_args!("{octets} B")),
    }
}

/// A size.
pub(super) fn size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ByteSize, D::Error> {
    ByteSize::deserialize(deserializer).map_err(|_| D::Error::custom("must be a size such as \"50 MiB\" or 65536"))
}

/// A size that is large enough to work with.
pub(super) fn size_of_at_least<'de, const LEAST: u64, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<ByteSize, D::Error> {
    match size(deserializer)? {
        size if size.as_u64() < LEAST => Err(D::Error::custom(format!("must be at least {}", ByteSize::b(LEAST)))),
        size => Ok(size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_of_the_command_line() {
        for (text, protocol, tls) in [
            ("smtp=127.0.0.1:25", Protocol::Smtp, Tls::Starttls),
            ("pop3=[::1]:0", Protocol::Pop3, Tls::Starttls),
            ("smtps=0.0.0.0:465", Protocol::Smtp, Tls::Implicit),
            ("pop3s=0.0.0.0:995", Protocol::Pop3, Tls::Implicit),
        ] {
            let listen: Listen = text.parse().unwrap();
            assert_eq!((listen.protocol, listen.tls, listen.from_outside), (protocol, tls, false), "{text}");
            let (_, address) = text.split_once('=').unwrap();
            assert_eq!(listen.to_string(), format!("{protocol}={address}"));
        }
        for text in ["smtp", "imap=127.0.0.1:143", "SMTP=127.0.0.1:25", "smtp=here:25", "pop3=127.0.0.1", "=", ""] {
            assert!(text.parse::<Listen>().is_err(), "{text}");
        }
    }
}
