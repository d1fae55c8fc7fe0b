//! One listener: accepts connections and looks after their tasks.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use proto::Domain;
use proto::pop3::responses;
use proto::smtp::replies;
use store::Store;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::Instrument;

use crate::config::{Listen, Protocol, Tls};
use crate::connection;
use crate::driver::stops;
use crate::peers::Peer;
use crate::shared::Shared;

/// How long accepting pauses when the process is out of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections that may wait to be accepted; the system may allow fewer. With the usual 128 a thousand clients that come at once
/// would wait in vain: the system forgets those that it has no room for, and an SMTP client waits for the server to speak.
const BACKLOG: u32 = 4096;

/// Listens.
pub(crate) fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    // A server that starts anew need not wait for the old one's connections to be forgotten.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Accepts until the server stops, then gives the sessions until `timeouts.shutdown` to finish.
pub(crate) async fn run<S: Store>(shared: Arc<Shared<S>>, listen: Listen, listener: TcpListener) {
    let mut connections = JoinSet::new();
    let mut stopping = shared.stopping.subscribe();
    loop {
        tokio::select! {
            () = stops(&mut stopping) => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => welcome(&shared, &listen, stream, peer, &mut connections),
                Err(error) if concerns_one_peer(&error) => tracing::debug!(%error, "a peer left before it was accepted"),
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections for a moment");
                    sleep(ACCEPT_PAUSE).await;
                }
            },
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a connection's task failed");
                }
            }
        }
    }
    drop(listener);
    let deadline = Instant::now() + shared.settings().config.timeouts.shutdown;
    while let Ok(Some(_)) = timeout_at(deadline, connections.join_next()).await {}
    if !connections.is_empty() {
        tracing::warn!(connections = connections.len(), "cut off: they took longer than timeouts.shutdown");
        connections.shutdown().await;
    }
}

fn welcome<S: Store>(
    shared: &Arc<Shared<S>>,
    listen: &Listen,
    stream: TcpStream,
    peer: SocketAddr,
    connections: &mut JoinSet<()>,
) {
    let settings = shared.settings();
    let limits = &settings.config.limits;
    let span = tracing::info_span!("connection", %peer, protocol = %listen.protocol);
    let admission = shared.connections.admit(Peer::from(peer.ip()), limits.connections, limits.connections_per_peer);
    let Some(admission) = admission else {
        span.in_scope(|| tracing::info!("refused: too many connections"));
        return refuse(&stream, listen, &settings.config.hostname);
    };
    // Replies are small and each is waited for.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "cannot turn Nagle's algorithm off");
    }
    connections.spawn(connection::serve(shared.clone(), listen.clone(), stream, peer, admission).instrument(span));
}

/// Says why, if that costs no waiting.
fn refuse(stream: &TcpStream, listen: &Listen, hostname: &Domain) {
    let mut line = BytesMut::new();
    match (listen.tls, listen.protocol) {
        // It awaits no words before it has said hello, and a handshake is work.
        (Tls::Implicit, _) => return,
        (_, Protocol::Smtp) => replies::TOO_MANY_CONNECTIONS.of_host(hostname).write(false, &mut line),
        (_, Protocol::Pop3) => responses::TOO_MANY_CONNECTIONS.write(&mut line),
    }
    if let Err(error) = stream.try_write(&line) {
        tracing::debug!(%error, "cannot say why");
    }
}

fn concerns_one_peer(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}
