//! The configured certificate, read again while sessions go on.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use server::config::{Certificate, Listen, Tls};
use server::{Config, Server};
use store::embedded::Embedded;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use common::listen;

/// What has not come by then never will.
const PATIENCE: Duration = Duration::from_secs(30);
const HOST: &str = "mail.example.org";

/// Puts a new certificate and its key where the configuration names them.
fn renew(files: &Certificate) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).unwrap();
    fs::write(&files.certificate, made.cert.pem()).unwrap();
    fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

/// Connects, believing in this certificate alone.
async fn connect(server: std::net::SocketAddr, certificate: &CertificateDer<'static>) -> Option<TlsStream<TcpStream>> {
    let mut authorities = RootCertStore::empty();
    authorities.add(certificate.clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(authorities)
        .with_no_client_auth();
    let socket = TcpStream::connect(server).await.unwrap();
    let name = ServerName::try_from(HOST).unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await.ok()?;
    assert!(heard(&mut stream).await.starts_with("220 "));
    Some(stream)
}

async fn heard(stream: &mut TlsStream<TcpStream>) -> String {
    let mut octets = [0; 512];
    let heard = timeout(PATIENCE, stream.read(&mut octets)).await.unwrap().unwrap();
    String::from_utf8(octets[..heard].to_vec()).unwrap()
}

#[tokio::test]
async fn a_new_certificate_is_for_new_connections() {
    let data = tempfile::tempdir().unwrap();
    let path = |name: &str| Path::new(data.path()).join(name);
    let files = Certificate { certificate: path("cert.pem"), key: path("key.pem") };
    let first = renew(&files);
    let config =
        Config { listen: vec![listen(Listen::smtp, Tls::Implicit)], tls: Some(files.clone()), ..Config::default() };
    let store = Embedded::open(&path("store")).unwrap();
    let server = Server::bind(config.clone(), data.path(), store).await.unwrap();
    let address = server.addresses().unwrap()[0].1.tcp().unwrap();
    let handle = server.handle();
    tokio::spawn(server.run(std::future::pending()));

    let mut session = connect(address, &first).await.unwrap();
    let second = renew(&files);
    assert!(connect(address, &first).await.is_some() && connect(address, &second).await.is_none(), "not yet");
    assert!(handle.reload(config.clone()).unwrap());
    assert!(connect(address, &second).await.is_some() && connect(address, &first).await.is_none());
    session.write_all(b"NOOP\r\n").await.unwrap();
    assert_eq!(heard(&mut session).await, "250 OK\r\n", "a session goes on as it began");

    fs::write(&files.key, "no key at all").unwrap();
    let error = handle.reload(config).unwrap_err().to_string();
    assert!(error.contains("key.pem"), "{error}");
    assert!(connect(address, &second).await.is_some(), "what is of no use changes nothing");
}
