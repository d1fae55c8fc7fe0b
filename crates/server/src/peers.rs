//! What is counted for each peer: its connections, and how often it registers.
//!
//! A peer is an IPv4 address or an IPv6 /64, the smallest network that one customer has.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};

/// A peer, as limits see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Peer(IpAddr);

impl From<IpAddr> for Peer {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self(address.into()),
            IpAddr::V6(address) => {
                let network = u128::from(address) & !u128::from(u64::MAX);
                Self(if address.is_loopback() { address.into() } else { Ipv6Addr::from(network).into() })
            }
        }
    }
}

/// How many connections there are, in all and of each peer. Peers without one are not remembered.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    of_peer: HashMap<Peer, usize>,
}

/// A connection that counts; it stops counting when this is dropped.
#[derive(Debug)]
pub(crate) struct Admission {
    connections: Arc<Connections>,
    peer: Peer,
}

impl Connections {
    /// Counts one more connection, unless there are too many.
    pub(crate) fn admit(self: &Arc<Self>, peer: Peer, total_max: usize, per_peer_max: usize) -> Option<Admission> {
        let mut counts = self.counts();
        let of_peer = counts.of_peer.get(&peer).copied().unwrap_or(0);
        if counts.total >= total_max || of_peer >= per_peer_max {
            return None;
        }
        counts.total += 1;
        counts.of_peer.insert(peer, of_peer + 1);
        Some(Admission { connections: self.clone(), peer })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut counts = self.connections.counts();
        counts.total -= 1;
        if let Some(of_peer) = counts.of_peer.get_mut(&self.peer) {
            *of_peer -= 1;
            if *of_peer == 0 {
                counts.of_peer.remove(&self.peer);
            }
        }
    }
}

/// How often each peer may register.
#[derive(Debug)]
pub(crate) struct RegistrationRate(DefaultKeyedRateLimiter<Peer>);

impl RegistrationRate {
    pub(crate) fn per_hour(registrations: u32) -> Self {
        let per_hour = NonZeroU32::new(registrations).unwrap_or(NonZeroU32::MIN);
        Self(RateLimiter::keyed(Quota::per_hour(per_hour)))
    }

    /// Counts a registration, unless the peer has had its share.
    pub(crate) fn admit(&self, peer: Peer) -> bool {
        self.0.check_key(&peer).is_ok()
    }

    /// Forgets the peers that could register as if they never had.
    pub(crate) fn forget_quiet_peers(&self) {
        self.0.retain_recent();
        self.0.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> Peer {
        text.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn a_peer_is_an_address_or_a_network() {
        assert_eq!(peer("2001:db8::1"), peer("2001:db8::ffff"));
        assert_ne!(peer("2001:db8::1"), peer("2001:db8:0:1::1"));
        assert_eq!(peer("::ffff:192.0.2.1"), peer("192.0.2.1"));
        assert_ne!(peer("192.0.2.1"), peer("192.0.2.2"));
    }

    #[test]
    fn connections_are_counted_while_they_last() {
        let connections = Arc::new(Connections::default());
        let (a, b) = (peer("192.0.2.1"), peer("192.0.2.2"));
        let first = connections.admit(a, 2, 1);
        assert!(first.is_some());
        assert!(connections.admit(a, 2, 1).is_none(), "one a peer");
        let second = connections.admit(b, 2, 1);
        assert!(connections.admit(peer("192.0.2.3"), 2, 1).is_none(), "two in all");
        drop((first, second));
        assert!(connections.counts().of_peer.is_empty(), "nobody is remembered");
        assert!(connections.admit(a, 2, 1).is_some());
    }

    #[test]
    fn a_peer_registers_so_often() {
        let rate = RegistrationRate::per_hour(2);
        assert!(rate.admit(peer("192.0.2.1")) && rate.admit(peer("192.0.2.1")));
        assert!(!rate.admit(peer("192.0.2.1")));
        assert!(rate.admit(peer("192.0.2.2")));
    }
}
