//! Where a server is, as people write it: `HOST`, `HOST:PORT`, `[2001:db8::1]:PORT`, or a URL such as `pop3s://HOST`.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ServerUrl;

/// The port where `mymail serve` listens unless told otherwise.
pub const DEFAULT_PORT: u16 = 2525;
/// Longest host, in octets (RFC 1035 §2.3.4).
const HOST_OCTETS_MAX: usize = 255;

/// What a server speaks, and whether it does so over TLS from the first octet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Scheme {
    /// SMTP; STARTTLS may encrypt it (RFC 3207).
    #[default]
    Smtp,
    /// SMTP over TLS (RFC 8314 §3.3).
    Smtps,
    /// POP3; STLS may encrypt it (RFC 2595).
    Pop3,
    /// POP3 over TLS (RFC 8314 §3.1).
    Pop3s,
}

impl Scheme {
    const ALL: [Self; 4] = [Self::Smtp, Self::Smtps, Self::Pop3, Self::Pop3s];

    /// What stands before `://`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smtp => "smtp",
            Self::Smtps => "smtps",
            Self::Pop3 => "pop3",
            Self::Pop3s => "pop3s",
        }
    }

    /// The port of a URL that names none: the registered one, for SMTP that of submission (RFC 6409).
    pub fn default_port(self) -> u16 {
        match self {
            Self::Smtp => 587,
            Self::Smtps => 465,
            Self::Pop3 => 110,
            Self::Pop3s => 995,
        }
    }

    /// Whether mail is retrieved there by POP3.
    pub fn is_pop3(self) -> bool {
        matches!(self, Self::Pop3 | Self::Pop3s)
    }

    /// Whether the connection is encrypted from its first octet.
    pub fn is_tls(self) -> bool {
        matches!(self, Self::Smtps | Self::Pop3s)
    }

    pub(crate) fn find(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scheme| scheme.name().eq_ignore_ascii_case(name))
    }
}

/// What a server speaks, its host and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ServerAddress {
    scheme: Scheme,
    /// A name, or an IP address without brackets.
    host: String,
    port: u16,
}

impl ServerAddress {
    /// What it speaks: SMTP, unless a URL says otherwise.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// A name, or an IP address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The same host and port without a scheme: that of SMTP, which is written so.
    pub(crate) fn endpoint(&self) -> Self {
        Self { scheme: Scheme::Smtp, host: self.host.to_ascii_lowercase(), port: self.port }
    }

    /// Reads what stands behind a scheme, or alone.
    pub(crate) fn parse(scheme: Scheme, text: &str, default_port: u16) -> Result<Self, ServerAddressError> {
        let (host, port) = match text.strip_prefix('[').map(|rest| rest.split_once(']')) {
            Some(Some((host, port))) if host.parse::<Ipv6Addr>().is_ok() => (host, port),
            Some(_) => return Err(ServerAddressError::NotAServer),
            // An IPv6 address without brackets is all colons, so it can have no port.
            None if text.parse::<Ipv6Addr>().is_ok() => (text, ""),
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let port = match port.strip_prefix(':') {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => {
                digits.parse().map_err(|_| ServerAddressError::NotAServer)?
            }
            None if port.is_empty() => default_port,
            _ => return Err(ServerAddressError::NotAServer),
        };
        let plausible = (1..=HOST_OCTETS_MAX).contains(&host.len())
            && !host.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '/' | '@' | '[' | ']'));
        if plausible && port != 0 {
            Ok(Self { scheme, host: host.to_owned(), port })
        } else {
            Err(ServerAddressError::NotAServer)
        }
    }
}

impl Default for ServerAddress {
    /// Where `mymail serve` listens unless told otherwise.
    fn default() -> Self {
        Self { scheme: Scheme::Smtp, host: "127.0.0.1".to_owned(), port: DEFAULT_PORT }
    }
}

impl fmt::Display for ServerAddress {
    /// `HOST:PORT` for plain SMTP, a URL for all else.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.scheme != Scheme::Smtp {
            write!(f, "{}://", self.scheme.name())?;
        }
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Why a text names no server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ServerAddressError {
    /// It has neither form.
    #[error("not a server: write HOST, HOST:PORT, [IPv6]:PORT, or smtp://, smtps://, pop3:// or pop3s:// before it")]
    NotAServer,
    /// It has a user where only a server is asked for.
    #[error("this server is named without a user: leave out what stands before the @")]
    User,
    /// It has a password.
    #[error("a password has no place in a URL, where others can see it")]
    Password,
}

impl FromStr for ServerAddress {
    type Err = ServerAddressError;

    fn from_str(text: &str) -> Result<Self, ServerAddressError> {
        match text.parse()? {
            ServerUrl { user: None, server } => Ok(server),
            ServerUrl { user: Some(_), .. } => Err(ServerAddressError::User),
        }
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
            ("smtp://mail.example", "mail.example:587"),
            ("SMTPS://mail.example", "smtps://mail.example:465"),
            ("smtps://mail.example:2465/", "smtps://mail.example:2465"),
            ("pop3://127.0.0.1", "pop3://127.0.0.1:110"),
            ("pop3s://[2001:db8::1]", "pop3s://[2001:db8::1]:995"),
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
            "",
            ":25",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "a:25:26",
            "[a]:25",
            "[::1",
            "[::1]25",
            "a b",
            "u@a",
            "imap://a",
            "smtp://",
            "smtp:/a",
            "://a",
            "pop3s://a/b",
            "pop3s://a//",
            "smtp://a:0",
        ] {
            assert_eq!(text.parse::<ServerAddress>(), Err(ServerAddressError::NotAServer), "{text}");
        }
    }
}
