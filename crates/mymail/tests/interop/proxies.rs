//! Our server behind a proxy, which tells it whose connection it hands on (the PROXY protocol): HAProxy, and swaks as one.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command};

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::cases::case;
use crate::dovecot::free_port;
use crate::program::Task::Sends;
use crate::program::version;
use crate::script::PATH;
use crate::server::{MailServer, Ports};
use crate::table::Table;
use crate::until::until;

/// What swaks says of a client, in either version, and where a client of HAProxy connects from.
const SWAKS: [(&str, &str); 2] = [
    (
        "tells of a client (PROXY version 1), STARTTLS",
        "starttls PLAIN --proxy-version 1 --proxy-family TCP4 --proxy-source 192.0.2.7 --proxy-source-port 4000 \
         --proxy-dest 127.0.0.1 --proxy-dest-port 25",
    ),
    (
        "tells of a client (PROXY version 2), STARTTLS",
        "starttls PLAIN --proxy-version 2 --proxy-family AF_INET --proxy-source 192.0.2.7 --proxy-source-port 4000 \
         --proxy-dest 127.0.0.1 --proxy-dest-port 25",
    ),
];
const HAPROXY: [&str; 2] =
    ["hands on a client (PROXY version 1), STARTTLS", "hands on a client (PROXY version 2), STARTTLS"];

pub(crate) fn run(server: &MailServer, table: &mut Table) {
    let swaks = version(&["swaks", "--version"]).unwrap_or_else(|_| "?".to_owned());
    for (does, arguments) in SWAKS {
        table.row("swaks, as a proxy", &swaks, does, sends(server, server.proxied, arguments, "192.0.2.7"));
    }
    let haproxy = HaProxy::start(server);
    let version = version(&["haproxy", "-v"]).unwrap_or_else(|_| "?".to_owned());
    for (at, does) in HAPROXY.into_iter().enumerate() {
        let result = match &haproxy {
            Ok(haproxy) => sends(server, haproxy.ports[at], "starttls PLAIN --local-interface 127.0.0.2", "127.0.0.2"),
            Err(error) => Err(anyhow::anyhow!("{error:#}")),
        };
        table.row("HAProxy", &version, does, result);
    }
}

/// swaks sends to this port; our Received says that it is from there.
fn sends(server: &MailServer, port: u16, arguments: &'static str, from: &str) -> anyhow::Result<()> {
    let case = case(Sends, "", "swaks.sh", arguments);
    let message = case.sends(server, Ports { smtp: port, ..server.ports }, false)?;
    let received = message.lines().find(|line| line.starts_with("Received: ")).context("there is no Received")?;
    ensure!(received.ends_with(&format!(" ([{from}])")), "it says {received}");
    Ok(())
}

/// A running HAProxy, ended afterwards.
struct HaProxy {
    /// Where it takes connections that it tells of in version 1 and in version 2.
    ports: [u16; 2],
    process: Child,
    _folder: TempDir,
}

impl HaProxy {
    fn start(server: &MailServer) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let ports = [free_port()?, free_port()?];
        let mut config = "defaults\nmode tcp\ntimeout connect 60s\ntimeout client 60s\ntimeout server 60s\n".to_owned();
        for (port, send) in ports.iter().zip(["send-proxy", "send-proxy-v2"]) {
            let to = server.proxied;
            config.push_str(&format!("listen {send}\nbind 127.0.0.1:{port}\nserver mymail 127.0.0.1:{to} {send}\n"));
        }
        let file = folder.path().join("haproxy.cfg");
        fs::write(&file, config)?;
        let process =
            Command::new("/usr/sbin/haproxy").env_clear().env("PATH", PATH).arg("-db").arg("-f").arg(&file).spawn();
        let mut haproxy = Self { ports, process: process.context("haproxy is not installed")?, _folder: folder };
        for port in ports {
            until("HAProxy listens or ends", || {
                let listens = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
                (listens || haproxy.process.try_wait().is_ok_and(|status| status.is_some())).then_some(())
            })?;
        }
        let status = haproxy.process.try_wait()?;
        ensure!(status.is_none(), "HAProxy has ended");
        Ok(haproxy)
    }
}

impl Drop for HaProxy {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}
