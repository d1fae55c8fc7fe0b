//! Reaches a server.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::{Error, Peer, ServerAddress};

/// Connects to a server, and says where it is.
pub(crate) async fn connect(server: &ServerAddress, timeout: Duration) -> Result<(TcpStream, Peer), Error> {
    let connected = tokio::time::timeout(timeout, open(server)).await;
    let connected = connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
    connected.map_err(|source| Error::Connect { server: server.clone(), source })
}

async fn open(server: &ServerAddress) -> io::Result<(TcpStream, Peer)> {
    let stream = TcpStream::connect((server.host(), server.port())).await?;
    // Commands are small and each awaits its reply: nothing is won by holding them back.
    stream.set_nodelay(true)?;
    let peer = Peer::at(stream.peer_addr()?.ip());
    Ok((stream, peer))
}
