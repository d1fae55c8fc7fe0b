//! Who may do what: the answers to a session's questions, for one client.
//!
//! The session says how an answer is worded on the wire; here is decided what it is. A refusal is a [`Reply`] by name; what went
//! wrong inside goes to the log, and the client hears that something did.

mod accounts;
mod delivery;
mod incoming;
mod login;
mod maildrop;
pub(crate) mod password;
mod reports;
mod routing;
mod trace;
mod transaction;
mod unknown;

use std::fmt;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use proto::Address;
use proto::sasl::Channel;
use proto::smtp::{Reply, replies};
use store::{AccountId, Store, StoreError};
use tokio::runtime::Handle;

use crate::clock;
use crate::config::{Listen, Tls};
use crate::descriptors::Descriptors;
use crate::peers::PeerAddress;
use crate::presence::Bond;
use crate::rarely::Rarely;
use crate::shared::{Settings, Shared};

use incoming::Incoming;
use maildrop::Handover;

pub(crate) use accounts::{digest, keep_postmaster, new_password, verifier_of};
pub(crate) use maildrop::Listed;
pub(crate) use routing::warn_of_missing_accounts;
pub(crate) use transaction::Accepted;
use transaction::Transaction;

/// The client of one connection.
pub(crate) struct Client<S: Store> {
    shared: Arc<Shared<S>>,
    settings: Arc<Settings>,
    /// Which of the configured listeners it came to.
    place: usize,
    peer: PeerAddress,
    /// Whether the connection is encrypted, for trace lines.
    encrypted: bool,
    descriptors: Descriptors,
    registrations: usize,
    /// For how many addresses it has asked that are not there.
    unknown_recipients: u32,
    identity: Option<Box<Identity>>,
    transaction: Transaction,
    incoming: Incoming<S::Body>,
    handover: Handover<S::Reader>,
}

/// Who a client is.
struct Identity {
    account: AccountId,
    address: Address,
    bond: Bond,
    /// Whether it has proved it with a password, as RFC 3848 wants it told in trace lines.
    authenticated: bool,
}

impl<S: Store> Client<S> {
    pub(crate) fn new(shared: Arc<Shared<S>>, settings: Arc<Settings>, place: usize, peer: PeerAddress) -> Self {
        let encrypted = settings.listen(place).tls == Tls::Implicit;
        Self {
            shared,
            settings,
            place,
            peer,
            encrypted,
            descriptors: Descriptors::default(),
            registrations: 0,
            unknown_recipients: 0,
            identity: None,
            transaction: Transaction::default(),
            incoming: Incoming::default(),
            handover: Handover::default(),
        }
    }

    /// What a connection with this client is while it is in clear text. Nobody overhears what stays on this machine.
    pub(crate) fn clear_channel(&self) -> Channel {
        if self.peer.is_local() { Channel::Local } else { Channel::Clear }
    }

    fn listen(&self) -> &Listen {
        self.settings.listen(self.place)
    }

    /// The account that the client speaks for, as long as it exists.
    fn identity(&self) -> Option<&Identity> {
        self.identity.as_deref().filter(|identity| !identity.bond.has_ended())
    }

    /// Tells the operator of sessions that had to be ended, now and then of one of them.
    pub(crate) fn tell_of_end(&self, reason: Option<&impl fmt::Display>) {
        let Some(reason) = reason else { return };
        let (peer, protocol) = (self.peer, self.listen().protocol);
        tracing::debug!(%peer, %protocol, %reason, "ended");
        if let Some(times) = self.shared.ends.happened(Instant::now()) {
            tracing::info!(%peer, %protocol, %reason, times, "a session was ended");
        }
    }

    /// The connection is about to be encrypted: what was agreed on in clear text is void (RFC 3207 §4.2, RFC 2595 §4).
    pub(crate) async fn start_anew(&mut self) {
        self.leave().await;
        self.transaction = Transaction::default();
        self.incoming = Incoming::default();
        self.handover = Handover::default();
        self.encrypted = true;
    }

    /// The connection is at its end.
    pub(crate) async fn leave(&mut self) {
        if let Some(identity) = self.identity.take() {
            // Boxed: most have none.
            Box::pin(depart(&self.shared, &self.settings, *identity)).await;
        }
    }
}

impl<S: Store> Drop for Client<S> {
    /// A task that panicked or was cut off has not left. When the whole server ends nothing comes of this; the next one ends
    /// such accounts at its start.
    fn drop(&mut self) {
        if let (Some(identity), Ok(runtime)) = (self.identity.take(), Handle::try_current()) {
            let (shared, settings) = (self.shared.clone(), self.settings.clone());
            runtime.spawn(async move { depart(&shared, &settings, *identity).await });
        }
    }
}

/// A session lets go of its account. One that nobody could ever read again ends.
async fn depart<S: Store>(shared: &Shared<S>, settings: &Settings, identity: Identity) {
    if identity.bond.has_ended() {
        return;
    }
    let (account, now) = (identity.account, clock::steady());
    let result = match shared.store.account(account).await {
        Ok(Some(found)) if found.verifier.is_none() => {
            shared.store.end_account(account, clock::after(now, settings.config.registration.lease)).await
        }
        Ok(_) => shared.touch(&[account], now).await,
        Err(error) => Err(error),
    };
    if let Err(error) = result {
        log_failure(&error, "cannot note that a client has left");
    }
}

/// What a client is told when the store did not do it; the cause goes to the log.
fn store_refusal(error: &StoreError) -> Reply {
    log_failure(error, "the store did not do it");
    match error {
        StoreError::Full => replies::STORE_FULL,
        _ => replies::STORE_FAILED,
    }
}

/// Tells the operator why the store did not do it. That it takes no writes any more it has said itself when that began; and what may
/// work later, for all sessions at once, is told once in a while.
pub(crate) fn log_failure(error: &StoreError, what: &str) {
    static PASSING: LazyLock<Rarely> = LazyLock::new(Rarely::default);
    match error {
        StoreError::Poisoned => tracing::debug!(%error, "{what}"),
        StoreError::TryAgain(_) => match PASSING.happened(Instant::now()) {
            Some(times) => tracing::warn!(%error, times, "{what}"),
            None => tracing::debug!(%error, "{what}"),
        },
        _ => tracing::error!(%error, "{what}"),
    }
}
