//! Our server with all its ways in: each protocol, in clear with STARTTLS and with TLS from the first octet, for clients, mail
//! programs, mail servers and proxies.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use anyhow::ensure;

use crate::account::Account;
use crate::common::{Home, Server};

/// Programs that check it want the name of the certificate.
pub(crate) const HOST: &str = "localhost";
/// The domain of all accounts.
pub(crate) const DOMAIN: &str = "mymailserver";

/// A running server in a home of its own.
pub(crate) struct MailServer {
    pub(crate) ports: Ports,
    /// For mail programs, which log in before they send.
    pub(crate) submission: u16,
    /// SMTP behind a proxy on this computer.
    pub(crate) proxied: u16,
    /// SMTP for mail servers.
    pub(crate) from_outside: u16,
    /// LMTP for mail servers.
    pub(crate) lmtp: u16,
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
        Self::start_with("")
    }

    /// Starts one with these settings besides.
    pub(crate) fn start_with(settings: &str) -> Self {
        let home = Home::new();
        // Mail servers run as other users, and look for the socket there.
        fs::set_permissions(home.path("."), Permissions::from_mode(0o755)).unwrap();
        let socket = format!("unix:{}", home.path("lmtp").display());
        let config = [
            listener("smtp", "127.0.0.1:0", "tls = \"starttls\""),
            listener("smtp", "127.0.0.1:0", "tls = \"implicit\""),
            listener("pop3", "127.0.0.1:0", "tls = \"starttls\""),
            listener("pop3", "127.0.0.1:0", "tls = \"implicit\""),
            listener("submission", "127.0.0.1:0", "tls = \"starttls\""),
            listener("smtp", "127.0.0.1:0", "proxied_by = [\"127.0.0.1\"]"),
            listener("smtp", "127.0.0.1:0", "from_outside = true"),
            listener("lmtp", "127.0.0.1:0", "tls = \"starttls\""),
            listener("lmtp", &socket, ""),
            settings.to_owned(),
        ];
        fs::write(home.path("config.toml"), config.concat()).unwrap();
        let mut server = Server::start(&mut home.command(&["serve", "--config", "config.toml", "--data", "data"]));
        let smtp = port(&server.address);
        let [smtps, pop3, pop3s, submission, proxied, from_outside, lmtp] =
            [(); 7].map(|()| port(&server.next_listener()));
        assert_eq!(server.next_listener(), socket);
        Self {
            ports: Ports { smtp, smtps, pop3, pop3s },
            submission,
            proxied,
            from_outside,
            lmtp,
            home,
            _server: server,
        }
    }

    /// Lets an account have so many octets of mail.
    pub(crate) fn set_quota(&self, account: &Account, octets: usize) -> anyhow::Result<()> {
        let octets = octets.to_string();
        let arguments = ["admin", "quota", account.name(), "--size", &octets, "--data", "data"];
        let output = self.home.command(&arguments).output()?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        Ok(())
    }

    /// LMTP for mail servers on this computer.
    pub(crate) fn lmtp_socket(&self) -> PathBuf {
        self.home.path("lmtp")
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

fn listener(protocol: &str, address: &str, more: &str) -> String {
    format!("[[listen]]\nprotocol = \"{protocol}\"\naddress = \"{address}\"\n{more}\n")
}

fn port(address: &str) -> u16 {
    address.rsplit(':').next().unwrap().parse().unwrap()
}
