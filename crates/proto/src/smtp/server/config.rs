//! What a session must be told before it begins. Units are octets; times are durations.

use std::time::Duration;

use crate::Domain;

/// Longest that XRETRIEVE WAIT waits; a longer wish is cut to it.
pub const WAIT_MAX: Duration = Duration::from_secs(300);

/// How a listener's sessions behave.
#[derive(Debug, Clone)]
pub struct Config {
    /// The name the server greets with.
    pub hostname: Domain,
    /// Who is expected there.
    pub role: Role,
    /// Whether the connection can be encrypted when the client asks for it.
    pub starttls: bool,
    /// Whether reports on a message (RFC 3461) can reach any sender, and not those alone who have shown who they are.
    pub reports: bool,
    /// How much is taken.
    pub limits: Limits,
    /// How long a peer is waited for.
    pub timeouts: Timeouts,
}

/// Whom a listener is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// Our own clients: they register, send and retrieve, perhaps by hand.
    #[default]
    Clients,
    /// Other mail servers that deliver to our users, and our own clients beside them.
    Exchanger,
    /// Mail programs, which log in before they send (RFC 6409).
    Submission,
    /// A mail server that has taken the mail for us (RFC 2033).
    Lmtp,
}

impl Role {
    /// Whether nobody types there: lines end in CRLF alone, and whoever talks before its turn (RFC 2920 §3.1) is not served.
    pub fn is_strict(self) -> bool {
        matches!(self, Self::Exchanger | Self::Lmtp)
    }
}

/// How much a session takes.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Longest command line, its end included; AUTH has its own: [`crate::sasl::AUTH_OCTETS_MAX`].
    pub command_octets: usize,
    /// Largest message.
    pub message_octets: u64,
    /// Most recipients of one message.
    pub recipients: usize,
    /// Most domains that the recipients of one message are of.
    pub recipient_domains: usize,
    /// Most messages of one session.
    pub transactions: usize,
    /// Most errors before the session is ended.
    pub errors: usize,
    /// Slowest mail data, in octets a second over the whole message, once [`Timeouts::data`] has gone by.
    pub data_octets_per_second_min: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            command_octets: 2048,
            message_octets: 50 << 20,
            recipients: 1000,
            recipient_domains: 100,
            transactions: 100_000,
            errors: 20,
            data_octets_per_second_min: 100,
        }
    }
}

/// How long a peer is waited for (RFC 5321 §4.5.3.2).
#[derive(Debug, Clone)]
pub struct Timeouts {
    /// For the next whole command.
    pub command: Duration,
    /// For the next octets of mail data.
    pub data: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { command: Duration::from_secs(5 * 60), data: Duration::from_secs(3 * 60) }
    }
}
