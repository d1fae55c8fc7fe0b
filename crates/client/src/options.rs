//! How to connect.

use std::fmt;
use std::time::Duration;

use proto::smtp::client::Listener;

/// How long a reply may take (RFC 5321 §4.5.3.2: five minutes for most of them).
pub const REPLY_TIMEOUT: Duration = Duration::from_secs(300);

/// Whether a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TlsMode {
    /// When the server offers it.
    #[default]
    Auto,
    /// Always: without it, connecting fails.
    Required,
    /// Never.
    Off,
}

/// How to connect.
pub struct ConnectOptions {
    /// Whether the connection is encrypted.
    pub tls: TlsMode,
    /// What this client calls itself in EHLO: a domain name or an address literal.
    pub client_name: String,
    /// How long connecting, each reply and each write may take.
    pub timeout: Duration,
    /// Is told every line of the dialogue, with secrets masked.
    pub dialogue: Option<Listener>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            tls: TlsMode::default(),
            // A client without a name of its own gives an address literal (RFC 5321 §4.1.1.1, §4.1.4).
            client_name: "[127.0.0.1]".to_owned(),
            timeout: REPLY_TIMEOUT,
            dialogue: None,
        }
    }
}

impl fmt::Debug for ConnectOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectOptions")
            .field("tls", &self.tls)
            .field("client_name", &self.client_name)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
