//! One connection from its greeting to its end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::{pop3, smtp};
use store::Store;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::{Config, Listen, Protocol, Tls};
use crate::driver::{self, Surroundings, Transport};
use crate::peers::Admission;
use crate::policy::Client;
use crate::shared::Shared;

/// How long the end of a connection may take to be said: TLS has words for it, and a peer that reads none of them.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// Serves one peer. The admission counts as long as this runs.
pub(crate) async fn serve<S: Store>(
    shared: Arc<Shared<S>>,
    listen: Listen,
    stream: TcpStream,
    peer: SocketAddr,
    admission: Admission,
) {
    tracing::debug!("connected");
    let settings = shared.settings();
    let around = Surroundings {
        stopping: shared.stopping.subscribe(),
        patience: settings.config.timeouts.data,
        acceptor: settings.acceptor.clone(),
    };
    let mut client = Client::new(shared, settings.clone(), listen.clone(), peer);
    let result = converse(&mut client, &settings.config, &listen, stream, around).await;
    // Before the peer sees the end: by then its account's fate is settled, and it may come again.
    client.leave().await;
    drop(admission);
    let closed = match result {
        Ok(mut transport) => match timeout(CLOSE_MAX, transport.shutdown()).await {
            Ok(closed) => closed,
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        },
        Err(error) => Err(error),
    };
    match closed {
        Ok(()) => tracing::debug!("closed"),
        Err(error) => tracing::debug!(%error, "lost"),
    }
}

/// Speaks the listener's protocol to the peer, until either is at its end.
async fn converse<S: Store>(
    client: &mut Client<S>,
    config: &Config,
    listen: &Listen,
    stream: TcpStream,
    mut around: Surroundings,
) -> io::Result<Transport> {
    let (transport, channel) = match listen.tls {
        Tls::Implicit => around.encrypt(Transport::Clear(stream)).await?,
        Tls::Off | Tls::Starttls => (Transport::Clear(stream), client.clear_channel()),
    };
    match listen.protocol {
        Protocol::Smtp => {
            let config = Arc::new(config.session(listen));
            let session = smtp::server::Session::new(config, channel, Instant::now());
            driver::smtp::run(session, client, transport, around).await
        }
        Protocol::Pop3 => {
            let config = Arc::new(config.pop3_session(listen));
            let session = pop3::server::Session::new(config, channel, Instant::now());
            driver::pop3::run(session, client, transport, around).await
        }
    }
}
