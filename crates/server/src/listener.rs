//! One listener: accepts connections and looks after their tasks.

use std::fmt::Display;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::net::sockopt::set_socket_reuseaddr;
use rustix::net::{AddressFamily, SocketFlags, SocketType, listen, socket_with};
use store::Store;
use tokio::net::{TcpListener, UnixListener};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use crate::config::Endpoint;
use crate::connection;
use crate::driver::{Transport, stops};
use crate::peers::PeerAddress;
use crate::rarely::Rarely;
use crate::shared::Shared;
use crate::unix_socket::{SocketFile, bind_unix};

/// How long accepting pauses when the process is out of descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Connections that may wait to be accepted; the system may allow fewer. With the usual 128 a thousand clients that come at once
/// would wait in vain: the system forgets those that it has no room for, and an SMTP client waits for the server to speak.
pub(crate) const BACKLOG: i32 = 4096;

/// A socket that listens, before there is a runtime to accept in.
pub(crate) enum Bound {
    Tcp(std::net::TcpListener),
    /// With its file, unless that is another's.
    Unix(std::os::unix::net::UnixListener, Option<SocketFile>),
}

impl Bound {
    /// Listens.
    pub(crate) fn bind(address: &Endpoint) -> io::Result<Self> {
        match address {
            Endpoint::Tcp(address) => bind_tcp(*address).map(Self::Tcp),
            Endpoint::Unix(path) => bind_unix(path).map(|(listener, file)| Self::Unix(listener, Some(file))),
        }
    }
}

/// A socket that listens already: the process was started with it.
#[derive(Debug)]
pub enum Inherited {
    /// One of TCP.
    Tcp(std::net::TcpListener),
    /// A Unix domain socket. Its file stays.
    Unix(std::os::unix::net::UnixListener),
}

impl Inherited {
    /// What it is bound to; `None`: something that no listener has.
    pub(crate) fn address(&self) -> io::Result<Option<Endpoint>> {
        Ok(match self {
            Self::Tcp(listener) => Some(listener.local_addr()?.into()),
            Self::Unix(listener) => listener.local_addr()?.as_pathname().map(|path| path.to_owned().into()),
        })
    }

    pub(crate) fn into_bound(self) -> io::Result<Bound> {
        match self {
            Self::Tcp(listener) => listener.set_nonblocking(true).map(|()| Bound::Tcp(listener)),
            Self::Unix(listener) => listener.set_nonblocking(true).map(|()| Bound::Unix(listener, None)),
        }
    }
}

fn bind_tcp(address: SocketAddr) -> io::Result<std::net::TcpListener> {
    let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
    let socket = socket_with(family, SocketType::STREAM, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC, None)?;
    // A server that starts anew need not wait for the old one's connections to be forgotten.
    set_socket_reuseaddr(&socket, true)?;
    rustix::net::bind(&socket, &address)?;
    listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

/// A socket that is accepted from.
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix { listener: UnixListener, _file: Option<SocketFile> },
}

impl Listener {
    /// Within a runtime.
    pub(crate) fn new(bound: Bound) -> io::Result<Self> {
        Ok(match bound {
            Bound::Tcp(listener) => Self::Tcp(TcpListener::from_std(listener)?),
            Bound::Unix(listener, file) => Self::Unix { listener: UnixListener::from_std(listener)?, _file: file },
        })
    }

    /// The address really bound, of a listener with this one.
    pub(crate) fn address(&self, configured: &Endpoint) -> io::Result<Endpoint> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Endpoint::Tcp),
            Self::Unix { .. } => Ok(configured.clone()),
        }
    }

    async fn accept(&self) -> io::Result<(Transport, PeerAddress)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, peer) = listener.accept().await?;
                // Replies are small and each is waited for.
                if let Err(error) = stream.set_nodelay(true) {
                    tracing::debug!(%error, "cannot turn Nagle's algorithm off");
                }
                Ok((Transport::Clear(stream), PeerAddress::Ip(peer)))
            }
            Self::Unix { listener, .. } => Ok((Transport::Unix(listener.accept().await?.0), PeerAddress::Unix)),
        }
    }
}

/// Accepts for the listener of this place in the configuration until the server stops, then gives the sessions until
/// `timeouts.shutdown` to finish.
pub(crate) async fn run<S: Store>(shared: Arc<Shared<S>>, place: usize, listener: Listener) {
    let mut connections = JoinSet::new();
    let mut stopping = shared.stopping.subscribe();
    let pauses = Rarely::default();
    let protocol = shared.settings().listen(place).protocol;
    loop {
        tokio::select! {
            () = stops(&mut stopping) => break,
            accepted = listener.accept() => match accepted {
                Ok((transport, peer)) => welcome(&shared, place, transport, peer, &mut connections),
                Err(error) if concerns_one_peer(&error) => tracing::debug!(%error, "a peer left before it was accepted"),
                Err(error) => pause(&pauses, &error, protocol).await,
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
    place: usize,
    transport: Transport,
    peer: PeerAddress,
    connections: &mut JoinSet<()>,
) {
    let settings = shared.settings();
    let (listen, limits) = (settings.listen(place), &settings.config.limits);
    let proxy = match peer {
        PeerAddress::Ip(address) if listen.is_proxied_by(address.ip()) => Some(address),
        _ => None,
    };
    let admission = match proxy {
        Some(_) => shared.connections.admit_unnamed(limits),
        None => shared.connections.admit(peer, limits),
    };
    let Some(admission) = admission else {
        return connection::refuse(shared, &transport, peer, listen);
    };
    let shared = shared.clone();
    match proxy {
        Some(proxy) => {
            connections.spawn(connection::serve_proxied(shared, settings, place, transport, proxy, admission))
        }
        None => connections.spawn(connection::serve(shared, settings, place, transport, peer, admission)),
    };
}

/// Waits a moment because of this error. There may be many of them in a row.
pub(crate) async fn pause(pauses: &Rarely, error: &io::Error, listener: impl Display) {
    if let Some(times) = pauses.happened(std::time::Instant::now()) {
        tracing::warn!(%error, %listener, times, "cannot accept connections for a moment");
    }
    sleep(ACCEPT_PAUSE).await;
}

fn concerns_one_peer(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset)
}
