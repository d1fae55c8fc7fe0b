//! A server that stops waits for nobody who is not in the middle of something.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod common;

use std::time::Duration;

use server::config::{Listen, Timeouts, Tls};
use server::{Config, Server};
use store::embedded::Embedded;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

use common::listen;

/// What has not happened by then never will.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn not_for_a_handshake_that_nobody_goes_on_with() {
    let data = tempfile::tempdir().unwrap();
    let config = Config {
        listen: vec![listen(Listen::pop3, Tls::Implicit), listen(Listen::pop3, Tls::Off)],
        timeouts: Timeouts { shutdown: Duration::from_secs(3600), ..Timeouts::default() },
        ..Config::default()
    };
    let server = Server::bind(config, data.path(), Embedded::open(data.path()).unwrap()).await.unwrap();
    let addresses: Vec<_> = server.addresses().unwrap().into_iter().filter_map(|(_, address)| address.tcp()).collect();
    let (stop, stopped) = oneshot::channel::<()>();
    let running = tokio::spawn(server.run(async { stopped.await.unwrap() }));

    let silent = TcpStream::connect(addresses[0]).await.unwrap();
    let mut greeted = TcpStream::connect(addresses[1]).await.unwrap();
    let mut greeting = [0; 3];
    greeted.read_exact(&mut greeting).await.unwrap();
    assert_eq!(&greeting, b"+OK");
    stop.send(()).unwrap();
    timeout(PATIENCE, running).await.unwrap().unwrap().unwrap();
    drop(silent);
}
