//! The mailboxes that were asked for lately, by their addresses, as the writer keeps them.
//!
//! The writer alone puts mailboxes in and changes them, in the order of its work: what is found here counts everything that
//! was acknowledged, whether the tables know it yet or not.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{AccountId, Mailbox};

/// The most mailboxes that are known at once, some 200 octets of memory each. One more, and all are forgotten.
const KNOWN_MAX: usize = 1 << 17;

/// Shared by the writer and those who look up.
#[derive(Debug, Default)]
pub(super) struct Mailboxes(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    accounts: HashMap<String, AccountId>,
    mailboxes: HashMap<AccountId, (String, Mailbox)>,
}

impl Mailboxes {
    /// The mailbox of the account with this key, if it is known.
    pub(super) fn find(&self, key: &str) -> Option<Mailbox> {
        let known = self.lock();
        known.accounts.get(key).and_then(|account| known.mailboxes.get(account)).map(|(_, mailbox)| *mailbox)
    }

    /// Whether it is known. Only living accounts are.
    pub(super) fn knows(&self, account: AccountId) -> bool {
        self.lock().mailboxes.contains_key(&account)
    }

    /// Keeps what is in the tables.
    pub(super) fn add(&self, key: String, mailbox: Mailbox) {
        let mut known = self.lock();
        if known.mailboxes.len() >= KNOWN_MAX {
            *known = Known::default();
        }
        known.accounts.insert(key.clone(), mailbox.account);
        known.mailboxes.insert(mailbox.account, (key, mailbox));
    }

    /// Messages have come, each of so many octets.
    pub(super) fn arrived(&self, messages: &[(AccountId, u64)]) {
        let mut known = self.lock();
        for (account, octets) in messages {
            if let Some((_, mailbox)) = known.mailboxes.get_mut(account) {
                mailbox.octets += octets;
                mailbox.messages += 1;
            }
        }
    }

    /// It has changed; `None`: its account has ended.
    pub(super) fn changed(&self, account: AccountId, mailbox: Option<Mailbox>) {
        let mut known = self.lock();
        match mailbox {
            Some(now) => {
                if let Some((_, mailbox)) = known.mailboxes.get_mut(&account) {
                    *mailbox = now;
                }
            }
            None => {
                if let Some((key, _)) = known.mailboxes.remove(&account) {
                    known.accounts.remove(&key);
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
