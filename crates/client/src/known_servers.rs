//! The servers that were seen with TLS, and what each of them showed: an authority's word, or a certificate that was trusted
//! when it was first seen and that no other may replace.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ServerAddress;
use crate::certificate::{Certificate, Fingerprint};
use crate::user_file::{self, Content, FileError};

/// Longest file of known servers, in octets: some thousands of them.
pub const KNOWN_SERVERS_OCTETS_MAX: u64 = 4 << 20;

/// The servers that this user has seen with TLS, by host and port.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownServers {
    #[serde(default, rename = "server", skip_serializing_if = "Vec::is_empty")]
    list: Vec<KnownServer>,
}

/// What a server is known by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// An authority that the system trusts vouched for it.
    Authority,
    /// This certificate was trusted on first use.
    Pinned(Certificate),
}

/// A server and what it is known by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Entry", into = "Entry")]
struct KnownServer {
    server: ServerAddress,
    identity: Identity,
}

impl Content for KnownServers {
    const OCTETS_MAX: u64 = KNOWN_SERVERS_OCTETS_MAX;
}

impl KnownServers {
    /// `$XDG_CONFIG_HOME/mymail/known-servers.toml`, or under `~/.config` where that is not set.
    pub fn default_path() -> Result<PathBuf, FileError> {
        user_file::config_path("known-servers.toml")
    }

    /// Reads the file. One that is not there knows no server.
    pub fn load(path: &Path) -> Result<Self, FileError> {
        user_file::load(path)
    }

    /// Forgets a server: its next certificate is trusted as on first use. Says whether it was known.
    pub fn forget(path: &Path, server: &ServerAddress) -> Result<bool, FileError> {
        let server = server.endpoint();
        user_file::update(path, |known: &mut Self| {
            let before = known.list.len();
            known.list.retain(|entry| entry.server != server);
            known.list.len() < before
        })
    }

    /// What the server at this host and port is known by, whatever it speaks there.
    pub fn find(&self, server: &ServerAddress) -> Option<&Identity> {
        let server = server.endpoint();
        self.list().find(|(known, _)| **known == server).map(|(_, identity)| identity)
    }

    /// All of them, as they were first seen.
    pub fn list(&self) -> impl Iterator<Item = (&ServerAddress, &Identity)> {
        self.list.iter().map(|KnownServer { server, identity }| (server, identity))
    }

    /// Remembers a server, unless somebody else has seen it with another certificate meanwhile: that is what it is known by.
    pub(crate) fn remember(path: &Path, server: &ServerAddress, seen: Identity) -> Result<Remembered, FileError> {
        let server = server.endpoint();
        user_file::update(path, |known: &mut Self| {
            let entry = known.list.iter_mut().find(|entry| entry.server == server);
            match (entry, seen) {
                (None, identity) => {
                    known.list.push(KnownServer { server, identity });
                    Remembered::New
                }
                // The word of an authority is better than any earlier knowledge.
                (Some(entry), Identity::Authority) => {
                    entry.identity = Identity::Authority;
                    Remembered::AsBefore
                }
                (Some(entry), seen) if entry.identity == seen => Remembered::AsBefore,
                (Some(entry), _) => Remembered::Otherwise(entry.identity.clone()),
            }
        })
    }
}

/// What came of remembering a server.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Remembered {
    New,
    AsBefore,
    Otherwise(Identity),
}

/// A server shows a certificate that is not what it is known by.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the certificate of {server} is not what it is known by: somebody may be in between\n  \
     known: {}\n  \
     now:   SHA-256 {shown}, and {flaw}\n\
     what it is known by stands in {}",
    known.description(),
    path.display()
)]
pub struct CertificateChange {
    /// Which server.
    pub server: ServerAddress,
    /// What it is known by.
    pub known: Identity,
    /// What it shows now.
    pub shown: Fingerprint,
    /// Why no authority vouches for that: the rest of a sentence.
    pub flaw: String,
    /// The file that knows the server. [`KnownServers::forget`] takes it out.
    pub path: PathBuf,
}

impl Identity {
    fn description(&self) -> String {
        match self {
            Self::Authority => "a certificate that an authority vouches for".to_owned(),
            Self::Pinned(certificate) => format!("SHA-256 {}", certificate.fingerprint()),
        }
    }
}

/// A [`KnownServer`] as the file has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    address: ServerAddress,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    authority: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    certificate: Option<Certificate>,
}

impl TryFrom<Entry> for KnownServer {
    type Error = &'static str;

    fn try_from(entry: Entry) -> Result<Self, Self::Error> {
        let identity = match (entry.authority, entry.certificate) {
            (Some(true), None) => Identity::Authority,
            (None, Some(certificate)) => Identity::Pinned(certificate),
            _ => return Err("a server has either `authority = true` or a certificate"),
        };
        Ok(Self { server: entry.address.endpoint(), identity })
    }
}

impl From<KnownServer> for Entry {
    fn from(KnownServer { server: address, identity }: KnownServer) -> Self {
        match identity {
            Identity::Authority => Self { address, authority: Some(true), certificate: None },
            Identity::Pinned(certificate) => Self { address, authority: None, certificate: Some(certificate) },
        }
    }
}
