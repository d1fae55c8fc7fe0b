//! The authorities that vouch for certificates: the system's, or those of one file.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};

/// The most octets that a file of authorities may have: many times what all those of the web take.
const FILE_OCTETS_MAX: u64 = 16 << 20;

/// Authorities, and certificates that need none.
#[derive(Debug)]
pub(super) struct Authorities {
    roots: RootCertStore,
    /// These are trusted themselves, whoever issued them and however long they are valid.
    trusted: Vec<CertificateDer<'static>>,
}

impl Authorities {
    /// Those that the system trusts: none, if it says nothing. Read once in the life of the process.
    pub(super) fn of_system() -> Arc<Self> {
        static SYSTEM: OnceLock<Arc<Authorities>> = OnceLock::new();
        let read = || {
            let mut roots = RootCertStore::empty();
            // One that can't be read or understood vouches for nobody; the others do.
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            Arc::new(Self { roots, trusted: Vec::new() })
        };
        Arc::clone(SYSTEM.get_or_init(read))
    }

    /// Those in a PEM file. A server's own certificate may be among them.
    pub(super) fn of_file(path: &Path) -> io::Result<Self> {
        let invalid = |message| io::Error::new(io::ErrorKind::InvalidData, message);
        let mut pem = Vec::new();
        File::open(path)?.take(FILE_OCTETS_MAX + 1).read_to_end(&mut pem)?;
        if pem.len() as u64 > FILE_OCTETS_MAX {
            return Err(invalid("it is too long"));
        }
        let trusted: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let trusted = trusted.map_err(|_| invalid("it is not PEM"))?;
        if trusted.is_empty() {
            return Err(invalid("there is no certificate in it"));
        }
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(trusted.iter().cloned());
        Ok(Self { roots, trusted })
    }

    /// Whether one of them vouches that this is the certificate of that server, today.
    pub(super) fn vouch(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
        algorithms: &WebPkiSupportedAlgorithms,
    ) -> Result<(), Error> {
        let certificate = ParsedCertificate::try_from(shown)?;
        if !self.trusted.iter().any(|trusted| trusted == shown) {
            let (roots, algorithms) = (&self.roots, algorithms.all);
            verify_server_cert_signed_by_trust_anchor(&certificate, roots, intermediates, now, algorithms)?;
        }
        verify_server_name(&certificate, name)
    }
}

/// What is wrong with a certificate that nobody vouches for: the rest of a sentence.
pub(super) fn flaw(error: &Error) -> String {
    let Error::InvalidCertificate(error) = error else { return error.to_string() };
    match error {
        // A name may be claimed by anybody; the signature is then another's.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "it is from no authority that is trusted here".to_owned()
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "it has expired".to_owned(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => "it is not valid yet".to_owned(),
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "it is for another host name".to_owned()
        }
        other => format!("no authority vouches for it ({other})"),
    }
}
