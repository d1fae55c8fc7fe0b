//! Encrypts a connection, and finds out who is at its other end.

mod authorities;
mod verifier;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proto::sasl::{Bindings, Channel, server_end_point};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, ProtocolVersion};
use tokio_rustls::TlsConnector;

use crate::certificate::Fingerprint;
use crate::known_servers::{CertificateChange, Identity, KnownServers, Remembered};
use crate::transport::Stream;
use crate::user_file::FileError;
use crate::{Error, FirstUse, ServerAddress, TlsMode, Trust};

use authorities::Authorities;
use verifier::{Judge, Verdict, Verifier};

/// The label of the exporter that binds a login to the connection (RFC 9266 §2).
const EXPORTER_LABEL: &[u8] = b"EXPORTER-Channel-Binding";

/// How the connection to a server is to be encrypted.
pub(crate) struct Security {
    server: ServerAddress,
    mode: TlsMode,
    trust: Trust,
    first_use: Option<FirstUse>,
}

impl Security {
    /// Fails where the server's URL and the mode contradict each other.
    pub(crate) fn new(
        server: &ServerAddress,
        mode: TlsMode,
        trust: Trust,
        first_use: Option<FirstUse>,
    ) -> Result<Self, Error> {
        match (mode, server.scheme().is_tls()) {
            (TlsMode::Off, true) => Err(Error::BadInput("smtps:// and pop3s:// are TLS: it can't be off there")),
            _ => Ok(Self { server: server.clone(), mode, trust, first_use }),
        }
    }

    /// Whether the connection is encrypted before a word is said.
    pub(crate) fn is_implicit(&self) -> bool {
        self.server.scheme().is_tls()
    }

    /// Whether to ask a server that offers it for encryption.
    pub(crate) fn is_wanted(&self) -> bool {
        self.mode != TlsMode::Off
    }

    /// Fails unless the session may go on in clear with this server, which offers no encryption.
    pub(crate) async fn do_without(&self) -> Result<(), Error> {
        match (self.mode, &self.trust) {
            (TlsMode::Off, _) | (TlsMode::Auto, Trust::Anybody) => Ok(()),
            // Whoever names an authority has it vouch for the server, and it can do so by a certificate alone.
            (TlsMode::Required, _) | (TlsMode::Auto, Trust::Authority(_)) => Err(Error::NoTls),
            (TlsMode::Auto, Trust::KnownServers(path)) => match known_servers_path(path.as_ref()) {
                Err(FileError::NoHome) => Ok(()),
                path => {
                    let path = path?;
                    match self.known(path.clone()).await? {
                        Some(_) => Err(Error::Downgrade { server: self.server.clone(), path }),
                        None => Ok(()),
                    }
                }
            },
        }
    }

    /// Encrypts a stream on which nothing else is under way. What was learnt of the server is remembered when that is done.
    pub(crate) async fn encrypt(&self, stream: Box<dyn Stream>) -> Result<(Box<dyn Stream>, Channel), Error> {
        let no_name = |_| Error::BadInput("the server's host is no name that a certificate could be for");
        let name = ServerName::try_from(self.server.host().to_owned()).map_err(no_name)?;
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(Verifier::new(self.judge().await?, provider.signature_verification_algorithms));
        let connector = TlsConnector::from(Arc::new(config(provider, Arc::clone(&verifier))?));
        match (connector.connect(name, stream).await, verifier.verdict()) {
            (Ok(stream), verdict) => {
                if let Some((shown, Verdict::New { identity, flaw, path })) = verdict {
                    self.remember(identity, Fingerprint::of(shown), flaw, path).await?;
                }
                let channel = Channel::Tls(Arc::new(bindings(stream.get_ref().1)));
                Ok((Box::new(stream), channel))
            }
            (Err(_), Some((shown, Verdict::Changed { known, flaw, path }))) => {
                Err(self.changed(known.clone(), Fingerprint::of(shown), flaw, path))
            }
            (Err(_), Some((_, Verdict::Refused { flaw }))) => {
                Err(Error::CertificateRefused { server: self.server.clone(), flaw: flaw.clone() })
            }
            (Err(source), _) => Err(Error::Tls { server: self.server.clone(), source }),
        }
    }

    async fn judge(&self) -> Result<Judge, Error> {
        match &self.trust {
            Trust::Anybody => Ok(Judge::Nobody),
            Trust::Authority(path) => {
                let (file, path) = (path.clone(), path.clone());
                let authorities = on_disk(move || Authorities::of_file(&file)).await?;
                Ok(Judge::Authorities(authorities.map_err(|source| Error::Authority { path, source })?))
            }
            Trust::KnownServers(path) => {
                let path = known_servers_path(path.as_ref())?;
                let known = self.known(path.clone()).await?;
                Ok(Judge::KnownServers { authorities: on_disk(Authorities::of_system).await?, known, path })
            }
        }
    }

    /// What the server is known by.
    async fn known(&self, path: PathBuf) -> Result<Option<Identity>, Error> {
        let known = on_disk(move || KnownServers::load(&path)).await??;
        Ok(known.find(&self.server).cloned())
    }

    async fn remember(&self, by: &Identity, shown: Fingerprint, flaw: &str, path: &Path) -> Result<(), Error> {
        let (file, server, identity) = (path.to_owned(), self.server.clone(), by.clone());
        match on_disk(move || KnownServers::remember(&file, &server, identity)).await?? {
            Remembered::Otherwise(known) => return Err(self.changed(known, shown, flaw, path)),
            Remembered::New if matches!(by, Identity::Pinned(_)) => {
                if let Some(tell) = &self.first_use {
                    tell(&self.server, &shown);
                }
            }
            Remembered::New | Remembered::AsBefore => {}
        }
        Ok(())
    }

    fn changed(&self, known: Identity, shown: Fingerprint, flaw: &str, path: &Path) -> Error {
        let (server, flaw, path) = (self.server.clone(), flaw.to_owned(), path.to_owned());
        Error::CertificateChanged(CertificateChange { server, known, shown, flaw, path }.into())
    }
}

fn known_servers_path(path: Option<&PathBuf>) -> Result<PathBuf, FileError> {
    path.map_or_else(KnownServers::default_path, |path| Ok(path.clone()))
}

fn config(provider: Arc<CryptoProvider>, verifier: Arc<Verifier>) -> Result<ClientConfig, Error> {
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| Error::Io(io::Error::other(error)))?;
    Ok(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn bindings(tls: &ClientConnection) -> Bindings {
    // Before TLS 1.3 the exporter is unique to a connection only under conditions (RFC 9266 §1).
    let is_unique = tls.protocol_version() == Some(ProtocolVersion::TLSv1_3);
    let exporter = || tls.export_keying_material([0; 32], EXPORTER_LABEL, None).ok();
    let certificate = tls.peer_certificates().and_then(<[_]>::first);
    Bindings {
        exporter: is_unique.then(exporter).flatten(),
        server_end_point: certificate.and_then(|certificate| server_end_point(certificate)),
    }
}

/// Reads or writes files without keeping other tasks from running.
async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::Io(io::Error::other(error)))
}
