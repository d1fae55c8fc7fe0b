//! Where a server is, as people write it: `HOST`, `HOST:PORT`, `[2001:db8::1]:PORT`.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// The port where `mymail serve` listens unless told otherwise.
pub const DEFAULT_PORT: u16 = 2525;
/// Longest host, in octets (RFC 1035 §2.3.4).
const HOST_OCTETS_MAX: usize = 255;

/// A server's host and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerAddress {
    /// A name, or an IP address without brackets.
    host: String,
    port: u16,
}

impl ServerAddress {
    /// A name, or an IP address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }
}

impl Default for ServerAddress {
    /// Where `mymail serve` listens unless told otherwise.
    fn default() -> Self {
        Self { host: "127.0.0.1".to_owned(), port: DEFAULT_PORT }
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// The text names no server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a server: write HOST, HOST:PORT or [IPv6]:PORT")]
pub struct ServerAddressError;

impl FromStr for ServerAddress {
    type Err = ServerAddressError;

    fn from_str(text: &str) -> Result<Self, ServerAddressError> {
        let (host, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
            Some(Some((host, port))) if host.parse::<Ipv6Addr>().is_ok() => (host, port),
            Some(_) => return Err(ServerAddressError),
            // An IPv6 address without brackets is all colons, so it can have no port.
            None if text.parse::<Ipv6Addr>().is_ok() => (text, ""),
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_| ServerAddressError)?
            }
            None if port.is_empty() => DEFAULT_PORT,
            _ => return Err(ServerAddressError),
        };
        let plausible = (1..=HOST_OCTETS_MAX).contains(&host.len())
            && !host.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | '@' | '[' | ']'));
        if plausible && port != 0 { Ok(Self { host: host.to_owned(), port }) } else { Err(ServerAddressError) }
    }
}

impl TryFrom<String> for ServerAddress {
    type Error = ServerAddressError;

    fn try_from(text: String) -> Result<Self, ServerAddressError> {
        text.parse()
    }
}

impl From<ServerAddress> for String {
    fn from(server: ServerAddress) -> Self {
        server.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write() {
        for (text, meaning) in [
            ("mail.example", "mail.example:2525"),
            ("mail.example:25", "mail.example:25"),
            ("192.0.2.1:25", "192.0.2.1:25"),
            ("[2001:db8::1]:25", "[2001:db8::1]:25"),
            ("[2001:db8::1]", "[2001:db8::1]:2525"),
            ("2001:db8::1", "[2001:db8::1]:2525"),
        ] {
            let server: ServerAddress = text.parse().unwrap();
            assert_eq!(server.to_string(), meaning, "{text}");
            assert_eq!(server.to_string().parse(), Ok(server));
        }
        assert_eq!(ServerAddress::default().to_string(), "127.0.0.1:2525");
    }

    #[test]
    fn what_is_no_server() {
        for text in [
            "", ":25", "a:", "a:0", "a:65536", "a:+1", "a:25:26", "[a]:25", "[::1", "[::1]25", "a b", "smtp://a", "u@a",
        ] {
            assert_eq!(text.parse::<ServerAddress>(), Err(ServerAddressError), "{text}");
        }
    }
}
