//! The channel binding `tls-server-end-point` (RFC 5929 §4): a hash of the server's certificate.

use der::asn1::{AnyRef, ObjectIdentifier, SequenceRef};
use der::{Decode, Reader, SliceReader, TagMode, TagNumber};
use ring::digest::{self, Algorithm, SHA256, SHA384, SHA512};

/// Which hash a signature algorithm (RFC 3279, RFC 4055, RFC 5758) or a hash's own identifier stands for. RFC 5929 §4.1 has
/// SHA-256 in the place of MD5 and SHA-1.
const HASHES: [(ObjectIdentifier, &Algorithm); 16] = [
    (oid("1.2.840.113549.1.1.4"), &SHA256),   // md5WithRSAEncryption
    (oid("1.2.840.113549.1.1.5"), &SHA256),   // sha1WithRSAEncryption
    (oid("1.2.840.113549.1.1.11"), &SHA256),  // sha256WithRSAEncryption
    (oid("1.2.840.113549.1.1.12"), &SHA384),  // sha384WithRSAEncryption
    (oid("1.2.840.113549.1.1.13"), &SHA512),  // sha512WithRSAEncryption
    (oid("1.2.840.10045.4.1"), &SHA256),      // ecdsa-with-SHA1
    (oid("1.2.840.10045.4.3.2"), &SHA256),    // ecdsa-with-SHA256
    (oid("1.2.840.10045.4.3.3"), &SHA384),    // ecdsa-with-SHA384
    (oid("1.2.840.10045.4.3.4"), &SHA512),    // ecdsa-with-SHA512
    (oid("1.2.840.10040.4.3"), &SHA256),      // dsa-with-sha1
    (oid("2.16.840.1.101.3.4.3.2"), &SHA256), // dsa-with-sha256
    (oid("1.3.14.3.2.26"), &SHA256),          // sha1
    (oid("1.2.840.113549.2.5"), &SHA256),     // md5
    (oid("2.16.840.1.101.3.4.2.1"), &SHA256), // sha256
    (oid("2.16.840.1.101.3.4.2.2"), &SHA384), // sha384
    (oid("2.16.840.1.101.3.4.2.3"), &SHA512), // sha512
];

/// RSASSA-PSS: the hash is among its parameters (RFC 4055 §3.1).
const RSASSA_PSS: ObjectIdentifier = oid("1.2.840.113549.1.1.10");

/// The binding of a certificate in DER: its hash, by the function that its signature uses. `None` if that uses none by itself,
/// as Ed25519 does, or one that we don't know, or if it is no certificate.
pub fn server_end_point(certificate_der: &[u8]) -> Option<Vec<u8>> {
    let (algorithm, parameters) = signature_algorithm(certificate_der).ok()?;
    let hash = match algorithm {
        RSASSA_PSS => pss_hash(parameters?)?,
        algorithm => hash_of(algorithm)?,
    };
    Some(digest::digest(hash, certificate_der).as_ref().to_vec())
}

/// `AlgorithmIdentifier`
type Identifier<'a> = (ObjectIdentifier, Option<AnyRef<'a>>);

/// `Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm, signatureValue }` (RFC 5280 §4.1)
fn signature_algorithm(certificate_der: &[u8]) -> der::Result<Identifier<'_>> {
    SliceReader::new(certificate_der)?.sequence(|certificate| {
        AnyRef::decode(certificate)?;
        let algorithm = certificate.sequence(identifier)?;
        AnyRef::decode(certificate)?;
        Ok(algorithm)
    })
}

fn identifier<'a>(reader: &mut SliceReader<'a>) -> der::Result<Identifier<'a>> {
    Ok((ObjectIdentifier::decode(reader)?, Option::<AnyRef<'a>>::decode(reader)?))
}

/// `RSASSA-PSS-params ::= SEQUENCE { hashAlgorithm [0] DEFAULT sha1, … }`
fn pss_hash(parameters: AnyRef<'_>) -> Option<&'static Algorithm> {
    let hash = parameters.sequence(|parameters| {
        let hash = parameters.context_specific::<&SequenceRef>(TagNumber(0), TagMode::Explicit)?;
        parameters.drain(parameters.remaining_len())?;
        hash.map(|hash| identifier(&mut SliceReader::new(hash.as_bytes())?)).transpose()
    });
    match hash.ok()? {
        Some((algorithm, _)) => hash_of(algorithm),
        None => Some(&SHA256),
    }
}

fn hash_of(algorithm: ObjectIdentifier) -> Option<&'static Algorithm> {
    HASHES.into_iter().find(|(name, _)| *name == algorithm).map(|(_, hash)| hash)
}

/// Only for constants: a wrong one does not compile.
const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hash(hash: &'static Algorithm, certificate: &[u8]) -> Option<Vec<u8>> {
        Some(digest::digest(hash, certificate).as_ref().to_vec())
    }

    #[test]
    fn real_certificates_are_read() {
        for (signature, expected) in [
            (&rcgen::PKCS_ECDSA_P256_SHA256, Some(&SHA256)),
            (&rcgen::PKCS_ECDSA_P384_SHA384, Some(&SHA384)),
            (&rcgen::PKCS_ED25519, None),
        ] {
            let key = rcgen::KeyPair::generate_for(signature).unwrap();
            let certificate = rcgen::CertificateParams::new(["mymailserver".to_owned()]).unwrap().self_signed(&key);
            let certificate = certificate.unwrap().der().to_vec();
            assert_eq!(server_end_point(&certificate), expected.and_then(|it| hash(it, &certificate)), "{signature:?}");
        }
    }

    /// A certificate of which only the signature algorithm is real.
    fn certificate(algorithm: &[u8]) -> Vec<u8> {
        let tlv = |tag: u8, value: &[u8]| [&[tag, u8::try_from(value.len()).unwrap()], value].concat();
        tlv(0x30, &[tlv(0x30, b""), tlv(0x30, algorithm), tlv(0x03, b"\0")].concat())
    }

    #[test]
    fn the_signature_says_which_hash() {
        const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01";
        const PSS_SHA512: &[u8] = b"\x30\x11\xa0\x0f\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x03\x05\x00";
        const PSS_SALT_ONLY: &[u8] = b"\x30\x05\xa2\x03\x02\x01\x20";
        for (number, parameters, expected) in [
            (4, b"\x05\x00".as_slice(), Some(&SHA256)),
            (5, b"\x05\x00", Some(&SHA256)),
            (11, b"\x05\x00", Some(&SHA256)),
            (12, b"\x05\x00", Some(&SHA384)),
            (13, b"", Some(&SHA512)),
            (14, b"\x05\x00", None),
            (10, PSS_SHA512, Some(&SHA512)),
            (10, PSS_SALT_ONLY, Some(&SHA256)),
            (10, b"", None),
        ] {
            let certificate = certificate(&[RSA, &[number], parameters].concat());
            assert_eq!(server_end_point(&certificate), expected.and_then(|it| hash(it, &certificate)), "{number}");
        }
    }

    proptest! {
        #[test]
        fn what_is_no_certificate_has_none(octets in proptest::collection::vec(any::<u8>(), 0..100)) {
            prop_assert_eq!(server_end_point(&octets), None);
        }
    }
}
