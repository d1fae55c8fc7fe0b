//! The server as a whole: bind, run, reload, stop.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use store::{Store, StoreError};
use thiserror::Error;
use tokio::task::{JoinError, JoinSet};
use tokio::time::timeout;

use crate::config::{AliasError, Config, Endpoint, Listen, Tls};
use crate::listener::{Bound, Inherited, Listener};
use crate::policy::{keep_postmaster, warn_of_missing_accounts};
use crate::shared::{Settings, Shared};
use crate::tls::{Acceptor, TlsError};
use crate::{admin, clock, housekeeping, listener, sharing};

/// How long the store has at the end.
const LEAVE_MAX: Duration = Duration::from_secs(5);

/// Why the server can't start.
#[derive(Debug, Error)]
pub enum BindError {
    /// A listener's address can't be had.
    #[error("cannot listen on {listen}: {source}")]
    Listen {
        /// Which listener.
        listen: Listen,
        /// Why not.
        source: io::Error,
    },
    /// A socket that the process was started with has an address that no listener has, or it has none at all.
    #[error(
        "a socket was handed over that is of no listener, {}: the addresses have to be the same",
        .0.as_ref().map_or("unnamed".to_owned(), Endpoint::to_string)
    )]
    Inherited(Option<Endpoint>),
    /// The operator's socket can't be had.
    #[error("cannot listen on the admin socket in {}: {source}", folder.display())]
    Admin {
        /// The data folder.
        folder: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// Certificate or key can't be had.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An alias leads nowhere.
    #[error(transparent)]
    Aliases(#[from] AliasError),
    /// The store does not work.
    #[error("cannot prepare the store: {0}")]
    Store(#[from] StoreError),
}

/// Why a configuration can't take the place of another.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// Certificate or key can't be had.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An alias leads nowhere.
    #[error(transparent)]
    Aliases(#[from] AliasError),
}

/// A listener or the housekeeping ended by a fault of the program.
#[derive(Debug, Error)]
#[error("a part of the server has died, so it has stopped: {0}")]
pub struct PartDied(#[source] JoinError);

/// What a server may need another user's rights for: the sockets of its listeners, and the certificate and key that are configured.
pub struct Prepared {
    config: Config,
    listeners: Vec<Bound>,
    /// `None`: no listener wants TLS, or it is the server's own certificate, which is in its data folder.
    acceptor: Option<Acceptor>,
}

impl Prepared {
    /// Listens and reads. A listener whose address an inherited socket has takes that one. Starts no thread.
    pub fn new(config: Config, mut inherited: Vec<Inherited>) -> Result<Self, BindError> {
        let acceptor = if config.tls.is_some() { acceptor(&config, Path::new(""))? } else { None };
        config.check_aliases()?;
        let mut listeners = Vec::new();
        for listen in &config.listen {
            let bound = take(&mut inherited, &listen.address).and_then(|socket| match socket {
                Some(socket) => socket.into_bound(),
                None => Bound::bind(&listen.address),
            });
            listeners.push(bound.map_err(|source| BindError::Listen { listen: listen.clone(), source })?);
        }
        match inherited.first() {
            Some(socket) => Err(BindError::Inherited(socket.address().ok().flatten())),
            None => Ok(Self { config, listeners, acceptor }),
        }
    }
}

/// Takes the socket with this address, if there is one.
fn take(inherited: &mut Vec<Inherited>, address: &Endpoint) -> io::Result<Option<Inherited>> {
    for place in 0..inherited.len() {
        if inherited[place].address()?.as_ref() == Some(address) {
            return Ok(Some(inherited.swap_remove(place)));
        }
    }
    Ok(None)
}

/// A server whose listeners are bound.
pub struct Server<S> {
    // First, because it has to go before the store's lock does.
    admin: admin::Socket,
    shared: Arc<Shared<S>>,
    data: PathBuf,
    listeners: Vec<(Listen, Listener)>,
}

/// What can be told to a running server.
pub struct Handle<S> {
    shared: Arc<Shared<S>>,
    data: PathBuf,
}

impl<S: Store> Server<S> {
    /// Binds all listeners, and gets ready.
    pub async fn bind(config: Config, data: &Path, store: S) -> Result<Self, BindError> {
        Self::new(Prepared::new(config, Vec::new())?, data, store).await
    }

    /// Gets ready, and ends the accounts that a server before this one left without a way to log in.
    pub async fn new(prepared: Prepared, data: &Path, store: S) -> Result<Self, BindError> {
        let Prepared { config, listeners: bound, acceptor: configured } = prepared;
        let acceptor = if configured.is_some() { configured } else { acceptor(&config, data)? };
        let settings = Settings::new(config, acceptor)?;
        let config = &settings.config;
        let mut listeners = Vec::new();
        for (listen, bound) in config.listen.iter().zip(bound) {
            let listener =
                Listener::new(bound).map_err(|source| BindError::Listen { listen: listen.clone(), source })?;
            listeners.push((listen.clone(), listener));
        }
        let admin = admin::Socket::bind(data).map_err(|source| BindError::Admin { folder: data.to_owned(), source })?;
        let (now, lease) = (clock::steady(), config.registration.lease);
        housekeeping::resume(&store, clock::before(now, lease), now).await?;
        let ended = store.end_unclaimed(clock::after(now, lease)).await?;
        if ended > 0 {
            tracing::info!(accounts = ended, "ended: their connections are gone and they have no password");
        }
        let decoy_secret = keep_postmaster(&store, &config.hostname).await?;
        warn_of_missing_accounts(&store, &settings.aliases).await?;
        let shared = Shared::new(settings.clone(), store, decoy_secret);
        // Before the first client asks.
        shared.look_for_room();
        Ok(Self { admin, shared: Arc::new(shared), data: data.to_owned(), listeners })
    }

    /// The listeners in the order of the configuration, with the addresses really bound.
    pub fn addresses(&self) -> io::Result<Vec<(&Listen, Endpoint)>> {
        self.listeners.iter().map(|(listen, listener)| Ok((listen, listener.address(&listen.address)?))).collect()
    }

    /// For telling it things while it runs.
    pub fn handle(&self) -> Handle<S> {
        Handle { shared: self.shared.clone(), data: self.data.clone() }
    }

    /// Serves until `shutdown` resolves. Then listeners close first, idle sessions are sent away, and those that are receiving a
    /// message have until `timeouts.shutdown` to finish it. A server of which a part has died stops too.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), PartDied> {
        tell_of_limits(&self.shared.settings().config);
        let mut tasks = JoinSet::new();
        for (place, (_, listener)) in self.listeners.into_iter().enumerate() {
            tasks.spawn(listener::run(self.shared.clone(), place, listener));
        }
        tasks.spawn(admin::run(self.shared.clone(), self.admin));
        tasks.spawn(housekeeping::run(self.shared.clone()));
        tasks.spawn(sharing::run(self.shared.clone()));
        let mut outcome = tokio::select! {
            () = shutdown => Ok(()),
            // No part ends before it is told to, unless it panics.
            Some(ended) = tasks.join_next() => ended.map_err(PartDied),
        };
        tracing::info!("stopping");
        self.shared.stopping.send_replace(true);
        while let Some(ended) = tasks.join_next().await {
            outcome = outcome.and(ended.map_err(PartDied));
        }
        leave(&self.shared).await;
        outcome
    }
}

/// All connections are gone. What the store can't be told of that it finds out later.
async fn leave<S: Store>(shared: &Shared<S>) {
    let held_until = clock::after(clock::steady(), shared.settings().config.registration.lease);
    match timeout(LEAVE_MAX, shared.store.leave(held_until)).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::warn!(%error, "cannot tell the store that the server has stopped"),
        Err(_) => tracing::warn!("the store does not answer: it is not told that the server has stopped"),
    }
}

impl<S: Store> Handle<S> {
    /// Resolves when the store has answered, whatever it says.
    pub async fn store_answers(&self) {
        if let Err(error) = self.shared.store.answer().await {
            tracing::debug!(%error, "the store answers, but with an error");
        }
    }

    /// New connections find this configuration, with certificate and key as they are now. Hostname, data folder, store, user and
    /// listeners stay as they are: `false` if the new ones differ, so that only a new start makes all of it true. After an error all
    /// is as it was.
    pub fn reload(&self, config: Config) -> Result<bool, ReloadError> {
        let settings = self.shared.settings();
        let Config { hostname, data, store, user, listen, .. } = settings.config.clone();
        let place = (&hostname, &data, &store, &user, &listen);
        let same = place == (&config.hostname, &config.data, &config.store, &config.user, &config.listen);
        let config = Config { hostname, data, store, user, listen, ..config };
        let acceptor = acceptor(&config, &self.data)?;
        tell_of_limits(&config);
        self.shared.reload(Settings::new(config, acceptor)?);
        Ok(same)
    }
}

/// The limits that strangers meet.
fn tell_of_limits(config: &Config) {
    let (limits, registrations_per_peer_per_hour) = (&config.limits, config.registration.per_peer_per_hour);
    tracing::info!(
        limits.connections,
        limits.connections_per_peer,
        limits.errors_per_session,
        limits.recipients,
        limits.unknown_recipients,
        limits.unknown_recipients_per_peer_per_hour,
        registrations_per_peer_per_hour,
        message_size = %limits.message_size,
        mailbox_size = %limits.mailbox_size,
        reserve = %limits.reserve,
        "limits are in force; mymail check-config prints them all"
    );
}

/// What encrypts connections, if a listener wants that.
fn acceptor(config: &Config, data: &Path) -> Result<Option<Acceptor>, TlsError> {
    let is_wanted = config.listen.iter().any(|listen| listen.tls != Tls::Off);
    is_wanted.then(|| Acceptor::new(config, data)).transpose()
}
