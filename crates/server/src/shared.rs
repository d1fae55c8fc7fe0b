//! What all connections share.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use proto::sasl::scram::Verifier;
use proto::{pop3, smtp};
use store::{AccountId, Store, StoreError, Timestamp};
use tokio::sync::watch;

use crate::config::{AliasError, AliasTable, Config, Listen, Protocol};
use crate::derivations::Derivations;
use crate::failures::Failures;
use crate::peers::{Connections, Peer};
use crate::presence::Presence;
use crate::rarely::Rarely;
use crate::room::KnownRoom;
use crate::sharing::TALLIES;
use crate::tally::{Key, Shareable, Tally};
use crate::tls::Acceptor;

const HOUR: Duration = Duration::from_secs(60 * 60);

/// Who asks for addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Seeker {
    Peer(Peer),
    /// Wherever it comes from.
    Account(AccountId),
}

impl Key for Seeker {
    fn elsewhere(&self) -> Option<String> {
        match self {
            Self::Peer(peer) => peer.elsewhere(),
            Self::Account(account) => Some(format!("account {}", account.0)),
        }
    }
}

/// The server behind its listeners.
pub(crate) struct Shared<S> {
    pub(crate) store: S,
    pub(crate) connections: Arc<Connections>,
    /// Connections that were one too many.
    pub(crate) refusals: Rarely,
    /// Sessions that had to be ended.
    pub(crate) ends: Rarely,
    /// Mail that was refused because a mailbox is full.
    pub(crate) full_mailboxes: Rarely,
    pub(crate) presence: Arc<Presence>,
    /// Turns true when the server stops.
    pub(crate) stopping: watch::Sender<bool>,
    pub(crate) derivations: Derivations,
    pub(crate) failures: Failures,
    /// How often each peer has registered in an hour.
    pub(crate) registrations: Tally<Peer>,
    /// For how many addresses that are not there each peer has asked in an hour, and each account that has a password.
    pub(crate) unknown_recipients: Tally<Seeker>,
    pub(crate) room: KnownRoom,
    decoy_secret: [u8; 32],
    settings: RwLock<Arc<Settings>>,
    next_trace_id: AtomicU64,
}

/// What a new connection finds configured; a running one keeps what it found.
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) aliases: AliasTable,
    /// What encrypts connections; `None` if no listener wants it.
    pub(crate) acceptor: Option<Acceptor>,
    /// In the order of [`Config::listen`].
    sessions: Vec<Sessions>,
}

/// What the sessions of a listener are told.
pub(crate) enum Sessions {
    /// Those of SMTP and LMTP.
    Smtp(Arc<smtp::server::Config>),
    /// Those of POP3.
    Pop3(Arc<pop3::server::Config>),
}

impl Sessions {
    fn of(listen: &Listen, config: &Config) -> Self {
        match listen.protocol {
            Protocol::Smtp | Protocol::Submission | Protocol::Lmtp => Self::Smtp(Arc::new(config.session(listen))),
            Protocol::Pop3 => Self::Pop3(Arc::new(config.pop3_session(listen))),
        }
    }
}

impl Settings {
    /// Fails if an alias does not lead to accounts.
    pub(crate) fn new(config: Config, acceptor: Option<Acceptor>) -> Result<Arc<Self>, AliasError> {
        let aliases = config.aliases.resolve(&config.hostname)?;
        let sessions = config.listen.iter().map(|listen| Sessions::of(listen, &config)).collect();
        Ok(Arc::new(Self { config, aliases, acceptor, sessions }))
    }

    /// The listener of this place in the configuration.
    pub(crate) fn listen(&self, place: usize) -> &Listen {
        &self.config.listen[place]
    }

    /// What its sessions are told.
    pub(crate) fn sessions(&self, place: usize) -> &Sessions {
        &self.sessions[place]
    }
}

impl<S> Shared<S> {
    pub(crate) fn new(settings: Arc<Settings>, store: S, decoy_secret: [u8; 32]) -> Self {
        // From the time of day, so that no two runs of the server name a message alike.
        let microseconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        Self {
            store,
            connections: Arc::default(),
            refusals: Rarely::default(),
            ends: Rarely::default(),
            full_mailboxes: Rarely::default(),
            presence: Arc::default(),
            stopping: watch::Sender::new(false),
            derivations: Derivations::new(),
            failures: Failures::default(),
            registrations: Tally::over(HOUR),
            unknown_recipients: Tally::over(HOUR),
            room: KnownRoom::default(),
            decoy_secret,
            settings: RwLock::new(settings),
            next_trace_id: AtomicU64::new(u64::try_from(microseconds).unwrap_or_default()),
        }
    }

    /// What is counted together with other servers. They know the tallies by their order here.
    pub(crate) fn tallies(&self) -> [&dyn Shareable; TALLIES] {
        let [of_pairs, of_peers, of_accounts] = self.failures.tallies();
        [of_pairs, of_peers, of_accounts, &self.registrations, &self.unknown_recipients]
    }

    /// What is compared with where there is no account, so that a login looks and costs the same.
    pub(crate) fn decoy(&self, user: &str) -> Verifier {
        Verifier::decoy(&self.decoy_secret, user)
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// New connections find this configured.
    pub(crate) fn reload(&self, settings: Arc<Settings>) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// A name for a message, in its trace line and in the log.
    pub(crate) fn trace_id(&self) -> TraceId {
        TraceId(self.next_trace_id.fetch_add(1, Ordering::Relaxed))
    }
}

impl<S: Store> Shared<S> {
    /// Notes that these accounts were used now. Those that have ended meanwhile, on another server perhaps, end for all
    /// their sessions here.
    pub(crate) async fn touch(&self, accounts: &[AccountId], now: Timestamp) -> Result<(), StoreError> {
        for ended in self.store.touch(accounts, now).await? {
            self.presence.end(ended);
        }
        Ok(())
    }
}

/// What a message is called in its trace line and in the log.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TraceId(u64);

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}", self.0)
    }
}
