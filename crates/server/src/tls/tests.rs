//! Handshakes, what has arrived, and certificates that are kept, made anew or refused.

use std::fs;
use std::io::Write;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::pin::Pin;
use std::task::Poll;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt, ReadBuf};
use tokio::net::TcpListener;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream as ClientStream;

use super::*;

fn client_config(data: &Path, version: &'static SupportedProtocolVersion) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(data.join("tls/certificate.pem")).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(provider()).with_protocol_versions(&[version]).unwrap();
    Arc::new(builder.with_root_certificates(roots).with_no_client_auth())
}

async fn sockets() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

/// Both ends of a connection, and what the server's session is told of it.
async fn connect(
    data: &Path,
    version: &'static SupportedProtocolVersion,
    name: &str,
) -> (ClientStream<TcpStream>, TlsStream, Channel) {
    let acceptor = Acceptor::new(&Config::default(), data).unwrap();
    let connector = TlsConnector::from(client_config(data, version));
    let (near, far) = sockets().await;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let (client, server) = tokio::join!(connector.connect(name, near), acceptor.accept(far));
    let (server, channel) = server.unwrap();
    (client.unwrap(), server, channel)
}

#[tokio::test]
async fn what_binds_a_login_is_the_same_at_both_ends() {
    let data = tempfile::tempdir().unwrap();
    for (version, name) in [(&TLS12, "mymailserver"), (&TLS13, "localhost"), (&TLS13, "127.0.0.1"), (&TLS12, "::1")] {
        let (mut client, mut server, channel) = connect(data.path(), version, name).await;
        let tls = client.get_ref().1;
        assert_eq!(tls.protocol_version(), Some(version.version));
        let secret = tls.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")).unwrap();
        let expected = (version.version == ProtocolVersion::TLSv1_3).then_some(secret);
        let bindings = channel.bindings().unwrap();
        assert_eq!(bindings.exporter, expected);
        let certificate = &tls.peer_certificates().unwrap()[0];
        let hash = ::ring::digest::digest(&::ring::digest::SHA256, certificate);
        assert_eq!(bindings.server_end_point.as_deref(), Some(hash.as_ref()));

        client.write_all(b"NOOP").await.unwrap();
        let mut octets = [0; 4];
        server.read_exact(&mut octets).await.unwrap();
        server.write_all(&octets).await.unwrap();
        server.shutdown().await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "NOOP");
    }
}

#[tokio::test]
async fn another_name_is_not_served_by_the_certificate() {
    let data = tempfile::tempdir().unwrap();
    let acceptor = Acceptor::new(&Config::default(), data.path()).unwrap();
    let connector = TlsConnector::from(client_config(data.path(), &TLS13));
    let (near, far) = sockets().await;
    let name = ServerName::try_from("example.org").unwrap();
    let (client, server) = tokio::join!(connector.connect(name, near), acceptor.accept(far));
    assert!(client.unwrap_err().to_string().contains("certificate"));
    assert!(server.is_err());
}

/// A client that lets its octets out one by one, and the server's end.
struct Slow {
    client: ClientConnection,
    socket: TcpStream,
    server: TlsStream,
}

impl Slow {
    async fn connect(data: &Path, version: &'static SupportedProtocolVersion) -> Self {
        let (stream, server, _) = connect(data, version, "localhost").await;
        let (socket, client) = stream.into_inner();
        Self { client, socket, server }
    }

    /// The record of a text.
    fn record(&mut self, text: &str) -> Vec<u8> {
        self.client.writer().write_all(text.as_bytes()).unwrap();
        let mut record = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut record).unwrap();
        }
        record
    }

    /// Sends octets and waits until they are there.
    async fn send(&mut self, octets: &[u8]) {
        self.socket.write_all(octets).await.unwrap();
        let mut there = vec![0; octets.len()];
        while self.server.get_ref().0.socket().peek(&mut there).await.unwrap() < octets.len() {
            tokio::task::yield_now().await;
        }
    }

    fn arrived(&mut self, octets: &mut [u8]) -> Arrived {
        read_arrived(&mut self.server, octets).unwrap()
    }

    /// What the driver does when the runtime says that there is something: reads, and drops that when it would have to wait.
    async fn read_in_vain(&mut self) {
        let mut octets = [0; 16];
        let polled = std::future::poll_fn(|cx| {
            let mut buf = ReadBuf::new(&mut octets);
            Poll::Ready(Pin::new(&mut self.server).poll_read(cx, &mut buf).is_pending())
        });
        assert!(polled.await, "part of a record is nothing to read");
    }
}

#[tokio::test]
async fn what_has_arrived_is_told_to_the_octet() {
    let data = tempfile::tempdir().unwrap();
    for version in [&TLS12, &TLS13] {
        let mut slow = Slow::connect(data.path(), version).await;
        let mut octets = [0; 16];
        assert_eq!(slow.arrived(&mut octets), Arrived::Nothing);
        let record = slow.record("NOOP\r\n");
        for at in 0..record.len() - 1 {
            slow.send(&record[at..=at]).await;
            // Whoever took the octets off the socket, they count.
            if at % 2 == 0 {
                slow.read_in_vain().await;
            }
            assert_eq!(slow.arrived(&mut octets), Arrived::Part, "after {at}");
            assert_eq!(slow.arrived(&mut octets), Arrived::Part, "after {at}, again");
        }
        slow.send(&record[record.len() - 1..]).await;
        assert_eq!(slow.arrived(&mut octets[..4]), Arrived::Octets(4));
        assert_eq!(slow.arrived(&mut octets[4..]), Arrived::Octets(2));
        assert_eq!(&octets[..6], b"NOOP\r\n");
        assert_eq!(slow.arrived(&mut octets), Arrived::Nothing);

        // Two records in one, and the beginning of a third.
        let records = [slow.record("RSET\r\n"), slow.record("QUIT\r\n"), slow.record("more")].concat();
        slow.send(&records[..records.len() - 1]).await;
        let mut text = Vec::new();
        while let Arrived::Octets(count) = slow.arrived(&mut octets) {
            text.extend_from_slice(&octets[..count]);
        }
        assert_eq!(text, b"RSET\r\nQUIT\r\n");
        assert_eq!(slow.arrived(&mut octets), Arrived::Part);
    }
}

#[tokio::test]
async fn the_end_is_left_to_the_read_that_waits() {
    let data = tempfile::tempdir().unwrap();
    let mut octets = [0; 16];
    let (mut client, mut server, _) = connect(data.path(), &TLS13, "localhost").await;
    client.shutdown().await.unwrap();
    assert_eq!(server.read(&mut octets).await.unwrap(), 0);
    assert_eq!(read_arrived(&mut server, &mut octets).unwrap(), Arrived::Nothing);

    let (client, mut server, _) = connect(data.path(), &TLS13, "localhost").await;
    drop(client);
    server.get_ref().0.socket().readable().await.unwrap();
    for _ in 0..2 {
        // A client that drops a connection with a ticket unread resets it.
        assert!(!matches!(read_arrived(&mut server, &mut octets), Ok(Arrived::Octets(_) | Arrived::Part)));
    }
    assert!(server.read(&mut octets).await.is_err());
}

#[tokio::test]
async fn clear_text_is_no_handshake() {
    let data = tempfile::tempdir().unwrap();
    let acceptor = Acceptor::new(&Config::default(), data.path()).unwrap();
    let (mut client, far) = sockets().await;
    client.write_all(b"EHLO mine.example\r\n").await.unwrap();
    assert!(acceptor.accept(far).await.is_err());
}

fn kept(data: &Path) -> (Vec<u8>, Vec<u8>) {
    let folder = data.join("tls");
    (fs::read(folder.join("certificate.pem")).unwrap(), fs::read(folder.join("key.pem")).unwrap())
}

fn new(data: &Path) -> Result<Acceptor, TlsError> {
    Acceptor::new(&Config::default(), data)
}

#[test]
fn a_certificate_is_made_once() {
    let data = tempfile::tempdir().unwrap();
    new(data.path()).unwrap();
    let first = kept(data.path());
    let mode = |name| fs::metadata(data.path().join(name)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("tls"), mode("tls/key.pem")), (0o700, 0o600));
    assert_eq!(fs::read_dir(data.path().join("tls")).unwrap().count(), 2);
    let renamed = Config { hostname: "mail.example.org".parse().unwrap(), ..Config::default() };
    Acceptor::new(&renamed, data.path()).unwrap();
    assert_eq!(kept(data.path()), first);
}

fn copy(from: &Path, to: &Path, name: &str) {
    fs::copy(from.join(name), to.join(name)).unwrap();
}

/// Every state that a crash can leave, and some that a hand can.
#[test]
fn a_broken_pair_is_made_anew() {
    let other = tempfile::tempdir().unwrap();
    new(other.path()).unwrap();
    type Harm = fn(&Path, &Path);
    let harms: [Harm; 8] = [
        |folder, _| fs::remove_file(folder.join("certificate.pem")).unwrap(),
        |folder, _| fs::remove_file(folder.join("key.pem")).unwrap(),
        |folder, other| copy(other, folder, "key.pem"),
        |folder, other| copy(other, folder, "certificate.pem"),
        |folder, _| fs::write(folder.join("certificate.pem"), "").unwrap(),
        |folder, _| fs::write(folder.join("key.pem"), "-----BEGIN PRIVATE KEY-----\n").unwrap(),
        |folder, _| fs::rename(folder.join("key.pem"), folder.join("key.new")).unwrap(),
        |folder, _| {
            fs::rename(folder.join("certificate.pem"), folder.join("certificate.new")).unwrap();
            fs::rename(folder.join("key.pem"), folder.join("key.new")).unwrap();
        },
    ];
    for (at, harm) in harms.iter().enumerate() {
        let data = tempfile::tempdir().unwrap();
        new(data.path()).unwrap();
        let before = kept(data.path());
        harm(&data.path().join("tls"), &other.path().join("tls"));
        new(data.path()).unwrap();
        let after = kept(data.path());
        assert!(before.0 != after.0 && before.1 != after.1, "harm {at}");
        new(data.path()).unwrap();
        assert_eq!(kept(data.path()), after, "harm {at}");
    }
}

#[test]
fn what_cannot_be_read_is_not_replaced() {
    let data = tempfile::tempdir().unwrap();
    fs::create_dir_all(data.path().join("tls/key.pem")).unwrap();
    let made = tempfile::tempdir().unwrap();
    new(made.path()).unwrap();
    fs::copy(made.path().join("tls/certificate.pem"), data.path().join("tls/certificate.pem")).unwrap();
    assert!(matches!(new(data.path()).err(), Some(TlsError::Read { .. })));
}

#[test]
fn what_is_wrong_with_a_certificate_is_said() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    new(one.path()).unwrap();
    new(other.path()).unwrap();
    let (certificate, key) = (one.path().join("tls/certificate.pem"), one.path().join("tls/key.pem"));
    let foreign = other.path().join("tls/key.pem");
    let write = |name: &str, text: &str| {
        let path = one.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let key_text = fs::read_to_string(&key).unwrap();
    let locked = write("locked", &key_text.replace("PRIVATE KEY", "ENCRYPTED PRIVATE KEY"));
    let cut = write("cut", &key_text[..60]);
    let bad = write("bad", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    let no_certificate = write("nocert", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let long = write("long", &"-".repeat((1 << 20) + 1));
    let none = one.path().join("none");

    let check = |certificate: &Path, key: &Path| {
        let files = Certificate { certificate: certificate.to_owned(), key: key.to_owned() };
        let config = Config { tls: Some(files), ..Config::default() };
        let checked = config.check_certificate().map_err(|error| error.to_string());
        let started = Acceptor::new(&config, one.path()).map(|_| ()).map_err(|error| error.to_string());
        assert_eq!(checked, started);
        checked
    };
    assert_eq!(check(&certificate, &key), Ok(()));
    for (certificate, key, file, what) in [
        (&none, &key, &none, "cannot read"),
        (&certificate, &none, &none, "cannot read"),
        (&key, &key, &key, "has no certificate: name"),
        (&certificate, &certificate, &certificate, "has no private key: name"),
        (&certificate, &locked, &locked, "passphrase"),
        (&certificate, &cut, &cut, "the END line is missing"),
        (&certificate, &bad, &bad, "cannot use the key"),
        (&no_certificate, &key, &no_certificate, "cannot use the first certificate"),
        (&long, &key, &long, "longer than 1 MiB"),
        (&certificate, &foreign, &foreign, "does not belong to the first certificate in"),
    ] {
        let error = check(certificate, key).unwrap_err();
        assert!(error.contains(what) && error.contains(&file.display().to_string()), "{what}: {error}");
        assert!(!error.contains(&key_text[60..100]), "{error}");
    }
}

#[test]
fn names_of_the_certificate() {
    for (hostname, found) in [
        ("mail.example.org", true),
        ("localhost", true),
        ("[192.0.2.1]", true),
        ("[IPv6:2001:db8::1]", true),
        ("[x400:abc]", false),
        ("bücher.example", true),
    ] {
        let data = tempfile::tempdir().unwrap();
        let hostname: proto::Domain = hostname.parse().unwrap();
        assert_eq!(self_signed::keep(data.path(), &hostname).unwrap().is_for(&hostname), found, "{hostname}");
        let identity = self_signed::keep(data.path(), &hostname).unwrap();
        assert!(identity.is_for(&"localhost".parse().unwrap()));
    }
}
