//! What all connections share.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use proto::sasl::scram::{self, Verifier};
use tokio::sync::{Semaphore, watch};

use crate::config::Config;
use crate::peers::{Connections, RegistrationRate};
use crate::presence::Presence;

/// The server behind its listeners.
pub(crate) struct Shared<S> {
    pub(crate) store: S,
    pub(crate) connections: Arc<Connections>,
    pub(crate) presence: Arc<Presence>,
    /// Turns true when the server stops.
    pub(crate) stopping: watch::Sender<bool>,
    /// How many keys may be derived at once.
    pub(crate) derivations: Semaphore,
    /// Compared with where there is no account, so that a login costs the same.
    pub(crate) decoy: Verifier,
    settings: RwLock<Arc<Settings>>,
    next_trace_id: AtomicU64,
}

/// What a new connection finds configured; a running one keeps what it found.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) registration_rate: RegistrationRate,
}

impl Settings {
    fn new(config: Config) -> Arc<Self> {
        let registration_rate = RegistrationRate::per_hour(config.registration.per_peer_per_hour);
        Arc::new(Self { config, registration_rate })
    }
}

impl<S> Shared<S> {
    pub(crate) fn new(config: Config, store: S) -> Self {
        // From the time of day, so that no two runs of the server name a message alike.
        let microseconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        Self {
            store,
            connections: Arc::default(),
            presence: Arc::default(),
            stopping: watch::Sender::new(false),
            derivations: Semaphore::new(thread::available_parallelism().map_or(1, NonZeroUsize::get)),
            decoy: Verifier::derive("", &[0; scram::SALT_OCTETS], scram::ITERATIONS),
            settings: RwLock::new(Settings::new(config)),
            next_trace_id: AtomicU64::new(u64::try_from(microseconds).unwrap_or_default()),
        }
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// New connections find this configured.
    pub(crate) fn reload(&self, config: Config) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Settings::new(config);
    }

    /// A name for a message, in its trace line and in the log.
    pub(crate) fn trace_id(&self) -> String {
        format!("{:x}", self.next_trace_id.fetch_add(1, Ordering::Relaxed))
    }
}
