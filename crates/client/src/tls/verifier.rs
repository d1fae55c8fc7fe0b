//! Judges the certificate that a server shows in a handshake.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, SignatureScheme};

use super::authorities::{Authorities, flaw};
use crate::known_servers::Identity;

/// What decides whether a certificate is that of the server.
#[derive(Debug)]
pub(super) enum Judge {
    /// The system's authorities, or else what the server is known by, or else nothing: it is trusted on first use.
    KnownServers { authorities: Arc<Authorities>, known: Option<Identity>, path: PathBuf },
    /// These authorities alone.
    Authorities(Authorities),
    /// Nothing: everybody is trusted.
    Nobody,
}

/// What the judge says.
#[derive(Debug, Clone)]
pub(super) enum Verdict {
    /// It is the server, and the file at `path` is to know it by this from now on.
    New { identity: Identity, flaw: String, path: PathBuf },
    /// It is the server, as far as anybody asked.
    Good,
    /// The file at `path` knows the server by something else.
    Changed { known: Identity, flaw: String, path: PathBuf },
    /// The authorities do not vouch for it.
    Refused { flaw: String },
}

/// Has one handshake judged. That the server has the certificate's key is always verified.
#[derive(Debug)]
pub(super) struct Verifier {
    judge: Judge,
    algorithms: WebPkiSupportedAlgorithms,
    verdict: OnceLock<(CertificateDer<'static>, Verdict)>,
}

impl Verifier {
    pub(super) fn new(judge: Judge, algorithms: WebPkiSupportedAlgorithms) -> Self {
        Self { judge, algorithms, verdict: OnceLock::new() }
    }

    /// The certificate that was shown, and what was said of it.
    pub(super) fn verdict(&self) -> Option<&(CertificateDer<'static>, Verdict)> {
        self.verdict.get()
    }

    /// `vouched`: whether these authorities vouch for it at this time.
    fn judge(
        &self,
        shown: &CertificateDer<'_>,
        now: UnixTime,
        vouched: impl Fn(&Authorities, UnixTime) -> Result<(), Error>,
    ) -> Verdict {
        match &self.judge {
            Judge::Nobody => Verdict::Good,
            Judge::Authorities(authorities) => match vouched(authorities, now) {
                Ok(()) => Verdict::Good,
                Err(error) => Verdict::Refused { flaw: flaw(&error) },
            },
            Judge::KnownServers { authorities, known, path } => {
                let path = path.clone();
                match (vouched(authorities, now), known) {
                    (Ok(()), Some(Identity::Authority)) => Verdict::Good,
                    (Ok(()), _) => Verdict::New { identity: Identity::Authority, flaw: String::new(), path },
                    (Err(_), Some(Identity::Pinned(pinned))) if pinned.is(shown) => Verdict::Good,
                    (Err(error), Some(known)) => Verdict::Changed { known: known.clone(), flaw: flaw(&error), path },
                    // It is somebody's whom an authority knows, but not, or not now, this server's.
                    (Err(error), None) if is_of_authority(&error, |time| vouched(authorities, time)) => {
                        Verdict::Refused { flaw: flaw(&error) }
                    }
                    (Err(error), None) => {
                        let identity = Identity::Pinned(shown.clone().into_owned().into());
                        Verdict::New { identity, flaw: flaw(&error), path }
                    }
                }
            }
        }
    }
}

/// Whether an authority has issued a certificate that is for another name or another time. Such a one is no server's own, to be
/// trusted on first use.
fn is_of_authority(error: &Error, vouched_at: impl Fn(UnixTime) -> Result<(), Error>) -> bool {
    let time = match error {
        Error::InvalidCertificate(CertificateError::ExpiredContext { not_after, .. }) => *not_after,
        Error::InvalidCertificate(CertificateError::NotValidYetContext { not_before, .. }) => *not_before,
        error => return is_of_other_name(error),
    };
    match vouched_at(time) {
        Ok(()) => true,
        Err(error) => is_of_other_name(&error),
    }
}

/// The name is looked at last: all else is right.
fn is_of_other_name(error: &Error) -> bool {
    use CertificateError::{NotValidForName, NotValidForNameContext};
    matches!(error, Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. }))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let vouched =
            |authorities: &Authorities, time| authorities.vouch(shown, intermediates, name, time, &self.algorithms);
        let verdict = || (shown.clone().into_owned(), self.judge(shown, now, vouched));
        match self.verdict.get_or_init(verdict) {
            // A server does not show a second certificate; if it did, the verdict would not be about that.
            (judged, Verdict::New { .. } | Verdict::Good) if judged == shown => Ok(ServerCertVerified::assertion()),
            _ => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, shown, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, shown, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
