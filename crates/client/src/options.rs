//! How to connect.

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use proto::sasl::Channel;
use proto::smtp::client::Listener;

#[cfg(doc)]
use crate::KnownServers;
use crate::{Fingerprint, ServerAddress};

/// How long a reply may take (RFC 5321 §4.5.3.2: five minutes for most of them).
pub const REPLY_TIMEOUT: Duration = Duration::from_secs(300);

/// How long connecting and the greeting may take. RFC 5321 §4.5.3.2.1 has mail servers wait five minutes for the greeting;
/// they have all day, the person who waits for this client has not.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(60);
/// How long to wait for the reply to QUIT: when it is said, all is done.
pub const QUIT_TIMEOUT: Duration = Duration::from_secs(5);

/// Where the server is, and so who may overhear what is said to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Peer {
    /// On this machine, where nobody can overhear.
    Local,
    /// Elsewhere: without TLS, passwords are neither said nor asked for.
    Remote,
}

impl Peer {
    /// Where a server with this IP address is.
    pub(crate) fn at(address: IpAddr) -> Self {
        // An IPv6 socket has IPv4 addresses mapped.
        if address.to_canonical().is_loopback() { Self::Local } else { Self::Remote }
    }

    /// The connection with it, before it is encrypted.
    pub(crate) fn channel(self) -> Channel {
        match self {
            Self::Local => Channel::Local,
            Self::Remote => Channel::Clear,
        }
    }
}

/// Whether a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsMode {
    /// When the server offers it, and always with one that was ever seen with it.
    #[default]
    Auto,
    /// Always: without it, connecting fails.
    Required,
    /// Never; so it contradicts a server whose URL is one of TLS.
    Off,
}

/// What decides whether the one at the other end of an encrypted connection is the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// The authorities that the system trusts or, where they do not vouch for it, the certificate that the server showed when it
    /// was first seen. This file of [`KnownServers`] remembers which; `None` is the user's own, at
    /// [`KnownServers::default_path`].
    KnownServers(Option<PathBuf>),
    /// The authorities in this PEM file alone, or the server's own certificate in it. They can vouch by TLS only, so it is
    /// required.
    Authority(PathBuf),
    /// Nothing: whoever answers is trusted, and nothing remembered.
    Anybody,
}

impl Default for Trust {
    fn default() -> Self {
        Self::KnownServers(None)
    }
}

/// Is told of each server whose certificate is trusted because it is the first one seen, when that is stored.
pub type FirstUse = Box<dyn Fn(&ServerAddress, &Fingerprint) + Send + Sync>;

/// How to connect.
pub struct ConnectOptions {
    /// Whether the connection is encrypted.
    pub tls: TlsMode,
    /// Whether whoever is at its other end is the server.
    pub trust: Trust,
    /// Is told of servers that are trusted on first use.
    pub first_use: Option<FirstUse>,
    /// What this client calls itself in EHLO: a domain name or an address literal.
    pub client_name: String,
    /// How long connecting may take, and then each of the server's greeting and the encryption.
    pub connect_timeout: Duration,
    /// How long each reply and each write may take.
    pub timeout: Duration,
    /// Is told every line of the dialogue, with secrets masked.
    pub dialogue: Option<Listener>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            tls: TlsMode::default(),
            trust: Trust::default(),
            first_use: None,
            // A client without a name of its own gives an address literal (RFC 5321 §4.1.1.1, §4.1.4).
            client_name: "[127.0.0.1]".to_owned(),
            connect_timeout: CONNECT_TIMEOUT,
            timeout: REPLY_TIMEOUT,
            dialogue: None,
        }
    }
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("tls", &self.tls)
            .field("trust", &self.trust)
            .field("client_name", &self.client_name)
            .field("connect_timeout", &self.connect_timeout)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_are_local() {
        for (address, peer) in [
            ("127.0.0.1", Peer::Local),
            ("127.9.9.9", Peer::Local),
            ("::1", Peer::Local),
            ("::ffff:127.0.0.1", Peer::Local),
            ("192.0.2.2", Peer::Remote),
            ("::ffff:192.0.2.2", Peer::Remote),
            ("2001:db8::1", Peer::Remote),
        ] {
            assert_eq!(Peer::at(address.parse().unwrap()), peer, "{address}");
        }
    }
}
