//! The address of a listener.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use serde::de::{Deserializer, Error as _};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Longest path of a Unix domain socket, in octets (unix(7)).
const PATH_OCTETS_MAX: usize = 107;
/// What stands before the path of a Unix domain socket.
const UNIX: &str = "unix:";

/// The address of a listener, written `127.0.0.1:24` or `unix:/run/mymail/lmtp`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// An IP address and a port; port 0 takes any free one.
    Tcp(SocketAddr),
    /// The path of a Unix domain socket, of at most 107 octets. Every user of the machine may connect to it who can reach it:
    /// the folder that it is in decides who that is.
    Unix(PathBuf),
}

impl Endpoint {
    /// The IP address and port, if it has them.
    pub fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }

    /// The path, if it is one.
    pub fn unix(&self) -> Option<&PathBuf> {
        match self {
            Self::Tcp(_) => None,
            Self::Unix(path) => Some(path),
        }
    }

    pub(super) fn is_any_port(&self) -> bool {
        self.tcp().is_some_and(|address| address.port() == 0)
    }
}

impl From<SocketAddr> for Endpoint {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl From<PathBuf> for Endpoint {
    fn from(path: PathBuf) -> Self {
        Self::Unix(path)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

/// The text is no address of a listener.
#[derive(Debug, Error)]
#[error(
    "must be an IP address with a port, such as 0.0.0.0:25 or [::1]:2525, or the path of a socket of at most {PATH_OCTETS_MAX} octets, such as unix:/run/mymail/lmtp"
)]
pub struct BadEndpoint;

impl FromStr for Endpoint {
    type Err = BadEndpoint;

    fn from_str(text: &str) -> Result<Self, BadEndpoint> {
        match text.strip_prefix(UNIX) {
            // It is shown on a line of its own.
            Some(path) if (1..=PATH_OCTETS_MAX).contains(&path.len()) && !path.contains(char::is_control) => {
                Ok(Self::Unix(path.into()))
            }
            Some(_) => Err(BadEndpoint),
            None => text.parse().map(Self::Tcp).map_err(|_| BadEndpoint),
        }
    }
}

impl Serialize for Endpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Endpoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_has_a_path_that_fits() {
        let longest = format!("unix:/{}", "x".repeat(PATH_OCTETS_MAX - 1));
        assert_eq!(longest.parse::<Endpoint>().unwrap().to_string(), longest);
        assert!(format!("{longest}x").parse::<Endpoint>().is_err());
    }
}
