//! Who is at the other end of an encrypted connection, and what is remembered of that.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod common;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::{env, fs, thread};

use client::{
    Certificate, ConnectOptions, Connection, Error, FileError, Fingerprint, Identity, KnownServers, Peer,
    ServerAddress, TlsMode, Trust,
};
use common::identity::{Authority, Pair, expired, self_signed};
use common::serve_encrypted;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use tempfile::TempDir;

const HOST: &str = "mail.example";
const SESSION: &str = "T: \nS: 220 ready\nC: EHLO [127.0.0.1]\nS: 250-m\nS: 250 STARTTLS\nC: QUIT\nS: 221 bye\n";
/// A server whose certificate the client does not like sees the connection end in the handshake.
const REJECTED: &str = "T: \n";

/// A user with a file of known servers, who writes down what is said about first uses.
struct User {
    folder: TempDir,
    told: Arc<Mutex<Vec<String>>>,
}

impl User {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), told: Arc::default() }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("mymail").join("known-servers.toml")
    }

    fn known(&self) -> KnownServers {
        KnownServers::load(&self.file()).unwrap()
    }

    fn told(&self) -> Vec<String> {
        std::mem::take(&mut *self.told.lock().unwrap())
    }

    fn options(&self) -> ConnectOptions {
        let told = Arc::clone(&self.told);
        let first_use = move |server: &ServerAddress, shown: &Fingerprint| {
            told.lock().unwrap().push(format!("{server} {shown}"));
        };
        let trust = Trust::KnownServers(Some(self.file()));
        ConnectOptions { trust, first_use: Some(Box::new(first_use)), ..ConnectOptions::default() }
    }

    /// A whole session over implicit TLS.
    async fn visit(&self, tls: Arc<ServerConfig>) -> Result<(), Error> {
        visit(tls, self.options()).await
    }
}

async fn visit(tls: Arc<ServerConfig>, options: ConnectOptions) -> Result<(), Error> {
    let (stream, server) = serve_encrypted(SESSION.to_owned(), Some(tls));
    let visited = async { Connection::open(stream, &smtps(), Peer::Remote, options).await?.quit().await }.await;
    assert_eq!(server.await.unwrap(), "");
    visited
}

fn smtps() -> ServerAddress {
    format!("smtps://{HOST}").parse().unwrap()
}

fn fingerprint(pair: &Pair) -> Fingerprint {
    Fingerprint::of(&pair.der())
}

fn pinned(pair: &Pair) -> Identity {
    Identity::Pinned(Certificate::from(pair.der()))
}

fn file(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("ca.pem");
    fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn a_server_is_trusted_on_first_use_and_known_from_then_on() {
    let (user, pair) = (User::new(), self_signed(&["elsewhere.example"]));
    user.visit(pair.config()).await.unwrap();
    assert_eq!(user.told(), [format!("smtps://{HOST}:465 {}", fingerprint(&pair))]);
    assert_eq!(user.known().find(&smtps()), Some(&pinned(&pair)));
    user.visit(pair.config()).await.unwrap();
    assert!(user.told().is_empty(), "it is known now");
}

#[tokio::test]
async fn the_file_is_for_its_owner_alone_and_holds_what_other_programs_can_read() {
    let (user, pair) = (User::new(), self_signed(&[HOST]));
    user.visit(pair.config()).await.unwrap();
    let mode = |path: &Path| path.metadata().unwrap().mode() & 0o777;
    assert_eq!((mode(&user.file()), mode(user.file().parent().unwrap())), (0o600, 0o700));
    let text = fs::read_to_string(user.file()).unwrap();
    let pem = pair.certificate.pem().replace("\r\n", "\n");
    assert_eq!(text, format!("[[server]]\naddress = \"{HOST}:465\"\ncertificate = \"\"\"\n{pem}\"\"\"\n"));
    let Some(Identity::Pinned(certificate)) = user.known().find(&smtps()).cloned() else { panic!("{text}") };
    assert_eq!((certificate.pem(), certificate.fingerprint()), (pem, fingerprint(&pair)));
}

#[tokio::test]
async fn another_certificate_is_refused_until_the_server_is_forgotten() {
    let (user, before, now) = (User::new(), self_signed(&[HOST]), self_signed(&[HOST]));
    user.visit(before.config()).await.unwrap();
    user.told();
    let error = user.visit(now.config()).await.unwrap_err();
    let Error::CertificateChanged(change) = &error else { panic!("{error}") };
    assert_eq!((&change.server, &change.known, change.shown), (&smtps(), &pinned(&before), fingerprint(&now)));
    for part in [fingerprint(&before).to_string(), fingerprint(&now).to_string(), user.file().display().to_string()] {
        assert!(error.to_string().contains(&part), "{error}");
    }
    assert!(user.told().is_empty());
    assert_eq!(user.known().find(&smtps()), Some(&pinned(&before)));

    assert!(KnownServers::forget(&user.file(), &smtps()).unwrap());
    assert!(!KnownServers::forget(&user.file(), &smtps()).unwrap());
    user.visit(now.config()).await.unwrap();
    assert_eq!(user.told().len(), 1);
}

#[tokio::test]
async fn a_certificate_that_expires_is_still_the_servers() {
    let (user, pair) = (User::new(), expired(&[HOST]));
    for _ in 0..2 {
        user.visit(pair.config()).await.unwrap();
    }
}

#[tokio::test]
async fn whoever_shows_a_certificate_must_have_its_key() {
    let (user, pair, thief) = (User::new(), self_signed(&[HOST]), self_signed(&[HOST]));
    for version in rustls::ALL_VERSIONS {
        for trust in [user.options().trust, Trust::Anybody] {
            let options = ConnectOptions { trust, ..user.options() };
            let error = visit(pair.with_key_of(&thief, &[version]), options).await.unwrap_err();
            assert!(matches!(error, Error::Tls { .. }), "{error}");
        }
    }
    assert!(user.told().is_empty() && !user.file().exists(), "no handshake has succeeded");
}

#[tokio::test]
async fn what_an_authority_vouched_for_is_not_believed_without_its_word() {
    let (user, pair) = (User::new(), self_signed(&[HOST]));
    KnownServers::forget(&user.file(), &smtps()).unwrap();
    fs::write(user.file(), format!("[[server]]\naddress = \"{HOST}:465\"\nauthority = true\n")).unwrap();
    fs::set_permissions(user.file(), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let error = user.visit(pair.config()).await.unwrap_err();
    let Error::CertificateChanged(change) = &error else { panic!("{error}") };
    assert_eq!(change.known, Identity::Authority);
    assert!(error.to_string().contains("it is from no authority that is trusted here"), "{error}");
}

/// The system's authorities are read once in a process, from where its environment says.
#[tokio::test]
async fn what_an_authority_of_the_system_vouches_for_needs_no_first_use() {
    const NAME: &str = "what_an_authority_of_the_system_vouches_for_needs_no_first_use";
    let Some(authorities) = env::var_os("MYMAIL_TEST_AUTHORITIES") else {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("authorities.pem");
        let mut test = std::process::Command::new(env::current_exe().unwrap());
        test.args([NAME, "--exact"]).env("MYMAIL_TEST_AUTHORITIES", &path).env("SSL_CERT_FILE", &path);
        let output = test.env_remove("SSL_CERT_DIR").output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && said.contains("1 passed"), "{said}");
        return;
    };
    let authority = Authority::new();
    fs::write(authorities, authority.certificate.pem()).unwrap();

    let user = User::new();
    user.visit(authority.issue(&[HOST]).config()).await.unwrap();
    assert!(user.told().is_empty());
    assert_eq!(user.known().find(&smtps()), Some(&Identity::Authority));
    assert!(fs::read_to_string(user.file()).unwrap().ends_with("authority = true\n"));
    user.visit(authority.issue(&[HOST]).config()).await.unwrap();
    for (pair, flaw) in [
        (authority.issue(&["elsewhere.example"]), "it is for another host name"),
        (authority.issue_expired(&[HOST]), "it has expired"),
        (Authority::new().issue(&[HOST]), "it is from no authority that is trusted here"),
    ] {
        let error = user.visit(pair.config()).await.unwrap_err();
        assert!(matches!(&error, Error::CertificateChanged(change) if change.flaw == flaw), "{error}");
    }

    let user = User::new();
    for (pair, flaw) in [
        (authority.issue(&["elsewhere.example"]), "it is for another host name"),
        (authority.issue_expired(&[HOST]), "it has expired"),
        (authority.issue_expired(&["elsewhere.example"]), "it has expired"),
    ] {
        let error = user.visit(pair.config()).await.unwrap_err();
        assert!(matches!(&error, Error::CertificateRefused { flaw: found, .. } if found == flaw), "{error}");
    }
    assert!(!user.file().exists(), "a certificate of somebody else is not trusted on first use");
    user.visit(expired(&[HOST]).config()).await.unwrap();
    KnownServers::forget(&user.file(), &smtps()).unwrap();
    user.visit(self_signed(&[HOST]).config()).await.unwrap();
    user.visit(authority.issue(&[HOST]).config()).await.unwrap();
    assert_eq!(user.known().find(&smtps()), Some(&Identity::Authority), "an authority's word is better");
}

#[tokio::test]
async fn an_authority_that_is_named_decides_alone() {
    let (user, authority) = (User::new(), Authority::new());
    let own = self_signed(&[HOST]);
    let named = |pem: &str| {
        let trust = Trust::Authority(file(user.folder.path(), pem));
        ConnectOptions { trust, ..user.options() }
    };
    let good = authority.issue(&[HOST]);
    visit(good.config(), named(&authority.certificate.pem())).await.unwrap();
    visit(own.config(), named(&own.certificate.pem())).await.unwrap();
    for (pair, pem, flaw) in [
        (&good, own.certificate.pem(), "it is from no authority that is trusted here"),
        (&own, authority.certificate.pem(), "it is from no authority that is trusted here"),
        (&authority.issue(&["elsewhere.example"]), authority.certificate.pem(), "it is for another host name"),
        (&authority.issue_expired(&[HOST]), authority.certificate.pem(), "it has expired"),
    ] {
        let error = visit(pair.config(), named(&pem)).await.unwrap_err();
        assert!(matches!(&error, Error::CertificateRefused { flaw: found, .. } if found == flaw), "{error}");
    }
    let other_name = self_signed(&["elsewhere.example"]);
    let refused = visit(other_name.config(), named(&other_name.certificate.pem())).await;
    assert!(matches!(refused, Err(Error::CertificateRefused { .. })), "its own certificate, but not for its name");
    assert!(!user.file().exists() && user.told().is_empty());
}

#[tokio::test]
async fn an_authority_that_is_named_must_be_one() {
    let user = User::new();
    for text in ["", "no certificate", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n"] {
        let trust = Trust::Authority(file(user.folder.path(), text));
        let error = visit(self_signed(&[HOST]).config(), ConnectOptions { trust, ..user.options() }).await.unwrap_err();
        assert!(matches!(error, Error::Authority { .. }), "{error}");
    }
    let trust = Trust::Authority("/nowhere/ca.pem".into());
    let error = visit(self_signed(&[HOST]).config(), ConnectOptions { trust, ..user.options() }).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot take certificates from /nowhere/ca.pem: "), "{error}");
}

#[tokio::test]
async fn without_a_check_everybody_is_trusted_and_nobody_remembered() {
    let user = User::new();
    for pair in [self_signed(&["elsewhere.example"]), expired(&[HOST])] {
        visit(pair.config(), ConnectOptions { trust: Trust::Anybody, ..user.options() }).await.unwrap();
    }
    assert!(!user.file().exists() && user.told().is_empty());
}

#[tokio::test]
async fn both_versions_of_tls_are_spoken() {
    let (user, pair) = (User::new(), self_signed(&[HOST]));
    for version in rustls::ALL_VERSIONS {
        user.visit(pair.config_of(&[version])).await.unwrap();
    }
}

#[tokio::test]
async fn tls_cannot_be_off_where_it_is_all_there_is() {
    let (stream, server) = serve_encrypted(String::new(), None);
    let options = ConnectOptions { tls: TlsMode::Off, ..common::options() };
    let opened = Connection::open(stream, &smtps(), Peer::Local, options).await;
    assert!(matches!(opened, Err(Error::BadInput(_))));
    assert_eq!(server.await.unwrap(), "");
}

#[tokio::test]
async fn a_server_without_tls_on_a_port_of_tls_is_told_from_one_with_a_bad_certificate() {
    let (stream, server) = serve_encrypted("S: 220 ready\n".to_owned(), None);
    let error = Connection::open(stream, &smtps(), Peer::Remote, common::options()).await.unwrap_err();
    assert!(matches!(error, Error::Tls { .. }), "{error}");
    assert!(error.to_string().starts_with("cannot encrypt the connection to smtps://mail.example:465: "), "{error}");
    drop(server);
}

#[tokio::test]
async fn a_file_that_is_of_no_use_is_named_before_anything_is_said() {
    let user = User::new();
    fs::create_dir(user.file().parent().unwrap()).unwrap();
    for text in [
        "[[server]]\naddress = \"mail.example:465\"\n",
        "[[server]]\naddress = \"mail.example:465\"\nauthority = false\n",
        "[[server]]\naddress = \"mail.example:465\"\ncertificate = \"x\"\n",
        "[[server]]\naddress = \"mail.example:465\"\nauthority = true\npin = 1\n",
        "[server]\n",
    ] {
        fs::write(user.file(), text).unwrap();
        fs::set_permissions(user.file(), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let (stream, server) = serve_encrypted(REJECTED.to_owned(), Some(self_signed(&[HOST]).config()));
        let error = Connection::open(stream, &smtps(), Peer::Remote, user.options()).await.unwrap_err();
        assert!(matches!(&error, Error::KnownServers(FileError::Malformed { .. })), "{error}");
        assert_eq!(server.await.unwrap(), "");
        assert_eq!(fs::read_to_string(user.file()).unwrap(), text);
    }
}

#[test]
fn a_server_is_known_by_host_and_port_whatever_it_speaks() {
    let user = User::new();
    let pair = self_signed(&[HOST]);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(user.visit(pair.config())).unwrap();
    let known = |text: &str| user.known().find(&text.parse().unwrap()).is_some();
    assert!(known("MAIL.example:465") && known("smtp://mail.example:465") && known("pop3://mail.example:465"));
    assert!(!known("mail.example:25") && !known("smtps://other.example"));
}

#[test]
fn of_two_first_uses_at_once_one_is_known_and_the_other_refused() {
    for _ in 0..10 {
        let user = User::new();
        let results: Vec<Result<(), Error>> = thread::scope(|scope| {
            let visits: Vec<_> = (0..4)
                .map(|_| {
                    let user = &user;
                    scope.spawn(move || {
                        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                        runtime.block_on(user.visit(self_signed(&[HOST]).config()))
                    })
                })
                .collect();
            visits.into_iter().map(|visit| visit.join().unwrap()).collect()
        });
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1, "{results:?}");
        assert!(results.iter().all(|result| matches!(result, Ok(()) | Err(Error::CertificateChanged(_)))));
        assert_eq!((user.told().len(), user.known().list().count()), (1, 1));
    }
}

#[test]
fn no_server_of_many_that_are_seen_at_once_is_lost() {
    let (user, servers) = (User::new(), 8);
    thread::scope(|scope| {
        for port in 1..=servers {
            let user = &user;
            scope.spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let server: ServerAddress = format!("smtps://{HOST}:{port}").parse().unwrap();
                let tls = self_signed(&[HOST]).config();
                runtime.block_on(async {
                    let (stream, _serving) = serve_encrypted(SESSION.to_owned(), Some(tls));
                    Connection::open(stream, &server, Peer::Remote, user.options()).await.unwrap();
                });
            });
        }
    });
    assert_eq!(user.known().list().count(), servers);
    assert_eq!(user.told().len(), servers);
}

#[test]
fn a_fingerprint_is_of_the_certificate_itself() {
    let der = CertificateDer::from(b"abc".to_vec());
    assert_eq!(Certificate::from(der).fingerprint(), Fingerprint::of(b"abc"));
}
