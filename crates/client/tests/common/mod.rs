//! Scripted servers, over a pipe in memory.

#![allow(dead_code, reason = "no test file needs all of it")]

pub(crate) mod identity;

use std::sync::Arc;
use std::time::Duration;

use client::{ConnectOptions, Connection, Error, Peer, ServerAddress, Stream, Trust};
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

/// Octets that the pipe holds: little, so that both ends have to wait for each other.
pub(crate) const PIPE_OCTETS: usize = 64;

/// The server of all scripts.
pub(crate) fn server() -> ServerAddress {
    "mail.example".parse().unwrap()
}

/// The same host, by POP3.
pub(crate) fn pop3_server() -> ServerAddress {
    "pop3://mail.example".parse().unwrap()
}

/// Options that touch no file of the user who runs the tests.
pub(crate) fn options() -> ConnectOptions {
    ConnectOptions { trust: Trust::Anybody, ..ConnectOptions::default() }
}

pub(crate) async fn open(stream: DuplexStream, peer: Peer, options: ConnectOptions) -> Result<Connection, Error> {
    Connection::open(stream, &server(), peer, options).await
}

/// A server that says (`S:`, or raw `R:`) and hears (`C:`) this, in this order, waits so many seconds (`W:`), and falls silent at the end, or
/// drops the connection (`X:`). What came behind the script is returned.
pub(crate) fn serve(script: String) -> (DuplexStream, JoinHandle<String>) {
    serve_encrypted(script, None)
}

/// A server that can encrypt the connection too (`T:`).
pub(crate) fn serve_encrypted(script: String, tls: Option<Arc<ServerConfig>>) -> (DuplexStream, JoinHandle<String>) {
    let (near, far) = tokio::io::duplex(PIPE_OCTETS);
    (near, tokio::spawn(play(script, Box::new(far), tls)))
}

async fn play(script: String, mut stream: Box<dyn Stream>, tls: Option<Arc<ServerConfig>>) -> String {
    for line in script.lines() {
        match line.split_at(3) {
            ("S: ", text) => {
                // A client that has gone hears no more; what it did before is looked at below.
                let said = stream.write_all(format!("{text}\r\n").as_bytes()).await;
                if said.is_err() || stream.flush().await.is_err() {
                    break;
                }
            }
            ("C: ", text) => assert_eq!(read_line(&mut stream).await, format!("{text}\r\n")),
            ("T: ", _) => match TlsAcceptor::from(tls.clone().unwrap()).accept(stream).await {
                Ok(encrypted) => stream = Box::new(encrypted),
                // The client did not like the certificate.
                Err(_) => return String::new(),
            },
            // All of it at once, line ends and all.
            ("R: ", text) => stream.write_all(text.replace("\\r\\n", "\r\n").as_bytes()).await.unwrap(),
            ("X: ", _) => return String::new(),
            ("W: ", seconds) => sleep(Duration::from_secs(seconds.parse().unwrap())).await,
            _ => panic!("no line of a script: {line}"),
        }
    }
    // A client that has gone needs no goodbye.
    stream.shutdown().await.ok();
    let mut rest = String::new();
    match stream.read_to_string(&mut rest).await {
        // A client that drops an encrypted connection does not say so first.
        Err(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => panic!("{error}"),
        _ => rest,
    }
}

/// A line and nothing behind it: what follows may be encrypted.
pub(crate) async fn read_line(stream: &mut dyn Stream) -> String {
    let mut line = Vec::new();
    while !line.ends_with(b"\n") {
        match stream.read_u8().await {
            Ok(octet) => line.push(octet),
            Err(_) => break,
        }
    }
    String::from_utf8(line).unwrap()
}
