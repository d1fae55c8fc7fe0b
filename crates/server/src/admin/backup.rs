//! A backup, by the operator's will. The operator's program makes the copy: the server itself writes to no other folder than its
//! own.

use std::io;

use store::{BackUpError, Store};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};

use super::exchange::{Office, say};
use super::protocol::Answer;
use super::refusal::Refusal;

impl<S: Store> Office<'_, S> {
    /// Goes on as long as the operator's program is there. No answer is left for its end.
    pub(super) async fn hold(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) -> io::Result<Result<Vec<Answer>, Refusal>> {
        let hold = match self.shared.store.hold().await {
            Ok(hold) => hold,
            Err(BackUpError::Store(error)) => return Ok(Err(error.into())),
            Err(error) => return Ok(Err(Refusal::NoBackup { cause: error.to_string() })),
        };
        tracing::info!("the operator makes a backup: no file is deleted meanwhile");
        say(stream, &[Answer::Held]).await?;
        // Nothing more is to be said.
        let gone = stream.read(&mut [0]).await;
        drop(hold);
        tracing::info!("the operator's backup has ended");
        gone.map(|_| Ok(Vec::new()))
    }
}
