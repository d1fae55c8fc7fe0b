//! How the database is reached, and what of it a server may use.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, io};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use thiserror::Error;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use super::failure::in_words;

/// How to reach the database, and what this server may use of it.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it is, and as whom it is used.
    pub url: Url,
    /// The password, where the URL has none.
    pub password: Option<Password>,
    /// The most connections at a time. Two more listen, and show that the server lives.
    pub connections: usize,
    /// After this time without a sign of life a server counts as dead. At least a second.
    pub node_lease: Duration,
    /// The most that the clocks of the server and of the database may differ. With more no lease is looked after.
    pub difference_max: Duration,
    /// Who has to have signed the database's certificate. `None`: with `sslmode=verify-full` those whom the system trusts; else the
    /// connection is encrypted, and whose it is is not looked at, as other programs do.
    pub authorities: Option<Authorities>,
}

impl Options {
    /// The most connections unless something else is said.
    pub const CONNECTIONS: usize = 10;
    /// The lease of a server unless something else is said.
    pub const NODE_LEASE: Duration = Duration::from_secs(30);

    /// The difference of clocks that may be unless something else is said.
    pub const DIFFERENCE_MAX: Duration = Duration::from_secs(60);

    /// What is usual, for the database at this place.
    pub fn new(url: Url) -> Self {
        Self {
            url,
            password: None,
            connections: Self::CONNECTIONS,
            node_lease: Self::NODE_LEASE,
            difference_max: Self::DIFFERENCE_MAX,
            authorities: None,
        }
    }
}

/// A password, which is not shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Vec<u8>);

impl Password {
    /// These octets.
    pub fn new(octets: Vec<u8>) -> Self {
        Self(octets)
    }

    pub(super) fn octets(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Authorities that sign certificates of databases.
#[derive(Debug, Clone)]
pub struct Authorities(Arc<RootCertStore>);

impl Authorities {
    /// Those in a file (PEM).
    pub fn read(file: &Path) -> io::Result<Self> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(file).map_err(io::Error::other)? {
            roots.add(certificate.map_err(io::Error::other)?).map_err(io::Error::other)?;
        }
        if roots.is_empty() { Err(io::Error::other("it has no certificate")) } else { Ok(Self(Arc::new(roots))) }
    }

    /// Those that the system trusts. Reads its files.
    pub fn of_system() -> Self {
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        Self(Arc::new(roots))
    }

    pub(super) fn roots(&self) -> Arc<RootCertStore> {
        Arc::clone(&self.0)
    }
}
/// How a database is asked for that has to prove who it is.
const VERIFY: &str = "sslmode=verify-full";

/// A PostgreSQL connection URI, `postgres://user@host,host/database?…`, all of whose hosts are tried. It never shows its password.
#[derive(Clone, PartialEq, Eq)]
pub struct Url {
    text: String,
    config: Config,
    /// Whether the database has to prove who it is.
    is_verified: bool,
}

/// Why a text is no URL of a database.
#[derive(Debug, Error)]
pub enum UrlError {
    /// It can't be read.
    #[error("it can't be read as postgres://USER@HOST/DATABASE: {0}")]
    Syntax(String),
    /// What stands for something in a URL is part of a name or a password. Which is not said: it may be the password.
    #[error(
        "a name or password in it has a character that has to be written otherwise: %40 for @, %3A for :, %2F for /, %3F for ?"
    )]
    Unescaped,
    /// A part is missing.
    #[error("it does not say {0}: write it as postgres://USER@HOST/DATABASE")]
    Missing(&'static str),
    /// It asks for a server that takes no writes.
    #[error("mail can't be kept where nothing can be written: write target_session_attrs=read-write")]
    ReadOnly,
}

impl FromStr for Url {
    type Err = UrlError;

    fn from_str(text: &str) -> Result<Self, UrlError> {
        let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
        if !is_url {
            return Err(UrlError::Syntax("it does not begin with postgres://".to_owned()));
        }
        if !is_clear(text) {
            return Err(UrlError::Unescaped);
        }
        // The library knows no more than to encrypt; the rest is ours.
        let is_verified = text.contains(VERIFY);
        let parsed = text.replace(VERIFY, "sslmode=require").parse();
        let config: Config = parsed.map_err(|error| UrlError::Syntax(in_words(&error)))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(UrlError::Missing("a host"));
        }
        if config.get_user().is_none() {
            return Err(UrlError::Missing("a user"));
        }
        if config.get_dbname().is_none() {
            return Err(UrlError::Missing("a database"));
        }
        if config.get_target_session_attrs() == TargetSessionAttrs::ReadOnly {
            return Err(UrlError::ReadOnly);
        }
        Ok(Self { text: text.to_owned(), config, is_verified })
    }
}

/// Whether it is plain where the password stands. The library reads some that are not, and a part of the password would be taken
/// for something that may be shown.
fn is_clear(text: &str) -> bool {
    let (authority, tail) = split(text);
    let (_, parameters) = tail.split_once('?').unwrap_or_default();
    let is_plain = |parameter: &str| !parameter.split('=').next().unwrap_or_default().contains('%');
    authority.matches('@').count() <= 1 && !tail.contains('@') && parameters.split('&').all(is_plain)
}

/// What says as whom and where, and what follows.
fn split(text: &str) -> (&str, &str) {
    let (_, rest) = text.split_once("://").unwrap_or_default();
    rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()))
}

impl Url {
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// Whether the database has to prove who it is by a certificate that an authority has signed.
    pub fn is_verified(&self) -> bool {
        self.is_verified
    }

    /// Whether it has a password.
    pub fn has_password(&self) -> bool {
        self.config.get_password().is_some()
    }

    /// Where the database may be: hosts and ports, or paths of sockets.
    pub fn places(&self) -> Vec<Place> {
        let (hosts, addresses, ports) = (self.config.get_hosts(), self.config.get_hostaddrs(), self.config.get_ports());
        let port = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        (0..hosts.len().max(addresses.len()))
            .map(|at| match (addresses.get(at), hosts.get(at)) {
                (Some(address), _) => Place::Host(address.to_string(), port(at)),
                (None, Some(Host::Tcp(host))) => Place::Host(host.clone(), port(at)),
                (None, Some(Host::Unix(folder))) => Place::Socket(folder.join(format!(".s.PGSQL.{}", port(at)))),
                // There are as many as the longer list has.
                (None, None) => Place::Host(String::new(), port(at)),
            })
            .collect()
    }

    /// Whether connections may be encrypted.
    pub fn wants_tls(&self) -> bool {
        self.config.get_ssl_mode() != SslMode::Disable
    }
}

/// Where a database server may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A host by name or address, and the port.
    Host(String, u16),
    /// The socket's path.
    Socket(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host, port) if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Host(host, port) => write!(f, "{host}:{port}"),
            Self::Socket(path) => path.display().fmt(f),
        }
    }
}

/// As it was written, but for its password.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.has_password() {
            return f.write_str(&self.text);
        }
        let (scheme, _) = self.text.split_once("://").unwrap_or(("postgres", ""));
        let (authority, tail) = split(&self.text);
        let authority = match authority.rsplit_once('@') {
            Some((user, hosts)) => format!("{}:***@{hosts}", user.split(':').next().unwrap_or_default()),
            None => authority.to_owned(),
        };
        let (path, parameters) = tail.split_once('?').unwrap_or((tail, ""));
        let shown = parameters.split('&').map(|parameter| match parameter.split_once('=') {
            Some(("password", _)) => "password=***",
            _ => parameter,
        });
        let parameters = shown.collect::<Vec<_>>().join("&");
        let mark = if parameters.is_empty() { "" } else { "?" };
        write!(f, "{scheme}://{authority}{path}{mark}{parameters}")
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_where_as_whom_and_what() {
        let url: Url = "postgres://mymail@db1,db2:6432/mail?target_session_attrs=read-write".parse().unwrap();
        assert_eq!(url.places().iter().map(Place::to_string).collect::<Vec<_>>(), ["db1:5432", "db2:6432"]);
        let socket: Url = "postgres://mymail@%2Frun%2Fpostgresql/mail".parse().unwrap();
        assert_eq!(socket.places(), [Place::Socket("/run/postgresql/.s.PGSQL.5432".into())]);
        let verified: Url = "postgres://mymail@db/mail?sslmode=verify-full".parse().unwrap();
        assert!(verified.is_verified() && verified.wants_tls() && !url.is_verified());
        for text in [
            "",
            "mail",
            "mysql://mymail@db/mail",
            "postgres://mymail@/mail",
            "postgres://db/mail",
            "postgres://mymail@db",
            "postgres://mymail@db/mail?target_session_attrs=read-only",
            "postgres://mymail@db/mail?nonsense=1",
            "postgres://mymail@db/mail?p%61ssword=secret",
        ] {
            assert!(text.parse::<Url>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_password_that_could_be_taken_for_something_else_is_refused() {
        for text in [
            "postgres://mymail:p?secret=x@db/mail",
            "postgres://mymail:1/secret@db/mail",
            "postgres://mymail:p@secret@db/mail",
            "postgres://db/mail?user=mymail&password=p@secret",
            "postgres://db/mail?user=mymail&pass%77ord=secret",
        ] {
            let error = text.parse::<Url>().unwrap_err();
            assert!(matches!(error, UrlError::Unescaped) && !error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_password_is_not_shown() {
        for (text, shown) in [
            ("postgres://mymail@db/mail", "postgres://mymail@db/mail"),
            ("postgres://mymail:secret@db/mail?sslmode=require", "postgres://mymail:***@db/mail?sslmode=require"),
            ("postgres://db/mail?user=mymail&password=secret", "postgres://db/mail?user=mymail&password=***"),
            ("postgres://mymail:se%40cret@db", "postgres://mymail:***@db"),
        ] {
            let Ok(config) = text.parse() else { panic!("{text}") };
            let url = Url { text: text.to_owned(), config, is_verified: false };
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("cret"));
        }
    }
}
