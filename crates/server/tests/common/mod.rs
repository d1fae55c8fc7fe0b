//! A real server with a real store, and connections to it, in clear text or encrypted.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use server::config::{Listen, Tls};
use server::{Config, Server};
use store::embedded::Embedded;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// A reply that has not come by then never will.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// A server that runs until it is dropped.
pub(crate) struct Running {
    pub(crate) data: TempDir,
    addresses: Vec<SocketAddr>,
    _runtime: Runtime,
}

impl Running {
    pub(crate) fn start(config: Config) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), config)
    }

    /// The same data served with another configuration. Connections are cut off.
    pub(crate) fn start_again(self, config: Config) -> Self {
        let Self { data, _runtime: runtime, .. } = self;
        drop(runtime);
        Self::start_in(data, config)
    }

    fn start_in(data: TempDir, config: Config) -> Self {
        let runtime = Runtime::new().unwrap();
        let addresses = runtime.block_on(async {
            let store = Embedded::open(data.path()).unwrap();
            let server = Server::bind(config, data.path(), store).await.unwrap();
            let addresses = server.addresses().unwrap().into_iter().filter_map(|(_, address)| address.tcp()).collect();
            tokio::spawn(server.run(std::future::pending()));
            addresses
        });
        Self { data, addresses, _runtime: runtime }
    }

    /// Connects to the listener of this place in the configuration.
    pub(crate) fn connect(&self, listener: usize) -> Connection {
        let stream = TcpStream::connect(self.addresses[listener]).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Connection::Clear(stream)
    }

    /// Encrypts a connection, and believes in the server's own certificate alone.
    pub(crate) fn encrypt(&self, connection: Connection) -> Connection {
        let Connection::Clear(stream) = connection else { panic!("it is encrypted already") };
        let certificate = CertificateDer::from_pem_file(self.data.path().join("tls/certificate.pem")).unwrap();
        let mut authorities = RootCertStore::empty();
        authorities.add(certificate).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(authorities)
            .with_no_client_auth();
        let name = ServerName::from(std::net::IpAddr::from(Ipv4Addr::LOCALHOST));
        let tls = ClientConnection::new(Arc::new(config), name).unwrap();
        Connection::Tls(Box::new(StreamOwned::new(tls, stream)))
    }
}

/// A listener on a free port.
pub(crate) fn listen(listen: fn(SocketAddr) -> Listen, tls: Tls) -> Listen {
    Listen { tls, ..listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))) }
}

/// Says something, and gives all that comes back up to a line that begins with `last`.
pub(crate) fn exchange(connection: &mut BufReader<impl Read + Write>, said: &str, last: &str) -> String {
    connection.get_mut().write_all(said.as_bytes()).unwrap();
    let mut heard = String::new();
    loop {
        let begin = heard.len();
        assert!(connection.read_line(&mut heard).unwrap() > 0, "closed after {heard}");
        if heard[begin..].starts_with(last) {
            return heard;
        }
    }
}

/// A connection with the server.
pub(crate) enum Connection {
    Clear(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Connection {
    /// Says no more. `false`: the server has closed already.
    pub(crate) fn finish(&mut self) -> bool {
        match self {
            Self::Clear(stream) => stream.shutdown(std::net::Shutdown::Write).is_ok(),
            Self::Tls(stream) => {
                stream.conn.send_close_notify();
                stream.flush().is_ok()
            }
        }
    }
}

impl Read for Connection {
    fn read(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.read(octets),
            Self::Tls(stream) => stream.read(octets),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.write(octets),
            Self::Tls(stream) => stream.write(octets),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Clear(stream) => stream.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
