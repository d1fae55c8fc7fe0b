//! What programs need to know of an account and its servers.

use std::fmt;
use std::net::IpAddr;
use std::path::Path;

use client::{Address, Certificate, DEFAULT_PORT, Identity, KnownServers, ServerAddress, StoredAccount};

use crate::exit::{Exit, Failure};
use crate::terminal::is_harmful;

/// Where `mymail serve` listens for POP3, beside its SMTP on port 2525.
const POP3_PORT: u16 = 1110;

/// An account, and where it sends and retrieves.
#[derive(Debug)]
pub(super) struct Setup {
    pub(super) address: Address,
    pub(super) user: String,
    pub(super) password: Secret,
    pub(super) smtp: Service,
    pub(super) pop3: Service,
    /// Where the certificates are to be kept for programs that want them in a file.
    certificate_file: String,
}

/// A password; never in debug output.
pub(super) struct Secret(pub(super) String);

/// A server as a program connects to it.
#[derive(Debug)]
pub(super) struct Service {
    /// A name, or an IP address without brackets.
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: Tls,
}

/// When the connection is encrypted.
#[derive(Debug)]
pub(super) enum Tls {
    /// Never: it stays on this computer.
    Off,
    /// After STARTTLS, or STLS.
    Upgraded(Trust),
    /// From the start.
    Implicit(Trust),
}

/// What shows that it is the server.
#[derive(Debug, Clone)]
pub(super) enum Trust {
    /// The authorities that the system trusts.
    Authorities,
    /// Its certificate.
    Certificate(Certificate),
}

impl Setup {
    pub(super) fn new(
        account: &StoredAccount,
        pop3: Option<&ServerAddress>,
        known: &KnownServers,
        accounts_path: &Path,
    ) -> Result<Self, Failure> {
        let StoredAccount { address, server, password, .. } = account;
        if server.scheme().is_pop3() {
            return Err(Failure::new(Exit::Config, format!("{server} takes no mail; --server names one that does")));
        }
        let user = account.user();
        if [&user, password].iter().any(|text| text.chars().any(is_unsayable)) {
            let problem = "the user name or the password has characters that cannot be shown or kept in such a file";
            return Err(Failure::new(Exit::Config, problem));
        }
        let pop3 = match pop3.or(account.pop3.as_ref()) {
            Some(pop3) => pop3.clone(),
            None => usual_pop3(server)?,
        };
        let identity = known.find(server);
        // One server speaks both, and shows the same certificate.
        let same = || identity.filter(|_| pop3.host().eq_ignore_ascii_case(server.host()));
        let file = accounts_path.with_file_name(format!("{}.pem", server.host()));
        Ok(Self {
            address: address.clone(),
            user,
            password: Secret(password.clone()),
            smtp: Service::new(server, identity),
            pop3: Service::new(&pop3, known.find(&pop3).or_else(same)),
            certificate_file: file.display().to_string(),
        })
    }

    pub(super) fn certificate_file(&self) -> &str {
        &self.certificate_file
    }

    /// Whether STARTTLS and STLS must not be missing, for a program that says so of both servers at once. One with TLS from
    /// the start is right either way.
    pub(super) fn requires_upgrade(&self, program: &str) -> Result<bool, Failure> {
        let Self { smtp, pop3, .. } = self;
        let (in_clear, cure) = match (&smtp.tls, &pop3.tls) {
            (Tls::Upgraded(_), Tls::Off) => {
                (pop3, format!("--server smtps://{} --pop3 pop3://{}", bracketed(&smtp.host), pop3.endpoint()))
            }
            (Tls::Off, Tls::Upgraded(_)) => (smtp, format!("--pop3 pop3s://{}", bracketed(&pop3.host))),
            _ => return Ok(smtp.is_encrypted() && pop3.is_encrypted()),
        };
        let problem = format!("{program} has one switch for STARTTLS and STLS, and {} has no TLS", in_clear.endpoint());
        let cure = format!("the other server needs a port where TLS comes first, {cure}");
        Err(Failure::new(Exit::Config, format!("{problem}: {cure}")))
    }

    /// The certificates that show that it is the server, as PEM.
    pub(super) fn certificates(&self) -> Result<String, Failure> {
        let mut certificates: Vec<String> =
            [&self.smtp, &self.pop3].into_iter().filter_map(Service::certificate).map(Certificate::pem).collect();
        certificates.dedup();
        if certificates.is_empty() {
            let problem =
                format!("no certificate of {} is needed: it is trusted without, or was not seen yet", self.smtp.host);
            return Err(Failure::new(Exit::Config, problem));
        }
        Ok(certificates.concat())
    }
}

/// Whether a character would be lost on its way into a file, or would look like another one there.
fn is_unsayable(c: char) -> bool {
    c.is_control() || is_harmful(c)
}

/// Where a server of SMTP most often has POP3.
fn usual_pop3(server: &ServerAddress) -> Result<ServerAddress, Failure> {
    let host = bracketed(server.host());
    let usual = match server.port() {
        DEFAULT_PORT => format!("pop3://{host}:{POP3_PORT}"),
        _ if server.scheme().is_tls() => format!("pop3s://{host}"),
        _ => format!("pop3://{host}"),
    };
    usual.parse().map_err(|_| Failure::new(Exit::Config, "say with --pop3 where mail is retrieved"))
}

impl Service {
    fn new(server: &ServerAddress, identity: Option<&Identity>) -> Self {
        let trust = match identity {
            Some(Identity::Pinned(certificate)) => Trust::Certificate(certificate.clone()),
            Some(Identity::Authority) | None => Trust::Authorities,
        };
        let tls = if server.scheme().is_tls() {
            Tls::Implicit(trust)
        } else if identity.is_none() && is_local(server.host()) {
            Tls::Off
        } else {
            Tls::Upgraded(trust)
        };
        Self { host: server.host().to_owned(), port: server.port(), tls }
    }

    /// Whether the connection does not leave this computer.
    pub(super) fn is_local(&self) -> bool {
        is_local(&self.host)
    }

    pub(super) fn is_encrypted(&self) -> bool {
        !matches!(self.tls, Tls::Off)
    }

    pub(super) fn is_implicit(&self) -> bool {
        matches!(self.tls, Tls::Implicit(_))
    }

    /// The certificate that shows that it is the server, if that is not an authority's work.
    pub(super) fn certificate(&self) -> Option<&Certificate> {
        match &self.tls {
            Tls::Upgraded(Trust::Certificate(certificate)) | Tls::Implicit(Trust::Certificate(certificate)) => {
                Some(certificate)
            }
            Tls::Off | Tls::Upgraded(Trust::Authorities) | Tls::Implicit(Trust::Authorities) => None,
        }
    }

    /// Host and port as in URLs.
    pub(super) fn endpoint(&self) -> String {
        format!("{}:{}", bracketed(&self.host), self.port)
    }
}

fn is_local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn bracketed(host: &str) -> String {
    if host.contains(':') { format!("[{host}]") } else { host.to_owned() }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}
