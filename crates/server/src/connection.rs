//! One connection from its greeting to its end.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use proto::pop3::responses;
use proto::smtp::replies;
use proto::{pop3, smtp};
use store::Store;
use tokio::io::AsyncWriteExt;
use tokio::time::{sleep, timeout};

use crate::config::{Listen, Protocol, Tls};
use crate::driver::{self, Surroundings, Transport, stops};
use crate::peers::{Admission, PeerAddress};
use crate::policy::Client;
use crate::proxied::{self, Told};
use crate::shared::{Sessions, Settings, Shared};

/// How long the end of a connection may take to be said: TLS has words for it, and a peer that reads none of them.
const CLOSE_MAX: Duration = Duration::from_secs(5);

/// Serves the client of a proxy, once that has told whose the connection is. The admission is in nobody's name yet.
pub(crate) async fn serve_proxied<S: Store>(
    shared: Arc<Shared<S>>,
    settings: Arc<Settings>,
    place: usize,
    mut transport: Transport,
    proxy: SocketAddr,
    admission: Admission,
) {
    let mut stopping = shared.stopping.subscribe();
    let told = tokio::select! {
        told = proxied::read(&mut transport) => told,
        () = stops(&mut stopping) => return,
    };
    let listen = settings.listen(place);
    let peer = match told {
        Ok(Told::Unknown) => PeerAddress::Told(proxy),
        Ok(Told::From(address)) => PeerAddress::Told(address),
        Err(error) => {
            let (peer, protocol) = (proxy, listen.protocol);
            return match error.is_silence() {
                true => tracing::debug!(%peer, %protocol, %error, "closed"),
                false => tracing::warn!(%peer, %protocol, %error, "closed"),
            };
        }
    };
    let Some(admission) = admission.name(peer, &settings.config.limits) else {
        return refuse(&shared, &transport, peer, listen);
    };
    serve(shared, settings, place, transport, peer, admission).await;
}

/// Says that there are too many connections, if that costs no waiting.
pub(crate) fn refuse<S>(shared: &Shared<S>, transport: &Transport, peer: PeerAddress, listen: &Listen) {
    if let Some(times) = shared.refusals.happened(Instant::now()) {
        tracing::warn!(%peer, protocol = %listen.protocol, times, "refused: too many connections of one peer or in all (limits)");
    }
    let mut line = BytesMut::new();
    match (listen.tls, listen.protocol) {
        // It awaits no words before it has said hello, and a handshake is work.
        (Tls::Implicit, _) => return,
        (_, Protocol::Smtp | Protocol::Submission | Protocol::Lmtp) => {
            replies::TOO_MANY_CONNECTIONS.of_host(&shared.settings().config.hostname).write(false, &mut line);
        }
        (_, Protocol::Pop3) => responses::TOO_MANY_CONNECTIONS.write(&mut line),
    }
    if let Err(error) = transport.try_write(&line) {
        tracing::debug!(%peer, %error, "cannot say why");
    }
}

/// Serves one peer. The admission counts as long as this runs.
pub(crate) async fn serve<S: Store>(
    shared: Arc<Shared<S>>,
    settings: Arc<Settings>,
    place: usize,
    transport: Transport,
    peer: PeerAddress,
    admission: Admission,
) {
    let protocol = settings.listen(place).protocol;
    tracing::debug!(%peer, %protocol, "connected");
    let mut stopping = shared.stopping.subscribe();
    let (stopping, timer) = (pin!(stops(&mut stopping)), pin!(sleep(settings.config.timeouts.command)));
    let mut around = Surroundings::new(&settings, stopping, timer);
    let mut client = Client::new(shared, settings.clone(), place, peer);
    let result = converse(&mut client, place, transport, &mut around).await;
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
        Ok(()) => tracing::debug!(%peer, %protocol, "closed"),
        Err(error) => tracing::debug!(%peer, %protocol, %error, "lost"),
    }
}

/// Speaks the listener's protocol to the peer, until either is at its end.
async fn converse<S: Store>(
    client: &mut Client<S>,
    place: usize,
    transport: Transport,
    around: &mut Surroundings<'_>,
) -> io::Result<Transport> {
    let (transport, channel) = match around.settings.listen(place).tls {
        Tls::Implicit => around.encrypt(transport).await?,
        Tls::Off | Tls::Starttls => (transport, client.clear_channel()),
    };
    match around.settings.sessions(place) {
        Sessions::Smtp(config) => {
            let mut session = smtp::server::Session::new(config.clone(), channel, Instant::now());
            let end = driver::smtp::run(&mut session, client, transport, around).await;
            client.tell_of_end(session.ended_by().filter(|_| !session.is_stopping()));
            end
        }
        Sessions::Pop3(config) => {
            let mut session = pop3::server::Session::new(config.clone(), channel, Instant::now());
            let end = driver::pop3::run(&mut session, client, transport, around).await;
            client.tell_of_end(session.ended_by().filter(|_| !session.is_stopping()));
            end
        }
    }
}
