//! A server's certificate, as it is kept and shown.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Characters of base64 in a line of PEM (RFC 7468 §2).
const PEM_LINE_CHARACTERS: usize = 64;

/// An X.509 certificate. Its text is PEM, which other programs read too.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Certificate(CertificateDer<'static>);

impl Certificate {
    /// The certificate as PEM (RFC 7468 §5).
    pub fn pem(&self) -> String {
        self.to_string()
    }

    pub(crate) fn is(&self, der: &[u8]) -> bool {
        self.0.as_ref() == der
    }

    /// What tells it from every other.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(&self.0)
    }
}

impl From<CertificateDer<'static>> for Certificate {
    fn from(der: CertificateDer<'static>) -> Self {
        Self(der)
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("-----BEGIN CERTIFICATE-----\n")?;
        let mut rest = STANDARD.encode(&self.0);
        while !rest.is_empty() {
            let behind = rest.split_off(rest.len().min(PEM_LINE_CHARACTERS));
            writeln!(f, "{rest}")?;
            rest = behind;
        }
        f.write_str("-----END CERTIFICATE-----\n")
    }
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.fingerprint())
    }
}

/// The text is no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("not a certificate in PEM")]
pub struct BadCertificate;

impl TryFrom<String> for Certificate {
    type Error = BadCertificate;

    fn try_from(pem: String) -> Result<Self, BadCertificate> {
        CertificateDer::from_pem_slice(pem.as_bytes()).map(Self).map_err(|_| BadCertificate)
    }
}

impl From<Certificate> for String {
    fn from(certificate: Certificate) -> Self {
        certificate.to_string()
    }
}

/// The SHA-256 of a certificate, which people compare: `AA:BB:…`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; digest::SHA256_OUTPUT_LEN]);

impl Fingerprint {
    /// That of a certificate in DER.
    pub fn of(der: &[u8]) -> Self {
        let mut octets = [0; digest::SHA256_OUTPUT_LEN];
        octets.copy_from_slice(digest::digest(&digest::SHA256, der).as_ref());
        Self(octets)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, octet) in self.0.iter().enumerate() {
            write!(f, "{}{octet:02X}", if at == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_its_pem() {
        for octets in [1, 48, 49, 500] {
            let certificate = Certificate::from(CertificateDer::from(vec![0x30; octets]));
            let pem = certificate.pem();
            assert!(pem.lines().all(|line| line.len() <= PEM_LINE_CHARACTERS), "{pem}");
            assert_eq!(Certificate::try_from(pem), Ok(certificate));
        }
        for text in ["", "x", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
            assert_eq!(Certificate::try_from(text.to_owned()), Err(BadCertificate), "{text}");
        }
    }

    #[test]
    fn a_fingerprint_is_written_as_other_programs_do() {
        assert_eq!(
            Fingerprint::of(b"abc").to_string(),
            "BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:B0:03:61:A3:96:17:7A:9C:B4:10:FF:61:F2:00:15:AD"
        );
    }
}
