//! What the server shows to be the server: its certificate, those of its issuers, and the key.

use std::fs::File;
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proto::Domain;
use rustls::InconsistentKeys;
use rustls::client::verify_server_name;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use thiserror::Error;

/// Largest file of certificates or of a key, in octets.
const PEM_OCTETS_MAX: u64 = 1 << 20;

/// Why the server has nothing to show for itself.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file can't be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file is too long to be what it should.
    #[error("{} is longer than 1 MiB: name a PEM file with nothing but certificates, or a key", path.display())]
    TooLong {
        /// Which file.
        path: PathBuf,
    },
    /// A file is damaged.
    #[error("{} is no whole PEM file ({what}): copy it anew from where it was made", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// In which way.
        what: &'static str,
    },
    /// There is no certificate in the file that should have one.
    #[error(
        "{} has no certificate: name a PEM file with the server's certificate first, then those of its issuers",
        path.display()
    )]
    NoCertificate {
        /// Which file.
        path: PathBuf,
    },
    /// There is no key in the file that should have one.
    #[error("{} has no private key: name the PEM file that was made with the certificate", path.display())]
    NoKey {
        /// Which file.
        path: PathBuf,
    },
    /// The key needs a passphrase, and nobody is there to say it.
    #[error(
        "the key in {} is locked with a passphrase: name a file without one, which `openssl pkey` writes",
        path.display()
    )]
    LockedKey {
        /// Which file.
        path: PathBuf,
    },
    /// The key is damaged or of a kind that is not used for TLS.
    #[error("cannot use the key in {} ({source}): it must be an RSA, ECDSA or Ed25519 key", path.display())]
    BadKey {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: rustls::Error,
    },
    /// The certificate is damaged or of a kind that is not used for TLS.
    #[error("cannot use the first certificate in {} ({source}): it must be the server's own", path.display())]
    BadCertificate {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: rustls::Error,
    },
    /// Certificate and key are not of one pair.
    #[error(
        "the key in {} does not belong to the first certificate in {}: name the two that were made together",
        key.display(),
        certificate.display()
    )]
    Mismatch {
        /// The file of the certificate.
        certificate: PathBuf,
        /// The file of the key.
        key: PathBuf,
    },
    /// A self-signed certificate can't be kept.
    #[error("cannot keep the server's own certificate in {}: {source}", path.display())]
    Keep {
        /// Which file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A self-signed certificate can't be made.
    #[error("cannot make a certificate for {hostname}: {source}")]
    Make {
        /// The server's name.
        hostname: Domain,
        /// Why not.
        source: rcgen::Error,
    },
    /// The encryption itself does not work.
    #[error("cannot prepare TLS: {0}")]
    Prepare(#[source] rustls::Error),
}

/// A certificate with its issuers, and its key.
#[derive(Debug)]
pub(super) struct Identity(CertifiedKey);

impl Identity {
    /// Reads both from PEM files. The first certificate is the server's.
    pub(super) fn load(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let chain = read_certificates(certificate)?;
        let signing_key = super::provider()
            .key_provider
            .load_private_key(read_key(key)?)
            .map_err(|source| TlsError::BadKey { path: key.to_owned(), source })?;
        let certified = CertifiedKey::new(chain, signing_key);
        match certified.keys_match() {
            Ok(()) => Ok(Self(certified)),
            Err(rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch)) => {
                Err(TlsError::Mismatch { certificate: certificate.to_owned(), key: key.to_owned() })
            }
            Err(source) => Err(TlsError::BadCertificate { path: certificate.to_owned(), source }),
        }
    }

    /// The server's certificate, in DER.
    pub(super) fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.0.cert.first()
    }

    /// Whether clients that know the server by this name will find it in the certificate.
    pub(super) fn is_for(&self, hostname: &Domain) -> bool {
        let parsed = self.certificate().map(ParsedCertificate::try_from);
        match (parsed, server_name(hostname)) {
            (Some(Ok(certificate)), Some(name)) => verify_server_name(&certificate, &name).is_ok(),
            _ => false,
        }
    }

    /// In the form that is shown to every client, whatever name it asks for.
    pub(super) fn into_resolver(self) -> Arc<SingleCertAndKey> {
        Arc::new(SingleCertAndKey::from(self.0))
    }
}

/// The hostname as certificates have it: `None` where they can't, which is outside ASCII and for literals of other networks.
pub(super) fn server_name(hostname: &Domain) -> Option<ServerName<'static>> {
    let text = hostname.as_str();
    match text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        // RFC 5321 §4.1.3; a domain is kept in lower case.
        Some(literal) => {
            let address: IpAddr = literal.strip_prefix("ipv6:").unwrap_or(literal).parse().ok()?;
            Some(ServerName::from(address))
        }
        None => ServerName::try_from(text.to_owned()).ok(),
    }
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let text = read(path)?;
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match chain.map_err(|error| malformed(path, &error))? {
        chain if chain.is_empty() => Err(TlsError::NoCertificate { path: path.to_owned() }),
        chain => Ok(chain),
    }
}

fn read_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    let text = read(path)?;
    warn_if_others_can_read(path);
    match PrivateKeyDer::from_pem_slice(&text) {
        Ok(key) => Ok(key),
        Err(pem::Error::NoItemsFound) if contains(&text, b"-----BEGIN ENCRYPTED PRIVATE KEY-----") => {
            Err(TlsError::LockedKey { path: path.to_owned() })
        }
        Err(pem::Error::NoItemsFound) => Err(TlsError::NoKey { path: path.to_owned() }),
        Err(error) => Err(malformed(path, &error)),
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    let failed = |source| TlsError::Read { path: path.to_owned(), source };
    let mut text = Vec::new();
    File::open(path).map_err(failed)?.take(PEM_OCTETS_MAX + 1).read_to_end(&mut text).map_err(failed)?;
    match text.len() as u64 > PEM_OCTETS_MAX {
        true => Err(TlsError::TooLong { path: path.to_owned() }),
        false => Ok(text),
    }
}

/// Without what the file says: it may be the key.
fn malformed(path: &Path, error: &pem::Error) -> TlsError {
    let what = match error {
        pem::Error::MissingSectionEnd { .. } => "the END line is missing",
        pem::Error::IllegalSectionStart { .. } => "a BEGIN line is not in order",
        pem::Error::Base64Decode(_) => "what stands between BEGIN and END is not base64",
        _ => "it can't be decoded",
    };
    TlsError::Malformed { path: path.to_owned(), what }
}

fn warn_if_others_can_read(key: &Path) {
    const READ_BY_OTHERS: u32 = 0o004;
    match key.metadata() {
        Ok(metadata) if metadata.permissions().mode() & READ_BY_OTHERS != 0 => tracing::warn!(
            key = %key.display(),
            "every user of this computer can read the server's private key: chmod o-r it"
        ),
        Ok(_) => {}
        Err(error) => tracing::debug!(%error, key = %key.display(), "cannot tell who may read the key"),
    }
}

fn contains(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|window| window == what)
}
