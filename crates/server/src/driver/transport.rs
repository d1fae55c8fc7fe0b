//! The connection beneath a session: a socket, in clear text or encrypted.

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use proto::sasl::Channel;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

pub(crate) use crate::tls::Arrived;
use crate::tls::{self, Acceptor, TlsStream};

/// The most octets that are received at once.
const RECEIVED_OCTETS_MAX: usize = 32 << 10;

/// A connection with a peer.
pub(crate) enum Transport {
    /// In clear text.
    Clear(TcpStream),
    /// In clear text, but within this machine.
    Unix(UnixStream),
    /// Encrypted.
    Tls(Box<TlsStream>),
}

impl Transport {
    /// The socket's descriptor.
    pub(crate) fn descriptor(&self) -> BorrowedFd<'_> {
        match self {
            Self::Clear(stream) => stream.as_fd(),
            Self::Unix(stream) => stream.as_fd(),
            Self::Tls(stream) => tls::descriptor(stream),
        }
    }

    /// Writes what the system takes at once, to a peer that has said nothing yet.
    pub(crate) fn try_write(&self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Clear(stream) => stream.try_write(octets),
            Self::Unix(stream) => stream.try_write(octets),
            Self::Tls(_) => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    /// Puts what the peer sends next behind the input; how many octets, none at the end of the connection.
    pub(super) async fn receive(&mut self, input: &mut BytesMut) -> io::Result<usize> {
        poll_fn(|context| self.poll_receive(context, input)).await
    }

    /// The same. It arrives on the stack: a connection that waits has no buffer.
    pub(super) fn poll_receive(&mut self, context: &mut Context<'_>, input: &mut BytesMut) -> Poll<io::Result<usize>> {
        let mut room = [MaybeUninit::uninit(); RECEIVED_OCTETS_MAX];
        let mut buffer = ReadBuf::uninit(&mut room);
        ready!(Pin::new(self).poll_read(context, &mut buffer))?;
        input.extend_from_slice(buffer.filled());
        Poll::Ready(Ok(buffer.filled().len()))
    }

    /// Reads what has arrived already.
    pub(super) fn read_arrived(&mut self, octets: &mut [u8]) -> io::Result<Arrived> {
        match self {
            Self::Clear(stream) => receive_arrived(stream.as_fd(), octets),
            Self::Unix(stream) => receive_arrived(stream.as_fd(), octets),
            Self::Tls(stream) => tls::read_arrived(stream, octets),
        }
    }

    /// Encrypts it; what a session may know of it then.
    pub(crate) async fn encrypt(self, acceptor: &Acceptor) -> io::Result<(Self, Channel)> {
        match self {
            Self::Clear(stream) => {
                let (stream, channel) = acceptor.accept(stream).await?;
                Ok((Self::Tls(Box::new(stream)), channel))
            }
            Self::Unix(_) => Err(io::Error::other("a Unix domain socket is not encrypted")),
            Self::Tls(_) => Err(io::Error::other("the connection is encrypted already")),
        }
    }
}

fn receive_arrived(socket: BorrowedFd<'_>, octets: &mut [u8]) -> io::Result<Arrived> {
    // The system is asked, not the runtime: that hears of new octets only when it next looks.
    match recv(socket, octets, RecvFlags::DONTWAIT) {
        Ok((_, 0)) | Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(Arrived::Nothing),
        Ok((_, octets)) => Ok(Arrived::Octets(octets)),
        Err(error) => Err(error.into()),
    }
}

impl AsyncRead for Transport {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Unix(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_write(context, octets),
            Self::Unix(stream) => Pin::new(stream).poll_write(context, octets),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_write(context, octets),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_flush(context),
            Self::Unix(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Clear(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Unix(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream.as_mut()).poll_shutdown(context),
        }
    }
}
