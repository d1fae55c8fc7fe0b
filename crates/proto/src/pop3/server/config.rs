//! What a session must be told before it begins. Units are octets; times are durations.

use std::time::Duration;

use crate::Domain;

/// How a listener's sessions behave.
#[derive(Debug, Clone)]
pub struct Config {
    /// The name the server greets with.
    pub hostname: Domain,
    /// Whether the connection can be encrypted when the client asks for it.
    pub starttls: bool,
    /// How much is taken.
    pub limits: Limits,
    /// How long a peer is waited for, for the next whole command: at least ten minutes (RFC 1939 §3).
    pub timeout: Duration,
}

/// How much a session takes.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Longest command line, its end included; AUTH has its own: [`crate::sasl::AUTH_OCTETS_MAX`].
    pub command_octets: usize,
    /// Most errors before the session is ended.
    pub errors: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { command_octets: 2048, errors: 20 }
    }
}
