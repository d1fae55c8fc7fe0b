//! Who is at the other end, and how many connections each peer has.
//!
//! A peer, as limits see it, is an IPv4 address or an IPv6 /64, the smallest network that one customer has. All of this machine are
//! one.

use std::collections::HashMap;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::Limits;
use crate::tally::Key;

/// Where a connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PeerAddress {
    /// There, as the system says.
    Ip(SocketAddr),
    /// There, as a proxy says.
    Told(SocketAddr),
    /// From a process on this machine, over a Unix domain socket.
    Unix,
}

impl PeerAddress {
    /// Whether nobody overhears what stays between the peer and us: it is on this machine. What a proxy says never shows that: its
    /// loopback address may be another machine's, and so may the client that it does not know.
    pub(crate) fn is_local(self) -> bool {
        match self {
            Self::Ip(address) => address.ip().to_canonical().is_loopback(),
            Self::Told(_) => false,
            Self::Unix => true,
        }
    }

    /// The IP address, if it has one.
    pub(crate) fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Ip(address) | Self::Told(address) => Some(address.ip()),
            Self::Unix => None,
        }
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(address) | Self::Told(address) => address.fmt(f),
            Self::Unix => f.write_str("unix"),
        }
    }
}

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

impl From<PeerAddress> for Peer {
    fn from(address: PeerAddress) -> Self {
        address.ip().unwrap_or(Ipv4Addr::LOCALHOST.into()).into()
    }
}

impl Key for Peer {
    /// Each server has a loopback of its own.
    fn elsewhere(&self) -> Option<String> {
        (!self.0.is_loopback()).then(|| self.0.to_string())
    }
}

/// How many connections there are, in all and of each peer. Peers without one are not remembered.
#[derive(Debug, Default)]
pub(crate) struct Connections {
    counts: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Of all peers that are known.
    total: usize,
    of_peer: HashMap<Peer, usize>,
    /// Of those that a proxy has not told yet: they have room of their own, for a storm of them must not keep out the others.
    unnamed: usize,
}

/// A connection that counts; it stops counting when this is dropped.
#[derive(Debug)]
pub(crate) struct Admission {
    connections: Arc<Connections>,
    /// `None`: whose it is has not been told yet.
    peer: Option<Peer>,
}

impl Connections {
    /// Counts one more connection, unless there are too many.
    pub(crate) fn admit(self: &Arc<Self>, peer: PeerAddress, limits: &Limits) -> Option<Admission> {
        let peer = self.counts().take(peer, limits)?;
        Some(Admission { connections: self.clone(), peer: Some(peer) })
    }

    /// Counts one more connection whose peer turns out later, unless there are as many of these as there may be of all.
    pub(crate) fn admit_unnamed(self: &Arc<Self>, limits: &Limits) -> Option<Admission> {
        let mut counts = self.counts();
        if counts.unnamed >= limits.connections {
            return None;
        }
        counts.unnamed += 1;
        Some(Admission { connections: self.clone(), peer: None })
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Counts {
    /// Counts one more as this peer's, unless there are too many in all or of this one: more than one peer may have or, if it is
    /// another machine, more than are left for others. So a few peers never take all connections; whoever has none yet gets one
    /// of the last.
    fn take(&mut self, address: PeerAddress, limits: &Limits) -> Option<Peer> {
        let peer = Peer::from(address);
        let of_peer = self.of_peer.get(&peer).copied().unwrap_or(0);
        let left = limits.connections.checked_sub(self.total + 1)?;
        if of_peer >= limits.connections_per_peer || (!address.is_local() && of_peer > left) {
            return None;
        }
        self.of_peer.insert(peer, of_peer + 1);
        self.total += 1;
        Some(peer)
    }
}

impl Admission {
    /// Counts it as this peer's, unless that has too many.
    pub(crate) fn name(mut self, address: PeerAddress, limits: &Limits) -> Option<Self> {
        let mut counts = self.connections.counts();
        let peer = counts.take(address, limits)?;
        counts.unnamed -= 1;
        drop(counts);
        self.peer = Some(peer);
        Some(self)
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut counts = self.connections.counts();
        let Some(peer) = self.peer else {
            counts.unnamed -= 1;
            return;
        };
        counts.total -= 1;
        if let Some(of_peer) = counts.of_peer.get_mut(&peer) {
            *of_peer -= 1;
            if *of_peer == 0 {
                counts.of_peer.remove(&peer);
            }
        }
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

    fn from(text: &str) -> PeerAddress {
        PeerAddress::Ip(SocketAddr::new(text.parse().unwrap(), 1))
    }

    fn limits(connections: usize, connections_per_peer: usize) -> Limits {
        Limits { connections, connections_per_peer, ..Limits::default() }
    }

    #[test]
    fn connections_are_counted_while_they_last() {
        let (connections, limits) = (Arc::new(Connections::default()), limits(2, 1));
        let (a, b) = (from("192.0.2.1"), from("192.0.2.2"));
        let first = connections.admit(a, &limits);
        assert!(first.is_some());
        assert!(connections.admit(a, &limits).is_none(), "one a peer");
        let second = connections.admit(b, &limits);
        assert!(connections.admit(from("192.0.2.3"), &limits).is_none(), "two in all");
        drop((first, second));
        assert!(connections.counts().of_peer.is_empty(), "nobody is remembered");
        assert!(connections.admit(a, &limits).is_some());
    }

    #[test]
    fn connections_whose_peers_are_not_known_have_room_of_their_own() {
        let (connections, limits) = (Arc::new(Connections::default()), limits(2, 1));
        let (first, second) =
            (connections.admit_unnamed(&limits).unwrap(), connections.admit_unnamed(&limits).unwrap());
        assert!(connections.admit_unnamed(&limits).is_none());
        let other = connections.admit(from("192.0.2.2"), &limits);
        assert!(other.is_some(), "whoever is known does not wait for them");
        let first = first.name(from("192.0.2.1"), &limits);
        assert!(first.is_some());
        assert!(second.name(from("192.0.2.3"), &limits).is_none(), "two in all");
        drop((first, other));
        let counts = connections.counts();
        assert!(counts.total == 0 && counts.unnamed == 0 && counts.of_peer.is_empty());
    }

    #[test]
    fn no_few_peers_take_all_connections() {
        let limits = limits(1000, 1000);
        for (peers, most) in [(1, 501), (3, 251), (9, 101)] {
            let connections = Arc::new(Connections::default());
            let mut held = Vec::new();
            for _ in 0..limits.connections {
                held.extend((1..=peers).filter_map(|n| connections.admit(from(&format!("192.0.2.{n}")), &limits)));
            }
            let counts: Vec<usize> = connections.counts().of_peer.values().copied().collect();
            assert!(counts.iter().all(|count| (most - 1..=most).contains(count)), "{counts:?}");
            assert!(connections.admit(from("198.51.100.1"), &limits).is_some());
        }
    }

    #[test]
    fn this_machine_may_take_all() {
        let (connections, limits) = (Arc::new(Connections::default()), limits(10, 10));
        let held: Vec<Admission> = (0..10).filter_map(|_| connections.admit(from("127.0.0.1"), &limits)).collect();
        assert_eq!(held.len(), 10);
    }

    #[test]
    fn what_a_proxy_says_makes_nobody_local() {
        let address = |text: &str| SocketAddr::new(text.parse().unwrap(), 1);
        for loopback in ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"] {
            assert!(PeerAddress::Ip(address(loopback)).is_local(), "{loopback}");
            assert!(!PeerAddress::Told(address(loopback)).is_local(), "{loopback}");
        }
        assert!(!PeerAddress::Ip(address("192.0.2.1")).is_local());
        assert!(PeerAddress::Unix.is_local());
        assert_eq!(Peer::from(PeerAddress::Unix), peer("127.0.0.1"));
        assert_eq!(Peer::from(PeerAddress::Told(address("192.0.2.1"))), peer("192.0.2.1"));
    }
}
