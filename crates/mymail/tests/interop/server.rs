//! Our server with all its ways in: SMTP and POP3, each in clear with STARTTLS and with TLS from the first octet.

use std::fs;
use std::path::PathBuf;

use crate::common::{Home, Server};

/// Programs that check it want the name of the certificate.
pub(crate) const HOST: &str = "localhost";

/// A running server in a home of its own.
pub(crate) struct MailServer {
    pub(crate) ports: Ports,
    pub(crate) home: Home,
    _server: Server,
}

/// Where a mail server of whatever make listens, on this computer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ports {
    pub(crate) smtp: u16,
    pub(crate) smtps: u16,
    pub(crate) pop3: u16,
    pub(crate) pop3s: u16,
}

impl MailServer {
    pub(crate) fn start() -> Self {
        let home = Home::new();
        let listeners = [("smtp", "starttls"), ("smtp", "implicit"), ("pop3", "starttls"), ("pop3", "implicit")];
        let config = listeners.map(|(protocol, tls)| {
            format!("[[listen]]\nprotocol = \"{protocol}\"\naddress = \"127.0.0.1:0\"\ntls = \"{tls}\"\n")
        });
        fs::write(home.path("config.toml"), config.concat()).unwrap();
        let mut server = Server::start(&mut home.command(&["serve", "--config", "config.toml", "--data", "data"]));
        let smtp = port(&server.address);
        let [smtps, pop3, pop3s] = [(); 3].map(|()| port(&server.next_listener()));
        Self { ports: Ports { smtp, smtps, pop3, pop3s }, home, _server: server }
    }

    /// The certificate that it has made itself; clients trust this one and no other.
    pub(crate) fn certificate(&self) -> PathBuf {
        self.home.path("data/tls/certificate.pem")
    }

    /// The key to it, for a server of another make.
    pub(crate) fn key(&self) -> PathBuf {
        self.home.path("data/tls/key.pem")
    }
}

fn port(address: &str) -> u16 {
    address.rsplit(':').next().unwrap().parse().unwrap()
}
