//! A server for the length of one command.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Context;
use server::config::{Listen, Tls};
use server::{Config, Server};
use store::embedded::Embedded;
use tempfile::TempDir;
use tokio::sync::oneshot;

/// A running server; it stops, and all that it kept goes, when this is dropped.
pub(crate) struct Throwaway {
    _stop: oneshot::Sender<()>,
    _data: TempDir,
}

/// Starts a server on a free port of this computer, and says where it listens for SMTP.
pub(crate) async fn start_throwaway_server() -> anyhow::Result<(SocketAddr, Throwaway)> {
    let data = tempfile::tempdir().context("cannot make a folder for a throw-away server")?;
    let store = Embedded::open(data.path()).context("cannot open a throw-away store")?;
    let listen = Listen { tls: Tls::Off, ..Listen::smtp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))) };
    let config = Config { listen: vec![listen], ..Config::default() };
    let server = Server::bind(config, data.path(), store).await?;
    let address = server.addresses()?.first().and_then(|(_, address)| address.tcp()).context("no listener")?;
    let (stop, stopped) = oneshot::channel::<()>();
    tokio::spawn(server.run(async {
        // Dropping the sender is the sign, which arrives as an error.
        if let Ok(()) = stopped.await {}
    }));
    Ok((address, Throwaway { _stop: stop, _data: data }))
}
