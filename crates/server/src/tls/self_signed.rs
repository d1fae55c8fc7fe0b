//! The certificate that the server makes for itself where none is configured, so that everything is encrypted from the first
//! start on. It is made once and kept: clients that trust it go on doing so.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use proto::Domain;
use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256,
    date_time_ymd,
};

use super::identity::{Identity, TlsError, server_name};

const FOLDER: &str = "tls";
const CERTIFICATE: &str = "certificate.pem";
const KEY: &str = "key.pem";

const FOLDER_MODE: u32 = 0o700;
const CERTIFICATE_MODE: u32 = 0o644;
const KEY_MODE: u32 = 0o600;

/// Longest common name, in characters (RFC 5280 appendix A.1, ub-common-name).
const COMMON_NAME_MAX: usize = 64;

/// The pair that is kept in the data folder; a new one if there is none that can be used. Only one server at a time may use
/// the folder.
pub(super) fn keep(data: &Path, hostname: &Domain) -> Result<Identity, TlsError> {
    let folder = data.join(FOLDER);
    let (certificate, key) = (folder.join(CERTIFICATE), folder.join(KEY));
    match Identity::load(&certificate, &key) {
        Err(error) if is_missing(&error) && !key.exists() => {
            tracing::info!(certificate = %certificate.display(), "making a self-signed certificate");
        }
        // A crash while the pair was made, or somebody's hand.
        Err(error) if is_broken(&error) => {
            tracing::warn!(%error, "the server's own certificate is of no use: making a new one");
        }
        kept => return kept,
    }
    let (certificate_text, key_text) =
        make(hostname).map_err(|source| TlsError::Make { hostname: hostname.clone(), source })?;
    create_folder(&folder).map_err(failed(&folder))?;
    // Both are whole before either has its name, and a key without its certificate is replaced at the next start.
    let new_key = write_new(&key, &key_text, KEY_MODE).map_err(failed(&key))?;
    let new_certificate = write_new(&certificate, &certificate_text, CERTIFICATE_MODE).map_err(failed(&certificate))?;
    fs::rename(new_key, &key).map_err(failed(&key))?;
    fs::rename(new_certificate, &certificate).map_err(failed(&certificate))?;
    sync(&folder).map_err(failed(&folder))?;
    Identity::load(&certificate, &key)
}

/// A certificate and its key, in PEM. Clients can be told to trust this one certificate; it vouches for no other.
fn make(hostname: &Domain) -> Result<(String, String), rcgen::Error> {
    let own = server_name(hostname).map(|name| name.to_str().into_owned());
    let common_name = own.clone().filter(|name| name.len() <= COMMON_NAME_MAX).unwrap_or_else(|| "mymail".to_owned());
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).to_vec();
    if let Some(own) = own.filter(|own| !names.contains(own)) {
        names.insert(0, own);
    }
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    // From before any clock that is wrong, to the moment that means "has no end" (RFC 5280 §4.1.2.5).
    params.not_before = date_time_ymd(2000, 1, 1);
    params.not_after = date_time_ymd(9999, 12, 31) + Duration::from_secs(24 * 60 * 60 - 1);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    Ok((params.self_signed(&key)?.pem(), key.serialize_pem()))
}

fn is_missing(error: &TlsError) -> bool {
    matches!(error, TlsError::Read { source, .. } if source.kind() == ErrorKind::NotFound)
}

/// Whether there is nothing to lose.
fn is_broken(error: &TlsError) -> bool {
    match error {
        TlsError::Malformed { .. }
        | TlsError::NoCertificate { .. }
        | TlsError::NoKey { .. }
        | TlsError::BadKey { .. }
        | TlsError::BadCertificate { .. }
        | TlsError::Mismatch { .. } => true,
        other => is_missing(other),
    }
}

/// Makes the folder, and those above it, unless it is there.
fn create_folder(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(FOLDER_MODE).create(folder)?;
    folder.parent().map_or(Ok(()), sync)
}

/// Writes a file beside where it belongs, and returns where that is once it is on the disk.
fn write_new(path: &Path, text: &str, mode: u32) -> io::Result<PathBuf> {
    let new = path.with_extension("new");
    // What a crash left behind may have any mode.
    match fs::remove_file(&new) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    Ok(new)
}

/// Makes the names in a folder durable.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn failed(path: &Path) -> impl Fn(io::Error) -> TlsError {
    move |source| TlsError::Keep { path: path.to_owned(), source }
}
