//! Carries the octets between a machine's wire and a stream, and watches the clock.
//!
//! It reads while it writes. A server may stop reading until somebody takes its replies (RFC 2920 §3.1), and one that closes
//! the connection has often said why.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use proto::client::{Advance, Exchange, Octets};
use proto::sasl::Channel;
use proto::smtp::Reply;
use proto::smtp::client::Content;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};

use crate::tls::Security;
use crate::{Error, Peer, QUIT_TIMEOUT};

/// The most octets that are read at once.
pub(crate) const READ_OCTETS_MAX: usize = 16 * 1024;

/// What a session can run over.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Stream for T {}

/// The stream to a server.
pub(crate) struct Transport {
    stream: Box<dyn Stream>,
    /// How long the server may take for a reply, or to take octets.
    timeout: Duration,
    /// The server takes no more octets; it may still have something to say.
    is_deaf: bool,
    is_unflushed: bool,
    buffer: Box<[u8]>,
}

#[derive(Debug, PartialEq, Eq)]
enum Moved {
    Sent,
    Received,
}

impl Transport {
    /// Over a stream with a server at `peer`, encrypted at once where its URL says so. Replies may take as long as `timeout`.
    pub(crate) async fn open(
        stream: Box<dyn Stream>,
        peer: Peer,
        security: &Security,
        timeout: Duration,
    ) -> Result<(Self, Channel), Error> {
        let buffer = vec![0; READ_OCTETS_MAX].into();
        let mut transport = Self { stream, timeout, is_deaf: false, is_unflushed: false, buffer };
        let channel = if security.is_implicit() { transport.encrypt(security).await? } else { peer.channel() };
        Ok((transport, channel))
    }

    /// Encrypts the stream from here on. It is of no use any more if that fails.
    pub(crate) async fn encrypt(&mut self, security: &Security) -> Result<Channel, Error> {
        let stream = mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        let (stream, channel) = security.encrypt(stream).await?;
        self.stream = stream;
        Ok(channel)
    }

    /// Runs an exchange to its end.
    pub(crate) async fn run<E: Exchange>(&mut self, exchange: E) -> Result<E::Outcome, Error>
    where
        Error: From<E::Failure>,
    {
        self.run_patiently(exchange, Duration::ZERO).await
    }

    /// Runs an exchange to its end; replies may take so much longer than usual.
    pub(crate) async fn run_patiently<E: Exchange>(
        &mut self,
        mut exchange: E,
        patience: Duration,
    ) -> Result<E::Outcome, Error>
    where
        Error: From<E::Failure>,
    {
        let after = self.timeout.saturating_add(patience);
        loop {
            match within(after, self.progress(exchange)).await? {
                Advance::Done(outcome) => return Ok(outcome),
                Advance::Waiting(waiting) => exchange = waiting,
            }
        }
    }

    /// Sends a piece of a message that was written, or learns that the server has refused the message.
    pub(crate) async fn send(&mut self, content: &mut Content) -> Result<Option<Reply>, Error> {
        while !content.wire().output().is_empty() {
            within(self.timeout, self.transfer(content.wire())).await?;
            if let Some(refusal) = content.listen()? {
                return Ok(Some(refusal));
            }
        }
        Ok(None)
    }

    /// Receives some octets of a retrieval.
    pub(crate) async fn receive(&mut self, wire: &mut impl Octets) -> Result<(), Error> {
        within(self.timeout, self.transfer(wire)).await.map(drop)
    }

    /// Ends the stream. Both ends have said goodbye, so nothing is lost if that fails.
    pub(crate) async fn close(&mut self) {
        tokio::time::timeout(QUIT_TIMEOUT, self.stream.shutdown()).await.ok();
    }

    /// How long the server may take for a reply.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Goes on until the server shows life: it takes octets, or gives a whole reply. Single octets of one are no life.
    async fn progress<E: Exchange>(&mut self, mut exchange: E) -> Result<Advance<E>, Error>
    where
        Error: From<E::Failure>,
    {
        let replies = exchange.wire().replies_read();
        loop {
            match exchange.advance()? {
                Advance::Waiting(waiting) => exchange = waiting,
                done => return Ok(done),
            }
            let is_alive = exchange.wire().replies_read() > replies;
            if is_alive || self.transfer(exchange.wire()).await? == Moved::Sent {
                return Ok(Advance::Waiting(exchange));
            }
        }
    }

    /// Carries octets once, in whichever direction is first able to.
    async fn transfer(&mut self, wire: &mut impl Octets) -> Result<Moved, Error> {
        poll_fn(|context| self.poll_transfer(context, wire)).await
    }

    fn poll_transfer(&mut self, context: &mut Context<'_>, wire: &mut impl Octets) -> Poll<Result<Moved, Error>> {
        if !self.is_deaf {
            match self.poll_send(context, wire.output()) {
                Poll::Ready(Ok(true)) => return Poll::Ready(Ok(Moved::Sent)),
                Poll::Ready(Ok(false)) | Poll::Pending => {}
                // What it has said before it went away, if anything, tells more than this error.
                Poll::Ready(Err(_)) => self.is_deaf = true,
            }
        }
        let mut buffer = ReadBuf::new(&mut self.buffer);
        ready!(Pin::new(&mut self.stream).poll_read(context, &mut buffer)).map_err(broken)?;
        if buffer.filled().is_empty() {
            return Poll::Ready(Err(Error::Closed(None)));
        }
        wire.receive(buffer.filled());
        Poll::Ready(Ok(Moved::Received))
    }

    /// Whether some octets went out; `false` when there is nothing to send.
    fn poll_send(&mut self, context: &mut Context<'_>, output: &mut BytesMut) -> Poll<io::Result<bool>> {
        let stream = Pin::new(&mut self.stream);
        if output.is_empty() {
            if self.is_unflushed {
                ready!(stream.poll_flush(context))?;
                self.is_unflushed = false;
            }
            return Poll::Ready(Ok(false));
        }
        let sent = ready!(stream.poll_write(context, output))?;
        if sent == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        output.advance(sent);
        self.is_unflushed = true;
        Poll::Ready(Ok(true))
    }
}

impl fmt::Debug for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transport").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// What comes of some work, unless it takes longer.
pub(crate) async fn within<T>(after: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(after, work).await.unwrap_or(Err(Error::Timeout { after }))
}

/// A connection that is reset is as closed as one that is closed.
fn broken(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted | io::ErrorKind::BrokenPipe => {
            Error::Closed(None)
        }
        // So does a server that ends an encrypted connection without saying so; both protocols say where a mail ends.
        io::ErrorKind::UnexpectedEof => Error::Closed(None),
        _ => Error::Io(error),
    }
}
