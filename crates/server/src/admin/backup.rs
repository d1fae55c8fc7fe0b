//! A backup, by the operator's will.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use store::{BackUpError, BackedUp, Progress, Store};
use tokio::io::AsyncWrite;
use tokio::sync::watch;
use tokio::time::interval;

use super::exchange::{Office, say};
use super::protocol::{Answer, BackupState, ProgressState};
use super::refusal::Refusal;

/// How often the operator's program hears how far it has come. It takes a longer silence for an end.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);

impl<S: Store> Office<'_, S> {
    /// Goes on as long as the operator's program is there.
    pub(super) async fn back_up(
        &self,
        folder: &Path,
        stream: &mut (impl AsyncWrite + Unpin),
    ) -> io::Result<Result<Answer, Refusal>> {
        if !folder.is_absolute() {
            return Ok(Err(Refusal::BadRequest));
        }
        tracing::info!(folder = %folder.display(), "the operator wants a backup");
        let (come, progress) = watch::channel(Progress::default());
        // Nobody hears it any more when this call has ended early.
        let tell = move |now| if come.send(now).is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) };
        let mut backed_up = pin!(self.shared.store.back_up(folder, tell));
        let mut ticks = interval(PROGRESS_INTERVAL);
        loop {
            tokio::select! {
                done = &mut backed_up => return Ok(answer(folder, done)),
                _ = ticks.tick() => {
                    let Progress { octets, octets_total } = *progress.borrow();
                    say(stream, &[Answer::Progress(ProgressState { octets, octets_total })]).await?;
                }
            }
        }
    }
}

fn answer(folder: &Path, done: Result<BackedUp, BackUpError>) -> Result<Answer, Refusal> {
    let folder = folder.display();
    match done {
        Ok(BackedUp { accounts, messages, octets, problems }) => {
            tracing::info!(%folder, accounts, messages, octets, "the backup is made");
            if problems > 0 {
                tracing::error!(problems, "the backup is as damaged as the store: `mymail check` says where");
            }
            Ok(Answer::BackedUp(BackupState { accounts, messages, octets, problems }))
        }
        Err(BackUpError::Store(error)) => Err(error.into()),
        Err(error) => {
            tracing::error!(%folder, %error, "there is no backup");
            let cause = error.to_string();
            Err(match error {
                BackUpError::NotOffered | BackUpError::Stopped => Refusal::NoBackup { cause },
                _ => Refusal::NoBackupThere { cause },
            })
        }
    }
}
