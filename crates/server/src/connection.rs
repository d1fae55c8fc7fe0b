//! One connection from its greeting to its end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use proto::smtp::server::Session;
use store::Store;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::config::Listen;
use crate::driver;
use crate::peers::Admission;
use crate::policy::Client;
use crate::shared::Shared;

/// Serves one peer. The admission counts as long as this runs.
pub(crate) async fn serve<S: Store>(
    shared: Arc<Shared<S>>,
    listen: Listen,
    mut stream: TcpStream,
    peer: SocketAddr,
    admission: Admission,
) {
    tracing::debug!("connected");
    let settings = shared.settings();
    let session_config = Arc::new(settings.config.session(&listen));
    let patience = settings.config.timeouts.data;
    let mut stopping = shared.stopping.subscribe();
    // Nobody overhears what stays on this machine.
    let secure = peer.ip().to_canonical().is_loopback();
    let mut session = Session::new(session_config, secure, Instant::now());
    let mut client = Client::new(shared, settings, listen, peer);
    let result = driver::run(&mut session, &mut client, &mut stream, &mut stopping, patience).await;
    // Before the peer sees the end: by then its account's fate is settled, and it may come again.
    client.leave().await;
    drop(admission);
    match result {
        Ok(()) => tracing::debug!("closed"),
        Err(error) => tracing::debug!(%error, "lost"),
    }
    if let Err(error) = stream.shutdown().await {
        tracing::debug!(%error, "cannot close in order");
    }
}
