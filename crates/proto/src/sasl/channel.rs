//! What a session knows of the connection beneath it: who could overhear it, and what binds a login to it.

use std::fmt;
use std::sync::Arc;

/// The binding of RFC 9266, by its registered name.
pub(super) const EXPORTER: &str = "tls-exporter";
/// The binding of RFC 5929 §4, by its registered name.
pub(super) const END_POINT: &str = "tls-server-end-point";

/// The connection beneath a session.
#[derive(Debug, Clone, Default)]
pub enum Channel {
    /// Others could listen: no password is said here.
    #[default]
    Clear,
    /// It does not leave this machine.
    Local,
    /// It is encrypted.
    Tls(Arc<Bindings>),
}

/// What is unique to one TLS connection, so that a login over another one, a man's in the middle, proves nothing (RFC 5056).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Bindings {
    /// `tls-exporter` (RFC 9266): only where TLS makes it unique, which is from version 1.3 on.
    pub exporter: Option<[u8; 32]>,
    /// `tls-server-end-point` (RFC 5929 §4): a hash of the server's certificate, by [`server_end_point`](super::server_end_point).
    pub server_end_point: Option<Vec<u8>>,
}

impl Channel {
    /// Whether nobody can overhear it, so that passwords may be said.
    pub fn is_private(&self) -> bool {
        !matches!(self, Self::Clear)
    }

    /// What binds a login to it; `None` without TLS.
    pub fn bindings(&self) -> Option<&Bindings> {
        match self {
            Self::Tls(bindings) => Some(bindings),
            Self::Clear | Self::Local => None,
        }
    }

    /// Whether it is encrypted.
    pub fn is_tls(&self) -> bool {
        self.bindings().is_some()
    }

    /// The binding of this registered name, where there is one.
    pub(super) fn binding(&self, name: &str) -> Option<&[u8]> {
        let bindings = self.bindings()?;
        match name {
            EXPORTER => bindings.exporter.as_ref().map(<[u8; 32]>::as_slice),
            END_POINT => bindings.server_end_point.as_deref(),
            _ => None,
        }
    }

    /// Whether there is something to bind a login to.
    pub(super) fn can_bind(&self) -> bool {
        [EXPORTER, END_POINT].iter().any(|name| self.binding(name).is_some())
    }
}

impl fmt::Debug for Bindings {
    /// Without the exporter, which only the two ends know.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bindings").field("server_end_point", &self.server_end_point).finish_non_exhaustive()
    }
}
