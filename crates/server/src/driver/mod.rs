//! The driver: pumps a session of either protocol over a connection until one of them is at its end.
//!
//! Here is what both have in common, the waiting and the octets. What their steps mean is in `smtp.rs` and `pop3.rs`.

pub(crate) mod pop3;
pub(crate) mod smtp;
mod transport;
mod waiting;

use std::io;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::watch;
use tokio::time::{timeout, timeout_at};

pub(crate) use transport::Transport;

/// How much is read at once outside mail data: a group of commands.
const COMMANDS_OCTETS: usize = 2 << 10;
/// How much is read at once in mail data.
const DATA_OCTETS: usize = 32 << 10;

/// A session as far as it waits.
trait Session {
    /// Where what the peer sent goes.
    fn input(&mut self) -> &mut BytesMut;
    /// How much is worth reading at once.
    fn room(&self) -> usize;
    /// Until when it waits.
    fn deadline(&self) -> Instant;
    /// Whether it has been told that the server stops.
    fn is_stopping(&self) -> bool;
    /// Tells it.
    fn stop(&mut self);
}

/// The server as far as a connection must know of it.
pub(crate) struct Surroundings {
    /// Turns true when the server stops.
    pub(crate) stopping: watch::Receiver<bool>,
    /// How long a peer that does not read is waited for.
    pub(crate) patience: Duration,
    /// What encrypts a connection in the middle of a session.
    pub(crate) acceptor: Option<crate::tls::Acceptor>,
}

impl Surroundings {
    /// Waits for input, the session's deadline or the server's end. `false`: the peer has closed.
    async fn receive(&mut self, session: &mut impl Session, transport: &mut Transport) -> io::Result<bool> {
        let deadline = session.deadline().into();
        let (room, told) = (session.room(), session.is_stopping());
        let input = session.input();
        input.reserve(room);
        tokio::select! {
            received = timeout_at(deadline, transport.read_buf(input)) => match received {
                Ok(octets) => Ok(octets? > 0),
                Err(_) => Ok(true),
            },
            () = stops(&mut self.stopping), if !told => {
                session.stop();
                Ok(true)
            }
        }
    }

    /// Writes all of it, for a peer that reads.
    async fn send(&self, octets: &[u8], transport: &mut Transport) -> io::Result<()> {
        let written = async {
            transport.write_all(octets).await?;
            transport.flush().await
        };
        timeout(self.patience, written).await?
    }

    /// Encrypts the connection.
    pub(crate) async fn encrypt(&mut self, transport: Transport) -> io::Result<(Transport, proto::sasl::Channel)> {
        let Some(acceptor) = &self.acceptor else {
            return Err(io::Error::other("there is nothing to encrypt with"));
        };
        tokio::select! {
            encrypted = transport.encrypt(acceptor) => encrypted,
            () = stops(&mut self.stopping) => Err(io::Error::other("the server stops")),
        }
    }
}

/// Resolves once the server stops.
pub(crate) async fn stops(stopping: &mut watch::Receiver<bool>) {
    // An error says that there is no server any more.
    if stopping.wait_for(|stopping| *stopping).await.is_err() {
        tracing::debug!("the server is gone");
    }
}
