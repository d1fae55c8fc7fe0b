//! TLS: who the server shows itself to be, and connections that nobody overhears.
//!
//! [`Acceptor`] turns a socket into an encrypted connection and tells the session, as a [`Channel`], what it can bind a login
//! to. What has arrived on such a connection is told by [`read_arrived`], as `recv` tells it of one in clear.

mod arrived;
mod identity;
mod records;
mod self_signed;
mod stream;
#[cfg(test)]
mod tests;

use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proto::sasl::{Bindings, Channel, server_end_point};
use rustls::crypto::{CryptoProvider, ring};
use rustls::version::{TLS12, TLS13};
use rustls::{ProtocolVersion, ServerConfig, ServerConnection};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use crate::config::{Certificate, Config};
use identity::Identity;
use stream::RecordStream;

pub(crate) use arrived::Arrived;
pub use identity::TlsError;
pub(crate) use stream::{TlsStream, descriptor, read_arrived};

/// How long a handshake may take.
const HANDSHAKE_MAX: Duration = Duration::from_secs(30);

/// Most that a connection keeps of what its peer is slow to take, in octets: a record.
const UNSENT_OCTETS_MAX: usize = 16 << 10;

/// Tickets with which a client may shorten its next handshake. Mail programs come back one connection at a time.
const TICKETS: usize = 1;

/// RFC 9266 §2.
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// Makes sockets into encrypted connections. A clone is cheap.
#[derive(Clone)]
pub(crate) struct Acceptor {
    tls: TlsAcceptor,
    server_end_point: Option<Vec<u8>>,
}

impl Acceptor {
    /// With the certificate that is configured, or else with the server's own, which is made if it is not there. `data` is the
    /// folder of the store.
    pub(crate) fn new(config: &Config, data: &Path) -> Result<Self, TlsError> {
        let identity = match &config.tls {
            Some(files) => Identity::load(&files.certificate, &files.key)?,
            None => self_signed::keep(data, &config.hostname)?,
        };
        if !identity.is_for(&config.hostname) {
            tracing::warn!(hostname = %config.hostname, "the certificate is for another name: clients may refuse it");
        }
        let server_end_point = identity.certificate().and_then(|certificate| server_end_point(certificate));
        let mut tls = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(TlsError::Prepare)?
            .with_no_client_auth()
            .with_cert_resolver(identity.into_resolver());
        tls.send_tls13_tickets = TICKETS;
        Ok(Self { tls: TlsAcceptor::from(Arc::new(tls)), server_end_point })
    }

    /// Shakes hands. What it returns beside the connection is for the session that goes on over it.
    pub(crate) async fn accept(&self, socket: TcpStream) -> io::Result<(TlsStream, Channel)> {
        let handshake = self.tls.accept_with(RecordStream::new(socket), |tls| {
            tls.set_buffer_limit(Some(UNSENT_OCTETS_MAX));
        });
        let late = |_| io::Error::new(ErrorKind::TimedOut, "the TLS handshake took too long");
        let stream = timeout(HANDSHAKE_MAX, handshake).await.map_err(late)??;
        let exporter = exporter(stream.get_ref().1)?;
        let bindings = Bindings { exporter, server_end_point: self.server_end_point.clone() };
        Ok((stream, Channel::Tls(Arc::new(bindings))))
    }
}

/// Whether these can be shown to clients.
pub(crate) fn check(files: &Certificate) -> Result<(), TlsError> {
    Identity::load(&files.certificate, &files.key).map(drop)
}

/// What is unique to a connection (RFC 9266 §2): before version 1.3 two of them may share it (§4.2).
fn exporter(tls: &ServerConnection) -> io::Result<Option<[u8; 32]>> {
    match tls.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => {
            tls.export_keying_material([0; 32], EXPORTER_LABEL, None).map(Some).map_err(io::Error::other)
        }
        _ => Ok(None),
    }
}

/// The one implementation of cryptography, named everywhere, so that no other one that a dependency brings is ever chosen.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}
