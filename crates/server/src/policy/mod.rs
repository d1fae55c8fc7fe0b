//! Who may do what: the answers to a session's questions, for one client.
//!
//! The session says how an answer is worded on the wire; here is decided what it is. A refusal is a [`Reply`] by name; what went
//! wrong inside goes to the log, and the client hears that something did.

mod accounts;
mod maildrop;
mod password;
mod transaction;

use std::net::SocketAddr;
use std::sync::Arc;

use proto::Address;
use proto::smtp::{Reply, replies};
use store::{AccountId, Store, StoreError};

use crate::clock;
use crate::config::Listen;
use crate::descriptors::Descriptors;
use crate::presence::Bond;
use crate::shared::{Settings, Shared};

pub(crate) use accounts::keep_postmaster;
use maildrop::Handover;
use transaction::Incoming;

/// The client of one connection.
pub(crate) struct Client<S: Store> {
    shared: Arc<Shared<S>>,
    settings: Arc<Settings>,
    listen: Listen,
    peer: SocketAddr,
    descriptors: Descriptors,
    identity: Option<Identity>,
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
    pub(crate) fn new(shared: Arc<Shared<S>>, settings: Arc<Settings>, listen: Listen, peer: SocketAddr) -> Self {
        Self {
            shared,
            settings,
            listen,
            peer,
            descriptors: Descriptors::default(),
            identity: None,
            incoming: Incoming::default(),
            handover: Handover::default(),
        }
    }

    /// The account that the client speaks for, as long as it exists.
    fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref().filter(|identity| !identity.bond.has_ended())
    }

    /// The connection is at its end. An account that nobody could ever read again goes with it.
    pub(crate) async fn leave(&mut self) {
        let Some(Identity { account, .. }) = self.identity.take().filter(|identity| !identity.bond.has_ended()) else {
            return;
        };
        let now = clock::now();
        let result = match self.shared.store.account(account).await {
            Ok(Some(found)) if found.verifier.is_none() => {
                let held_until = clock::after(now, self.settings.config.registration.lease);
                self.shared.store.end_account(account, held_until).await
            }
            Ok(_) => self.shared.store.touch(&[account], now).await,
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            tracing::error!(%error, "cannot note that a client has left");
        }
    }
}

/// What a client is told when the store did not do it; the cause goes to the log.
fn store_refusal(error: &StoreError) -> Reply {
    tracing::error!(%error, "the store did not do it");
    match error {
        StoreError::Full => replies::STORE_FULL,
        _ => replies::STORE_FAILED,
    }
}
