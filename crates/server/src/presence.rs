//! Who is here: the accounts that sessions speak for right now.
//!
//! An account that is in use keeps its lease; one that is unregistered, or removed by the operator, is gone for
//! all its sessions at once.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use store::AccountId;

/// The accounts in use.
#[derive(Debug, Default)]
pub(crate) struct Presence {
    accounts: Mutex<HashMap<AccountId, InUse>>,
}

#[derive(Debug, Default)]
struct InUse {
    sessions: usize,
    ended: Arc<AtomicBool>,
}

/// A session's hold on its account, until it is dropped.
#[derive(Debug)]
pub(crate) struct Bond {
    presence: Arc<Presence>,
    account: AccountId,
    ended: Arc<AtomicBool>,
}

impl Presence {
    /// One more session speaks for this account.
    pub(crate) fn bind(self: &Arc<Self>, account: AccountId) -> Bond {
        let mut accounts = self.accounts();
        let in_use = accounts.entry(account).or_default();
        in_use.sessions += 1;
        Bond { presence: self.clone(), account, ended: in_use.ended.clone() }
    }

    /// The accounts in use, those that are gone not among them.
    pub(crate) fn in_use(&self) -> Vec<AccountId> {
        let accounts = self.accounts();
        let living = accounts.iter().filter(|(_, in_use)| !in_use.ended.load(Ordering::Acquire));
        living.map(|(account, _)| *account).collect()
    }

    /// An account is gone, for all its sessions.
    pub(crate) fn end(&self, account: AccountId) {
        if let Some(in_use) = self.accounts().get(&account) {
            in_use.ended.store(true, Ordering::Release);
        }
    }

    fn accounts(&self) -> MutexGuard<'_, HashMap<AccountId, InUse>> {
        self.accounts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bond {
    /// The account is gone, for all its sessions.
    pub(crate) fn end(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// Whether the account is gone.
    pub(crate) fn has_ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }
}

impl Drop for Bond {
    fn drop(&mut self) {
        let mut accounts = self.presence.accounts();
        if let Some(in_use) = accounts.get_mut(&self.account) {
            in_use.sessions -= 1;
            if in_use.sessions == 0 {
                accounts.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_in_use_while_a_session_speaks_for_it() {
        let presence = Arc::new(Presence::default());
        let (first, second) = (presence.bind(AccountId(1)), presence.bind(AccountId(1)));
        drop(first);
        assert_eq!(presence.in_use(), [AccountId(1)]);
        drop(second);
        assert_eq!(presence.in_use(), []);
    }

    #[test]
    fn an_account_ends_for_all_its_sessions() {
        let presence = Arc::new(Presence::default());
        let (first, second) = (presence.bind(AccountId(1)), presence.bind(AccountId(1)));
        first.end();
        assert!(second.has_ended());
        assert!(!presence.bind(AccountId(2)).has_ended());
    }

    #[test]
    fn an_account_is_ended_by_one_who_has_no_session() {
        let presence = Arc::new(Presence::default());
        let (first, second) = (presence.bind(AccountId(1)), presence.bind(AccountId(1)));
        let other = presence.bind(AccountId(2));
        presence.end(AccountId(1));
        presence.end(AccountId(3));
        assert_eq!(presence.in_use(), [AccountId(2)]);
        assert!(first.has_ended() && second.has_ended() && !other.has_ended());
        assert!(presence.bind(AccountId(1)).has_ended(), "one that comes late has no account either");
    }
}
