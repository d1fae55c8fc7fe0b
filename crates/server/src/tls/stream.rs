//! The encrypted connection, and what can be read from it without waiting.

use std::io::{self, ErrorKind, IoSlice, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use rustix::net::{RecvFlags, recv};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::{Arrived, records::Records};

/// An encrypted connection from a peer.
pub(crate) type TlsStream = tokio_rustls::server::TlsStream<RecordStream>;

/// The socket of an encrypted connection.
pub(crate) fn descriptor(stream: &TlsStream) -> BorrowedFd<'_> {
    stream.get_ref().0.socket.as_fd()
}

/// Reads what has arrived already and is decrypted, at most as much as there is room for.
pub(crate) fn read_arrived(stream: &mut TlsStream, octets: &mut [u8]) -> io::Result<Arrived> {
    let (socket, tls) = stream.get_mut();
    loop {
        match tls.reader().read(octets) {
            Ok(0) => return Ok(Arrived::Nothing),
            Ok(octets) => return Ok(Arrived::Octets(octets)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {}
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(Arrived::Nothing),
            Err(error) => return Err(error),
        }
        match tls.read_tls(socket) {
            Ok(0) => return Ok(Arrived::Nothing),
            Ok(_) => {
                tls.process_new_packets().map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                return Ok(if socket.records.is_between() { Arrived::Nothing } else { Arrived::Part });
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// A socket that knows whether what has been read from it ends between two TLS records.
#[derive(Debug)]
pub(crate) struct RecordStream {
    socket: TcpStream,
    records: Records,
}

impl RecordStream {
    /// Nothing of TLS has been read from the socket.
    pub(super) fn new(socket: TcpStream) -> Self {
        Self { socket, records: Records::default() }
    }

    /// The socket itself. Whoever reads from it loses the place in the records.
    #[cfg(test)]
    pub(super) fn socket(&self) -> &TcpStream {
        &self.socket
    }
}

impl AsyncRead for RecordStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.socket).poll_read(cx, buf);
        self.records.pass(&buf.filled()[before..]);
        polled
    }
}

/// Without waiting.
impl Read for RecordStream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        // The system is asked, not the runtime: that hears of new octets only when it next looks.
        let (_, octets) = recv(&self.socket, &mut *buf, RecvFlags::DONTWAIT)?;
        self.records.pass(&buf[..octets]);
        Ok(octets)
    }
}

impl AsyncWrite for RecordStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
