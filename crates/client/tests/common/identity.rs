//! Certificates for scripted servers.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, SupportedProtocolVersion};

/// A certificate and its key.
pub(crate) struct Pair {
    pub(crate) certificate: rcgen::Certificate,
    key: KeyPair,
}

/// One that issues certificates.
pub(crate) struct Authority {
    pub(crate) certificate: rcgen::Certificate,
    issuer: Issuer<'static, KeyPair>,
}

/// A server's own certificate, for these names.
pub(crate) fn self_signed(names: &[&str]) -> Pair {
    let key = KeyPair::generate().unwrap();
    Pair { certificate: params(names).self_signed(&key).unwrap(), key }
}

/// One that was valid long ago.
pub(crate) fn expired(names: &[&str]) -> Pair {
    let key = KeyPair::generate().unwrap();
    let mut params = params(names);
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(2001, 1, 1);
    Pair { certificate: params.self_signed(&key).unwrap(), key }
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = params(&[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        Self { certificate, issuer: Issuer::new(params, key) }
    }

    /// A certificate for these names.
    pub(crate) fn issue(&self, names: &[&str]) -> Pair {
        self.signed(params(names))
    }

    /// One that was valid long ago.
    pub(crate) fn issue_expired(&self, names: &[&str]) -> Pair {
        let mut params = params(names);
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(2001, 1, 1);
        self.signed(params)
    }

    fn signed(&self, params: CertificateParams) -> Pair {
        let key = KeyPair::generate().unwrap();
        Pair { certificate: params.signed_by(&key, &self.issuer).unwrap(), key }
    }
}

impl Pair {
    /// A server with it.
    pub(crate) fn config(&self) -> Arc<ServerConfig> {
        self.config_of(rustls::ALL_VERSIONS)
    }

    /// A server with it that speaks these versions of TLS.
    pub(crate) fn config_of(&self, versions: &[&'static SupportedProtocolVersion]) -> Arc<ServerConfig> {
        self.with_key_of(self, versions)
    }

    /// A server that shows it, and has another's key.
    pub(crate) fn with_key_of(
        &self,
        other: &Self,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Arc<ServerConfig> {
        let key = PrivateKeyDer::try_from(other.key.serialize_der()).unwrap();
        let provider = Arc::new(ring::default_provider());
        let key = provider.key_provider.load_private_key(key).unwrap();
        let certified = rustls::sign::CertifiedKey::new(vec![self.der()], key);
        let config = ServerConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
        let resolver = rustls::sign::SingleCertAndKey::from(certified);
        Arc::new(config.with_no_client_auth().with_cert_resolver(Arc::new(resolver)))
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.certificate.der().clone()
    }
}

fn params(names: &[&str]) -> CertificateParams {
    CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap()
}
