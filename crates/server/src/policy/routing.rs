//! Where mail for an address goes: to an account, to those that an alias stands for, or to nobody here.

use std::collections::BTreeSet;

use proto::smtp::server::{Verified, Verify};
use proto::smtp::{Reply, replies};
use proto::{Address, Domain, ForwardPath, ReversePath};
use store::{Mailbox, Recipient, Store, StoreError};

use super::{Client, store_refusal};
use crate::clock;
use crate::config::AliasTable;

/// The mailboxes that mail for an address goes to.
pub(super) enum Route {
    /// The account of this address.
    Account(Mailbox),
    /// The accounts that an alias or a catch-all stands for.
    Several(Vec<Member>),
}

/// One account of several.
pub(super) struct Member {
    pub(super) address: Address,
    /// `None`: there is no such account.
    pub(super) mailbox: Option<Mailbox>,
}

impl<S: Store> Client<S> {
    pub(super) fn domain(&self) -> &Domain {
        &self.settings.config.hostname
    }

    /// Whether an address is one of ours to give, whoever has it.
    pub(super) fn is_local(&self, address: &Address) -> bool {
        self.settings.aliases.is_local(address.domain())
    }

    /// The address that a forward-path means here. All others are for other servers, and mail for them is not taken.
    pub(super) fn local_address(&self, forward_path: &ForwardPath) -> Result<Address, Reply> {
        match forward_path {
            ForwardPath::Address(address) if self.is_local(address) => Ok(address.clone()),
            ForwardPath::Address(_) => Err(replies::RELAYING_DENIED),
            ForwardPath::Postmaster => Ok(Address::postmaster(self.domain())),
        }
    }

    /// Where mail for a local address goes. What the operator has said comes first, then the accounts, then the catch-all.
    pub(super) async fn route(&self, address: &Address) -> Result<Route, Reply> {
        let aliases = &self.settings.aliases;
        if let Some(members) = aliases.expand(address) {
            // Boxed, like what is rare elsewhere: a connection should not have room for it all its life.
            return Box::pin(self.look_up_members(members)).await;
        }
        if let Some(mailbox) = self.mailbox(address).await? {
            return Ok(Route::Account(mailbox));
        }
        match aliases.catch_all(address) {
            // What is for somebody who was here is for nobody else, as long as the address is held.
            Some(members) if !self.is_held(address).await? => Box::pin(self.look_up_members(members)).await,
            _ => Err(replies::NO_SUCH_USER),
        }
    }

    async fn look_up_members(&self, addresses: Vec<Address>) -> Result<Route, Reply> {
        let mut members = Vec::with_capacity(addresses.len());
        for address in addresses {
            let mailbox = self.mailbox(&address).await?;
            members.push(Member { address, mailbox });
        }
        Ok(Route::Several(members))
    }

    async fn is_held(&self, address: &Address) -> Result<bool, Reply> {
        self.shared.store.is_held(address, clock::steady()).await.map_err(|error| store_refusal(&error))
    }

    async fn mailbox(&self, address: &Address) -> Result<Option<Mailbox>, Reply> {
        self.shared.store.mailbox(address).await.map_err(|error| store_refusal(&error))
    }

    /// Whether an address is the client's to send from: its own, or an alias that leads to it alone.
    pub(super) fn is_own(&self, own: &Address, sender: &Address) -> bool {
        sender.key() == own.key()
            || self
                .settings
                .aliases
                .expand(sender)
                .is_some_and(|targets| !targets.is_empty() && targets.iter().all(|target| target.key() == own.key()))
    }

    /// The mailboxes of whoever a message comes from, where reports on it can go. Nobody's, if it is not from here.
    pub(super) async fn way_back(&self, reverse_path: &ReversePath) -> Result<Vec<Recipient>, Reply> {
        let Some(address) = reverse_path.address().filter(|address| self.is_local(address)) else {
            return Ok(Vec::new());
        };
        let to = |mailbox: Mailbox| Recipient { account: mailbox.account, address: address.clone() };
        match self.route(address).await {
            Ok(Route::Account(mailbox)) => {
                Ok(Some(mailbox).filter(|it| self.has_room(it, None)).map(to).into_iter().collect())
            }
            Ok(Route::Several(members)) => {
                let mailboxes = members.into_iter().filter_map(|member| member.mailbox);
                Ok(mailboxes.filter(|mailbox| self.has_room(mailbox, None)).map(to).collect())
            }
            Err(reply) if reply == replies::NO_SUCH_USER => Ok(Vec::new()),
            Err(reply) => Err(reply),
        }
    }

    /// Whether a mailbox takes one more message, of so many octets if that is known.
    pub(super) fn has_room(&self, mailbox: &Mailbox, octets: Option<u64>) -> bool {
        let room = self.room(mailbox);
        room > 0 && octets.unwrap_or(0) <= room
    }

    /// How many octets a mailbox can still take; none, if it has all the messages that it may have.
    pub(super) fn room(&self, mailbox: &Mailbox) -> u64 {
        let limits = &self.settings.config.limits;
        let octets_max = mailbox.quota.octets.unwrap_or(limits.mailbox_size.as_u64());
        let messages_max = mailbox.quota.messages.unwrap_or(limits.mailbox_messages);
        if mailbox.messages < messages_max { octets_max.saturating_sub(mailbox.octets) } else { 0 }
    }

    /// Is that a mailbox here? Those who have an account may ask: they would find out by sending.
    pub(crate) async fn verify(&mut self, question: &Verify<super::Accepted>) -> Result<Verified, Reply> {
        let local = self.local_address(&question.mailbox);
        let (Some(_), Ok(address)) = (self.identity(), local) else {
            return Ok(Verified::NotTold);
        };
        self.may_ask()?;
        match self.route(&address).await {
            Ok(Route::Several(members)) if members.iter().all(|member| member.mailbox.is_none()) => {
                Err(self.unknown_recipient().await)
            }
            Err(reply) if reply == replies::NO_SUCH_USER => Err(self.unknown_recipient().await),
            found => found.map(|_| Verified::Mailbox(address)),
        }
    }
}

/// Tells the operator of aliases that lead to nobody: whoever registers such a name gets their mail.
pub(crate) async fn warn_of_missing_accounts(store: &impl Store, aliases: &AliasTable) -> Result<(), StoreError> {
    let missing: BTreeSet<&Address> = aliases.targets().collect();
    for address in missing {
        if store.mailbox(address).await?.is_none() {
            tracing::warn!(%address, "an alias leads there, but there is no account: whoever registers that name gets its mail");
        }
    }
    Ok(())
}
