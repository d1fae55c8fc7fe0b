//! The driver: pumps a session of either protocol over a connection until one of them is at its end.
//!
//! Here is what both have in common, the waiting and the octets. What their steps mean is in `smtp.rs` and `pop3.rs`.

pub(crate) mod pop3;
pub(crate) mod smtp;
mod transport;
mod waiting;

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio::sync::watch;
use tokio::task::yield_now;
use tokio::time::{Instant, Sleep};

use crate::shared::Settings;

pub(crate) use transport::Transport;

/// A session as far as it waits.
trait Session {
    /// Where what the peer sent goes.
    fn input(&mut self) -> &mut BytesMut;
    /// Until when it waits.
    fn deadline(&self) -> std::time::Instant;
    /// Whether it has been told that the server stops.
    fn is_stopping(&self) -> bool;
    /// Tells it.
    fn stop(&mut self);
}

/// The server as far as a connection must know of it.
///
/// The timer and the wait for the server's end last as long as the connection: neither is set up again for every read.
pub(crate) struct Surroundings<'a> {
    pub(crate) settings: &'a Settings,
    /// Resolves when the server stops; `None`: it does.
    stopping: Option<Pin<&'a mut (dyn Future<Output = ()> + Send)>>,
    /// Rings at a deadline or before it. Most deadlines move before they are reached, so it is set again only when it has rung,
    /// or for an earlier one.
    timer: Pin<&'a mut Sleep>,
    /// The octets since it last let others have their turn.
    since_turn: usize,
}

/// After so many octets in either direction others have their turn: a peer that always has something to say, and reads all that it
/// hears, would never wait otherwise, and keep a thread to itself.
const TURN_OCTETS: usize = 16 << 10;

impl<'a> Surroundings<'a> {
    /// With what resolves when the server stops, and a timer for any time.
    pub(crate) fn new(
        settings: &'a Settings,
        stopping: Pin<&'a mut (dyn Future<Output = ()> + Send)>,
        timer: Pin<&'a mut Sleep>,
    ) -> Self {
        Self { settings, stopping: Some(stopping), timer, since_turn: 0 }
    }

    /// Waits for input, the session's deadline or the server's end. `false`: the peer has closed.
    async fn receive(&mut self, session: &mut impl Session, transport: &mut Transport) -> io::Result<bool> {
        let deadline = session.deadline().into();
        let received = poll_fn(|context| {
            if !session.is_stopping() && self.poll_stop(context).is_ready() {
                session.stop();
                return Poll::Ready(Ok(None));
            }
            if let Poll::Ready(received) = transport.poll_receive(context, session.input()) {
                return Poll::Ready(received.map(Some));
            }
            self.poll_deadline(context, deadline).map(|()| Ok(None))
        })
        .await?;
        self.take_turns(received.unwrap_or(0)).await;
        Ok(received != Some(0))
    }

    /// So many octets have come or gone.
    async fn take_turns(&mut self, octets: usize) {
        self.since_turn += octets;
        if self.since_turn >= TURN_OCTETS {
            self.since_turn = 0;
            yield_now().await;
        }
    }

    /// Writes all of it, for a peer that reads.
    async fn send(&mut self, octets: &[u8], transport: &mut Transport) -> io::Result<()> {
        let mut writing = pin!(async {
            transport.write_all(octets).await?;
            transport.flush().await
        });
        let mut deadline = None;
        poll_fn(|context| {
            if let Poll::Ready(written) = writing.as_mut().poll(context) {
                return Poll::Ready(written);
            }
            let deadline = *deadline.get_or_insert_with(|| Instant::now() + self.settings.config.timeouts.data);
            self.poll_deadline(context, deadline).map(|()| Err(io::ErrorKind::TimedOut.into()))
        })
        .await?;
        self.take_turns(octets.len()).await;
        Ok(())
    }

    /// Encrypts the connection.
    pub(crate) async fn encrypt(&mut self, transport: Transport) -> io::Result<(Transport, proto::sasl::Channel)> {
        let Some(acceptor) = &self.settings.acceptor else {
            return Err(io::Error::other("there is nothing to encrypt with"));
        };
        // Boxed: a handshake needs room that a connection should not have for all its life.
        let mut handshake = Box::pin(transport.encrypt(acceptor));
        tokio::select! {
            encrypted = &mut handshake => encrypted,
            () = self.stops() => Err(io::Error::other("the server stops")),
        }
    }

    /// Resolves once the server stops.
    async fn stops(&mut self) {
        poll_fn(|context| self.poll_stop(context)).await;
    }

    fn poll_stop(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if let Some(stopping) = &mut self.stopping {
            ready!(stopping.as_mut().poll(context));
            self.stopping = None;
        }
        Poll::Ready(())
    }

    fn poll_deadline(&mut self, context: &mut Context<'_>, deadline: Instant) -> Poll<()> {
        if deadline < self.timer.deadline() {
            self.timer.as_mut().reset(deadline);
        }
        loop {
            ready!(self.timer.as_mut().poll(context));
            if Instant::now() >= deadline {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(deadline);
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::sleep;

    use super::*;
    use crate::config::Config;

    #[tokio::test(start_paused = true)]
    async fn one_timer_serves_deadlines_that_move_both_ways() {
        let settings = Settings::new(Config::default(), None).unwrap();
        let (stopping, timer) = (pin!(std::future::pending()), pin!(sleep(Duration::from_secs(60))));
        let mut around = Surroundings::new(&settings, stopping, timer);
        for (missed, met) in [(300, 400), (20, 10), (10, 20), (1, 1)] {
            let deadline = |seconds| Instant::now() + Duration::from_secs(seconds);
            let (missed, met) = (deadline(missed), deadline(met));
            let is_over = poll_fn(|context| Poll::Ready(around.poll_deadline(context, missed).is_ready())).await;
            assert!(!is_over, "the peer was faster");
            poll_fn(|context| around.poll_deadline(context, met)).await;
            assert_eq!(Instant::now(), met);
        }
    }
}
