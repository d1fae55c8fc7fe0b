//! What the operator does while the server runs: `mymail admin`, over a socket in the data folder.
//!
//! Whoever may use that socket may do all of it: the user that runs the server, and root. [`Admin`] is the program's side; what is
//! said between them is in `protocol.rs`, and how it is answered in `accounts.rs`, `registration.rs` and `backup.rs`.

mod accounts;
mod backup;
mod client;
mod exchange;
mod line;
mod protocol;
mod refusal;
mod registration;
mod socket;

use std::sync::Arc;

use store::Store;
use tokio::net::UnixStream;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use crate::driver::stops;
use crate::listener::pause;
use crate::rarely::Rarely;
use crate::shared::Shared;

pub use client::{Admin, AdminError, Held, Page};
pub use protocol::{
    AccountState, Mode, NewPassword, NewToken, PASSWORD_CHARACTERS_MIN, PASSWORD_OCTETS_MAX, QuotaChange, QuotaState,
    RegistrationState, Removed, Secret, TOKEN_NAME_OCTETS_MAX, TokenState,
};
pub use refusal::Refusal;
pub(crate) use socket::Socket;

/// The most connections at a time; others wait.
const CONNECTIONS_MAX: usize = 8;

/// Answers until the server stops. Then the socket goes first, and what is being done has until `timeouts.shutdown`.
pub(crate) async fn run<S: Store>(shared: Arc<Shared<S>>, socket: Socket) {
    let changes = Arc::new(Mutex::new(()));
    let mut connections = JoinSet::new();
    let mut stopping = shared.stopping.subscribe();
    let pauses = Rarely::default();
    loop {
        tokio::select! {
            () = stops(&mut stopping) => break,
            accepted = socket.listener.accept(), if connections.len() < CONNECTIONS_MAX => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(shared.clone(), changes.clone(), stream));
                }
                Err(error) => pause(&pauses, &error, "admin").await,
            },
            Some(ended) = connections.join_next() => {
                if let Err(error) = ended {
                    tracing::error!(%error, "a task of the admin socket failed");
                }
            }
        }
    }
    drop(socket);
    let deadline = Instant::now() + shared.settings().config.timeouts.shutdown;
    while let Ok(Some(_)) = timeout_at(deadline, connections.join_next()).await {}
    connections.shutdown().await;
}

async fn serve<S: Store>(shared: Arc<Shared<S>>, changes: Arc<Mutex<()>>, stream: UnixStream) {
    if let Err(error) = exchange::serve(&shared, &changes, stream).await {
        tracing::warn!(%error, "a connection of the admin socket failed");
    }
}
