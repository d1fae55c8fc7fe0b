//! What keeps accounts and mail: the store in the data folder, or a PostgreSQL database that many servers may share.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::de::{Deserializer, Error as _};
use serde::ser::Serializer;
use serde::{Deserialize, Serialize};
use store::postgres::{Authorities, Options, Password, Url};
use thiserror::Error;

use super::values;

/// Most connections to the database that may be configured.
const CONNECTIONS_MAX: u64 = 1000;
/// Longest line of a password file, in octets.
const PASSWORD_OCTETS_MAX: usize = 1024;

/// What keeps accounts and mail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum StoreConfig {
    /// The data folder, for one server.
    #[default]
    Sqlite,
    /// A database, for any number of servers.
    Postgres(Box<Database>),
}

/// A PostgreSQL database, and what of it this server may use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    /// Where it is, and as whom it is used.
    pub url: Url,
    /// The file whose first line is the password; `None`: the URL has one, or none is needed.
    pub password_file: Option<PathBuf>,
    /// Most connections of this server at a time. One more listens.
    pub connections: usize,
    /// After this time without a sign of life this server counts as dead for the others.
    pub node_lease: Duration,
    /// The file (PEM) of the authorities that have to have signed its certificate; `None`: with `sslmode=verify-full` those that the
    /// system trusts, else nobody has to.
    pub ca: Option<PathBuf>,
}

impl StoreConfig {
    /// The database, if it is one.
    pub fn database(&self) -> Option<&Database> {
        match self {
            Self::Sqlite => None,
            Self::Postgres(database) => Some(database),
        }
    }
}

/// Why a database can't be used as it is configured.
#[derive(Debug, Error)]
pub enum DatabaseError {
    /// The file of the password can't be read.
    #[error("cannot read the password of the database in {}: {source}", path.display())]
    Password {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file of the authorities can't be read.
    #[error("cannot read the authorities that the database is checked with in {}: {source}", path.display())]
    Authorities {
        /// Which file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file has no password.
    #[error("{} has no password: its first line must be one of at most {PASSWORD_OCTETS_MAX} octets", .0.display())]
    NoPassword(PathBuf),
}

impl Database {
    /// How the store reaches it. Reads the password, and the certificates of authorities: later nobody may be able to.
    pub fn options(&self) -> Result<Options, DatabaseError> {
        let Self { url, password_file, connections, node_lease, ca } = self;
        let password = password_file.as_deref().map(read_password).transpose()?;
        let authorities = match ca {
            Some(path) => Authorities::read(path)
                .map_err(|source| DatabaseError::Authorities { path: path.clone(), source })
                .map(Some)?,
            None => url.is_verified().then(Authorities::of_system),
        };
        Ok(Options {
            url: url.clone(),
            password: password.map(Password::new),
            connections: *connections,
            node_lease: *node_lease,
            difference_max: Options::DIFFERENCE_MAX,
            authorities,
        })
    }
}

fn read_password(path: &Path) -> Result<Vec<u8>, DatabaseError> {
    let failed = |source| DatabaseError::Password { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mut line = Vec::new();
    // With its end, and one octet that is too much.
    let most = PASSWORD_OCTETS_MAX as u64 + 2;
    BufReader::new(file.take(most)).read_until(b'\n', &mut line).map_err(failed)?;
    let password = line.strip_suffix(b"\n").unwrap_or(&line);
    let password = password.strip_suffix(b"\r").unwrap_or(password);
    if password.is_empty() || password.len() > PASSWORD_OCTETS_MAX {
        return Err(DatabaseError::NoPassword(path.to_owned()));
    }
    const READ_BY_OTHERS: u32 = 0o004;
    if metadata.permissions().mode() & READ_BY_OTHERS != 0 {
        tracing::warn!(file = %path.display(), "every user of this computer can read the database's password: chmod o-r it");
    }
    Ok(password.to_owned())
}

/// The table as it stands in the file.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    engine: Engine,
    #[serde(default, deserialize_with = "url", serialize_with = "masked", skip_serializing_if = "Option::is_none")]
    url: Option<Url>,
    #[serde(skip_serializing_if = "Option::is_none")]
    password_file: Option<PathBuf>,
    #[serde(default, deserialize_with = "connections", skip_serializing_if = "Option::is_none")]
    connections: Option<usize>,
    #[serde(
        default,
        deserialize_with = "lease",
        serialize_with = "humantime_serde::serialize",
        skip_serializing_if = "Option::is_none"
    )]
    node_lease: Option<Duration>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ca: Option<PathBuf>,
}

#[derive(Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Engine {
    #[default]
    Sqlite,
    Postgres,
}

fn url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    String::deserialize(deserializer)?.parse().map(Some).map_err(D::Error::custom)
}

/// It shows no password.
fn masked<S: Serializer>(url: &Option<Url>, serializer: S) -> Result<S::Ok, S::Error> {
    match url {
        Some(url) => serializer.collect_str(url),
        None => serializer.serialize_none(),
    }
}

fn connections<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    values::within::<1, CONNECTIONS_MAX, _, _>(deserializer).map(Some)
}

fn lease<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    match values::duration::deserialize(deserializer)? {
        lease if lease < Duration::from_secs(1) => Err(D::Error::custom("must be at least a second")),
        lease => Ok(Some(lease)),
    }
}

/// What in the table does not go together.
#[derive(Debug, Error)]
enum Mismatch {
    #[error("{0} is for engine = \"postgres\" alone: say so in [store], or leave it out")]
    PostgresAlone(&'static str),
    #[error("engine = \"postgres\" needs a url, such as url = \"postgres://mymail@db.example.org/mymail\"")]
    NoUrl,
    #[error("the password is in url and in password_file: leave it out of one of them")]
    TwoPasswords,
    #[error("ca is of no use where url says sslmode=disable: leave out one of them")]
    NothingToCheck,
}

impl TryFrom<Written> for StoreConfig {
    type Error = Mismatch;

    fn try_from(written: Written) -> Result<Self, Mismatch> {
        let Written { engine, url, password_file, connections, node_lease, ca } = written;
        if engine == Engine::Sqlite {
            let said = [
                ("url", url.is_some()),
                ("password_file", password_file.is_some()),
                ("connections", connections.is_some()),
                ("node_lease", node_lease.is_some()),
                ("ca", ca.is_some()),
            ];
            let out_of_place = said.iter().find(|(_, is_there)| *is_there);
            return out_of_place.map_or(Ok(Self::Sqlite), |(key, _)| Err(Mismatch::PostgresAlone(key)));
        }
        let url = url.ok_or(Mismatch::NoUrl)?;
        if url.has_password() && password_file.is_some() {
            return Err(Mismatch::TwoPasswords);
        }
        if ca.is_some() && !url.wants_tls() {
            return Err(Mismatch::NothingToCheck);
        }
        Ok(Self::Postgres(Box::new(Database {
            url,
            password_file,
            connections: connections.unwrap_or(Options::CONNECTIONS),
            node_lease: node_lease.unwrap_or(Options::NODE_LEASE),
            ca,
        })))
    }
}

impl From<StoreConfig> for Written {
    fn from(config: StoreConfig) -> Self {
        match config {
            StoreConfig::Sqlite => Self::default(),
            StoreConfig::Postgres(database) => {
                let Database { url, password_file, connections, node_lease, ca } = *database;
                Self {
                    engine: Engine::Postgres,
                    url: Some(url),
                    password_file,
                    connections: Some(connections),
                    node_lease: Some(node_lease),
                    ca,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn password(text: &[u8]) -> Result<Vec<u8>, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        read_password(file.path()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_password_is_the_first_line_of_its_file() {
        let longest = "x".repeat(PASSWORD_OCTETS_MAX);
        for (text, expected) in [
            ("secret", "secret"),
            ("a secret \n", "a secret "),
            ("secret\r\nand more\n", "secret"),
            (&format!("{longest}\r\n"), longest.as_str()),
        ] {
            assert_eq!(password(text.as_bytes()).unwrap(), expected.as_bytes());
        }
        for text in ["", "\n", "\r\nsecret", &format!("{longest}x"), &format!("{longest}x\n")] {
            let error = password(text.as_bytes()).unwrap_err();
            assert!(error.contains("has no password") && !error.contains("secret"), "{error}");
        }
        let missing = read_password(Path::new("/no/such/file")).unwrap_err().to_string();
        assert!(missing.contains("in /no/such/file: "), "{missing}");
    }
}
