//! Logins that failed, counted so that nobody guesses for long: by the peer, by the account, and by both.
//!
//! Counting begins with the first failure and is forgotten after [`PERIOD`]. A login that succeeds takes nothing back: else
//! whoever has an account could guess at others between his own logins. The limit for an account is the widest, so that a single
//! stranger can't keep its owner out. All users of this machine are one peer, which has no limit of its own.

use std::time::{Duration, Instant};

use crate::peers::{Peer, PeerAddress};
use crate::tally::{Key, Shareable, Tally};

/// How long failures are remembered.
const PERIOD: Duration = Duration::from_secs(15 * 60);
/// How many one peer may have with one account in that time.
const OF_PAIR_MAX: u32 = 20;
/// How many one peer may have.
const OF_PEER_MAX: u32 = 100;
/// How many one account may have.
const OF_ACCOUNT_MAX: u32 = 200;

/// The failures of the last [`PERIOD`]. Accounts go by their keys, whether they exist or not.
#[derive(Debug)]
pub(crate) struct Failures {
    of_pairs: Tally<(Peer, String)>,
    of_peers: Tally<Peer>,
    of_accounts: Tally<String>,
}

impl Key for String {
    fn elsewhere(&self) -> Option<String> {
        Some(self.clone())
    }
}

impl Key for (Peer, String) {
    fn elsewhere(&self) -> Option<String> {
        let (peer, account) = self;
        Some(format!("{} {account}", peer.elsewhere()?))
    }
}

impl Default for Failures {
    fn default() -> Self {
        let (of_pairs, of_peers, of_accounts) = (Tally::over(PERIOD), Tally::over(PERIOD), Tally::over(PERIOD));
        Self { of_pairs, of_peers, of_accounts }
    }
}

impl Failures {
    /// Whether this peer, or the account, has had its share.
    pub(crate) fn are_too_many(&self, address: PeerAddress, account: &str) -> bool {
        let (peer, now) = (Peer::from(address), Instant::now());
        self.of_pairs.count_of(&(peer, account.to_owned()), now) >= OF_PAIR_MAX
            || (!address.is_local() && self.of_peers.count_of(&peer, now) >= OF_PEER_MAX)
            || self.of_accounts.count_of(&account.to_owned(), now) >= OF_ACCOUNT_MAX
    }

    /// Counts a failure. `false`: it was one too many, as may happen when many logins are tried at once.
    pub(crate) fn count(&self, address: PeerAddress, account: String) -> bool {
        let (peer, now) = (Peer::from(address), Instant::now());
        let of_peer = if address.is_local() { 0 } else { self.of_peers.add(peer, now) };
        let of_account = self.of_accounts.add(account.clone(), now);
        let of_pair = self.of_pairs.add((peer, account), now);
        of_pair <= OF_PAIR_MAX && of_peer <= OF_PEER_MAX && of_account <= OF_ACCOUNT_MAX
    }

    /// What other servers count too.
    pub(crate) fn tallies(&self) -> [&dyn Shareable; 3] {
        [&self.of_pairs, &self.of_peers, &self.of_accounts]
    }

    /// Forgets what is over.
    pub(crate) fn forget_old(&self) {
        let now = Instant::now();
        self.of_pairs.forget_old(now);
        self.of_peers.forget_old(now);
        self.of_accounts.forget_old(now);
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn address(text: &str) -> PeerAddress {
        PeerAddress::Ip(SocketAddr::new(text.parse().unwrap(), 25))
    }

    #[test]
    fn a_peer_may_fail_so_often_with_one_account() {
        let failures = Failures::default();
        for n in 0..OF_PAIR_MAX {
            assert!(!failures.are_too_many(address("192.0.2.1"), "alice@m"), "{n}");
            assert!(failures.count(address("192.0.2.1"), "alice@m".to_owned()), "{n}");
        }
        assert!(failures.are_too_many(address("192.0.2.1"), "alice@m"));
        assert!(!failures.count(address("192.0.2.1"), "alice@m".to_owned()), "also of many at once");
        assert!(!failures.are_too_many(address("192.0.2.1"), "bob@m"));
        assert!(!failures.are_too_many(address("192.0.2.2"), "alice@m"), "a stranger keeps nobody out");
    }

    #[test]
    fn a_peer_may_fail_so_often_with_all_accounts_together() {
        let failures = Failures::default();
        for n in 0..OF_PEER_MAX {
            failures.count(address("2001:db8::1"), format!("{n}@m"));
            failures.count(address("127.0.0.1"), format!("{n}@m"));
        }
        assert!(failures.are_too_many(address("2001:db8::2"), "alice@m"), "all of its network");
        assert!(!failures.count(address("2001:db8::2"), "alice@m".to_owned()));
        assert!(!failures.are_too_many(address("127.0.0.1"), "alice@m"), "many people may be here");
    }

    #[test]
    fn what_a_proxy_calls_loopback_is_one_peer_and_keeps_nobody_here_out() {
        let (failures, told) = (Failures::default(), PeerAddress::Told("127.0.0.1:25".parse().unwrap()));
        for n in 0..OF_PEER_MAX {
            failures.count(told, format!("{n}@m"));
        }
        assert!(failures.are_too_many(told, "alice@m"));
        for here in [address("127.0.0.1"), PeerAddress::Unix] {
            assert!(!failures.are_too_many(here, "alice@m"));
        }
    }

    #[test]
    fn an_account_has_so_many_failures() {
        let failures = Failures::default();
        for n in 0..OF_ACCOUNT_MAX {
            failures.count(address(&format!("192.0.2.{}", n % 100)), "alice@m".to_owned());
        }
        assert!(failures.are_too_many(address("198.51.100.1"), "alice@m"));
        assert!(!failures.are_too_many(address("198.51.100.1"), "bob@m"));
    }
}
