//! The configuration: a TOML file, or nothing at all.
//!
//! Every key has a default, unknown keys are errors, and a value that can't be is refused where it stands, so that the message
//! names line and key. `docs/interface.md` lists them.

mod aliases;
mod database;
mod endpoint;
mod listen;
#[cfg(test)]
mod tests;
mod values;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytesize::ByteSize;
use proto::Domain;
use proto::pop3::server as pop3;
use proto::sasl::AUTH_OCTETS_MAX;
use proto::smtp::server::{self as smtp, Role};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::tls::{self, TlsError};

pub(crate) use aliases::AliasTable;
pub use aliases::{AliasError, Aliases};
pub use database::{Database, DatabaseError, StoreConfig};
pub use endpoint::{BadEndpoint, Endpoint};
pub use listen::{BadListen, Listen, Protocol, Tls};

/// The least that a POP3 session may be idle (RFC 1939 §3).
const AUTOLOGOUT_MIN: Duration = Duration::from_secs(10 * 60);
/// The most that an SMTP client can be told of a limit: six digits (RFC 9422 §3).
const LIMITS_VALUE_MAX: u64 = 999_999;

/// What is left free of the disk unless configured: what the store writes without mail coming in (docs/durability.md), and the
/// end of the largest message beside it; and little enough for a disk of a gigabyte.
const RESERVE: ByteSize = ByteSize::mib(64);

/// The configuration, checked.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The name that the server greets with, and the domain of its addresses.
    #[serde(with = "values::domain")]
    pub hostname: Domain,
    /// The folder of the server's own; `None`: the user's data directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<PathBuf>,
    /// The user that it runs as, once it has what only root can have; `None`: the one that started it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Where it listens; at least one.
    #[serde(deserialize_with = "listen::listeners")]
    pub listen: Vec<Listen>,
    /// What keeps accounts and mail.
    pub store: StoreConfig,
    /// What it shows to be the server; `None`: a certificate of its own making, kept in the data folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Certificate>,
    /// Which addresses stand for others.
    pub aliases: Aliases,
    /// Who may have an address.
    pub registration: Registration,
    /// How much is taken.
    pub limits: Limits,
    /// How long is waited.
    pub timeouts: Timeouts,
}

/// The files of the server's certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// The server's certificate, then those of its issuers (PEM).
    pub certificate: PathBuf,
    /// The private key that belongs to it (PEM).
    pub key: PathBuf,
}

/// Who may have an address, and for how long.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Registration {
    /// Whether anybody may.
    pub open: bool,
    /// If not empty: one of these must be shown.
    #[serde(serialize_with = "values::masked", deserialize_with = "values::secrets")]
    pub tokens: Vec<String>,
    /// Whether a client may ask for a name.
    pub names: bool,
    /// How long an address with a number is kept after its last use, and any address before somebody else may have it.
    #[serde(with = "values::duration")]
    pub lease: Duration,
    /// How many registrations one peer may make in an hour.
    #[serde(deserialize_with = "values::within::<1, { u32::MAX as u64 }, _, _>")]
    pub per_peer_per_hour: u32,
}

/// How much is taken.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest message.
    #[serde(deserialize_with = "values::size_of_at_least::<1, _>", serialize_with = "values::exact_size")]
    pub message_size: ByteSize,
    /// Most recipients of one message.
    #[serde(deserialize_with = "values::within::<1, LIMITS_VALUE_MAX, _, _>")]
    pub recipients: usize,
    /// Most domains that the recipients of one message are of.
    #[serde(deserialize_with = "values::within::<1, LIMITS_VALUE_MAX, _, _>")]
    pub recipient_domains: usize,
    /// Most messages of one SMTP session.
    #[serde(deserialize_with = "values::within::<1, LIMITS_VALUE_MAX, _, _>")]
    pub transactions: usize,
    /// Most that a mailbox holds.
    #[serde(deserialize_with = "values::size", serialize_with = "values::exact_size")]
    pub mailbox_size: ByteSize,
    /// Most messages that a mailbox holds.
    #[serde(deserialize_with = "values::within::<1, { u32::MAX as u64 }, _, _>")]
    pub mailbox_messages: u64,
    /// Most connections.
    #[serde(deserialize_with = "values::within::<1, { u32::MAX as u64 }, _, _>")]
    pub connections: usize,
    /// Most connections of one peer.
    #[serde(deserialize_with = "values::within::<1, { u32::MAX as u64 }, _, _>")]
    pub connections_per_peer: usize,
    /// Most errors of one session.
    #[serde(deserialize_with = "values::within::<1, { u32::MAX as u64 }, _, _>")]
    pub errors_per_session: usize,
    /// For how many addresses that are not there a session may ask.
    #[serde(deserialize_with = "values::within::<1, { u32::MAX as u64 }, _, _>")]
    pub unknown_recipients: u32,
    /// For how many a peer may, in an hour.
    #[serde(deserialize_with = "values::within::<1, { u32::MAX as u64 }, _, _>")]
    pub unknown_recipients_per_peer_per_hour: u32,
    /// Longest command line, in octets, its end included.
    #[serde(deserialize_with = "values::within::<512, { AUTH_OCTETS_MAX as u64 }, _, _>")]
    pub command_octets: usize,
    /// What is left free of the disk; 0: nothing.
    #[serde(deserialize_with = "values::size", serialize_with = "values::exact_size")]
    pub reserve: ByteSize,
    /// Slowest mail data: size a second, over a whole message that has taken longer than `timeouts.data`.
    #[serde(deserialize_with = "values::size", serialize_with = "values::exact_size")]
    pub min_rate: ByteSize,
}

/// How long is waited.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// For a client's next command.
    #[serde(with = "values::duration")]
    pub command: Duration,
    /// For the next octets of mail data, in or out.
    #[serde(with = "values::duration")]
    pub data: Duration,
    /// For sessions to finish when the server stops.
    #[serde(with = "values::duration")]
    pub shutdown: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            hostname: values::default_hostname(),
            data: None,
            user: None,
            listen: vec![
                Listen::smtp(SocketAddr::from((Ipv4Addr::LOCALHOST, 2525))),
                Listen::pop3(SocketAddr::from((Ipv4Addr::LOCALHOST, 1110))),
            ],
            store: StoreConfig::default(),
            tls: None,
            aliases: Aliases::default(),
            registration: Registration::default(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
        }
    }
}

impl Default for Registration {
    fn default() -> Self {
        Self {
            open: true,
            tokens: Vec::new(),
            names: true,
            lease: Duration::from_secs(24 * 60 * 60),
            per_peer_per_hour: 1000,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let smtp::Limits {
            command_octets,
            message_octets,
            recipients,
            recipient_domains,
            transactions,
            errors,
            data_octets_per_second_min,
        } = smtp::Limits::default();
        Self {
            message_size: ByteSize::b(message_octets),
            recipients,
            recipient_domains,
            transactions,
            mailbox_size: ByteSize::gib(1),
            mailbox_messages: 1_000_000,
            connections: 10_000,
            connections_per_peer: 1000,
            errors_per_session: errors,
            unknown_recipients: 100,
            unknown_recipients_per_peer_per_hour: 1000,
            command_octets,
            reserve: RESERVE,
            min_rate: ByteSize::b(data_octets_per_second_min),
        }
    }
}

impl Default for Timeouts {
    fn default() -> Self {
        let smtp::Timeouts { command, data } = smtp::Timeouts::default();
        Self { command, data, shutdown: Duration::from_secs(10) }
    }
}

/// Why there is no configuration.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("cannot read the configuration {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
    /// The file says something that can't be.
    #[error("{}, {place}: {message}", path.display())]
    Parse {
        /// Which file.
        path: PathBuf,
        /// Line and key.
        place: String,
        /// What is wrong there.
        message: String,
    },
}

impl Config {
    /// Reads a configuration file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let wrong = |span, message| ConfigError::Parse { path: path.to_owned(), place: place(&text, span), message };
        let failed = |error: toml::de::Error| wrong(error.span(), error.message().to_owned());
        let config: Self = toml::from_str(&text).map_err(failed)?;
        match listen::misplaced(&text).map_err(failed)? {
            Some((span, why)) => Err(wrong(Some(span), why.to_owned())),
            None => Ok(config),
        }
    }

    /// Whether every alias leads to accounts of this hostname.
    pub fn check_aliases(&self) -> Result<(), AliasError> {
        self.aliases.resolve(&self.hostname).map(drop)
    }

    /// Whether the certificate and the key that are configured can be used. Nothing is made or changed.
    pub fn check_certificate(&self) -> Result<(), TlsError> {
        self.tls.as_ref().map_or(Ok(()), tls::check)
    }

    /// Whether the files for the database can be read. The database is not asked.
    pub fn check_database(&self) -> Result<(), DatabaseError> {
        self.store.database().map_or(Ok(()), |database| database.options().map(drop))
    }

    /// The whole configuration as a file would say it, defaults and all, but without secrets.
    pub fn resolved(&self) -> Result<String, toml::ser::Error> {
        toml::to_string(self)
    }

    /// What a session on such a listener is told.
    pub(crate) fn session(&self, listen: &Listen) -> smtp::Config {
        smtp::Config {
            hostname: self.hostname.clone(),
            role: listen.role(),
            starttls: listen.tls == Tls::Starttls,
            reports: matches!(listen.role(), Role::Clients | Role::Submission),
            limits: smtp::Limits {
                command_octets: self.limits.command_octets,
                message_octets: self.limits.message_size.as_u64(),
                recipients: self.limits.recipients,
                recipient_domains: self.limits.recipient_domains,
                transactions: self.limits.transactions,
                errors: self.limits.errors_per_session,
                data_octets_per_second_min: self.limits.min_rate.as_u64(),
            },
            timeouts: smtp::Timeouts { command: self.timeouts.command, data: self.timeouts.data },
        }
    }

    /// What a POP3 session on such a listener is told.
    pub(crate) fn pop3_session(&self, listen: &Listen) -> pop3::Config {
        pop3::Config {
            hostname: self.hostname.clone(),
            starttls: listen.tls == Tls::Starttls,
            limits: pop3::Limits { command_octets: self.limits.command_octets, errors: self.limits.errors_per_session },
            timeout: self.timeouts.command.max(AUTOLOGOUT_MIN),
        }
    }
}

/// Line and key, but not the line itself: a secret may stand in it.
fn place(text: &str, span: Option<Range<usize>>) -> String {
    let at = span.map_or(0, |span| span.start.min(text.len()));
    let before = text.get(..at).unwrap_or(text);
    let number = before.matches('\n').count() + 1;
    let line = text.lines().nth(number - 1).unwrap_or_default();
    match line.split_once('=') {
        Some((key, _)) => format!("line {number}, {}", key.trim()),
        None => format!("line {number}"),
    }
}
