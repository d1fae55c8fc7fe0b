//! Logins that failed, counted for each peer and for each account that they were about, so that nobody guesses for long.
//!
//! Counting begins with the first failure and is forgotten after [`PERIOD`]. A login that succeeds takes nothing back: else
//! whoever has an account could guess at others between his own logins.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::peers::Peer;

/// How long failures are remembered.
const PERIOD: Duration = Duration::from_secs(15 * 60);
/// How many one peer may have in that time.
const OF_PEER_MAX: u32 = 60;
/// How many one account may have in that time.
const OF_ACCOUNT_MAX: u32 = 20;
/// How many peers, and how many accounts, are remembered at most.
const REMEMBERED_MAX: usize = 100_000;

/// The failures of the last [`PERIOD`].
#[derive(Debug, Default)]
pub(crate) struct Failures {
    of_peers: Tally<Peer>,
    /// By the account's key, whether there is such an account or not.
    of_accounts: Tally<String>,
}

impl Failures {
    /// Whether this peer, or the account, has had its share.
    pub(crate) fn are_too_many(&self, peer: Peer, account: &str) -> bool {
        let now = Instant::now();
        self.of_peers.count_of(&peer, now) >= OF_PEER_MAX || self.of_accounts.count_of(account, now) >= OF_ACCOUNT_MAX
    }

    /// Counts one more.
    pub(crate) fn count(&self, peer: Peer, account: String) {
        let now = Instant::now();
        self.of_peers.add(peer, now);
        self.of_accounts.add(account, now);
    }

    /// Forgets what is over.
    pub(crate) fn forget_old(&self) {
        let now = Instant::now();
        self.of_peers.forget_old(now);
        self.of_accounts.forget_old(now);
    }
}

/// How often something happened lately, for each key.
#[derive(Debug)]
struct Tally<K> {
    counts: Mutex<HashMap<K, Count>>,
}

#[derive(Debug)]
struct Count {
    since: Instant,
    times: u32,
}

impl Count {
    fn is_over(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= PERIOD
    }
}

impl<K> Default for Tally<K> {
    fn default() -> Self {
        Self { counts: Mutex::default() }
    }
}

impl<K: Eq + Hash> Tally<K> {
    fn count_of<Q: Eq + Hash + ?Sized>(&self, key: &Q, now: Instant) -> u32
    where
        K: std::borrow::Borrow<Q>,
    {
        self.counts().get(key).filter(|count| !count.is_over(now)).map_or(0, |count| count.times)
    }

    fn add(&self, key: K, now: Instant) {
        let mut counts = self.counts();
        if counts.len() >= REMEMBERED_MAX && !counts.contains_key(&key) {
            counts.retain(|_, count| !count.is_over(now));
            if counts.len() >= REMEMBERED_MAX {
                tracing::warn!("more logins fail than can be counted");
                return;
            }
        }
        let count = counts.entry(key).or_insert(Count { since: now, times: 0 });
        if count.is_over(now) {
            *count = Count { since: now, times: 0 };
        }
        count.times = count.times.saturating_add(1);
    }

    fn forget_old(&self, now: Instant) {
        let mut counts = self.counts();
        counts.retain(|_, count| !count.is_over(now));
        counts.shrink_to_fit();
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<K, Count>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    fn peer(text: &str) -> Peer {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn a_peer_and_an_account_have_so_many() {
        let failures = Failures::default();
        for n in 0..OF_ACCOUNT_MAX {
            assert!(!failures.are_too_many(peer("192.0.2.1"), "alice@m"), "{n}");
            failures.count(peer("192.0.2.1"), "alice@m".to_owned());
        }
        assert!(failures.are_too_many(peer("192.0.2.2"), "alice@m"), "the account, wherever the login comes from");
        assert!(!failures.are_too_many(peer("192.0.2.1"), "bob@m"));
        for n in OF_ACCOUNT_MAX..OF_PEER_MAX {
            failures.count(peer("192.0.2.1"), format!("{n}@m"));
        }
        assert!(failures.are_too_many(peer("192.0.2.1"), "bob@m"), "the peer, whomever it is about");
        assert!(!failures.are_too_many(peer("192.0.2.2"), "bob@m"));
    }

    #[test]
    fn failures_are_forgotten() {
        let (tally, now) = (Tally::default(), Instant::now());
        tally.add(1, now);
        tally.add(1, now + PERIOD / 2);
        assert_eq!(tally.count_of(&1, now + PERIOD / 2), 2);
        assert_eq!(tally.count_of(&1, now + PERIOD), 0);
        tally.add(1, now + PERIOD);
        assert_eq!(tally.count_of(&1, now + PERIOD), 1);
        tally.forget_old(now + 2 * PERIOD);
        assert!(tally.counts().is_empty());
    }

    #[test]
    fn what_is_remembered_has_a_limit() {
        let (tally, now) = (Tally::default(), Instant::now());
        for n in 0..=REMEMBERED_MAX {
            tally.add(n, now);
        }
        assert_eq!(tally.counts().len(), REMEMBERED_MAX);
        tally.add(REMEMBERED_MAX, now + PERIOD);
        assert_eq!(tally.counts().len(), 1, "those that are over have made room");
    }
}
