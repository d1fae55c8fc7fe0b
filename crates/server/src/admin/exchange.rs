//! One connection: who it is, one request, its answers.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::geteuid;
use store::{Store, StoreError};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::line;
use super::protocol::{Answer, REQUEST_OCTETS_MAX, Request};
use super::refusal::Refusal;
use crate::shared::{Settings, Shared};

/// How long a request is waited for. Whoever connects has it ready, and others wait for the place.
const REQUEST_PATIENCE: Duration = Duration::from_secs(3);
/// How long a peer may take to read its answers.
const ANSWER_PATIENCE: Duration = Duration::from_secs(10);

/// What answers requests.
pub(super) struct Office<'a, S> {
    pub(super) shared: &'a Shared<S>,
    pub(super) settings: Arc<Settings>,
    /// Held by requests whose change depends on what they read before.
    pub(super) changes: &'a Mutex<()>,
}

/// Serves a connection to its end.
pub(super) async fn serve<S: Store>(shared: &Shared<S>, changes: &Mutex<()>, stream: UnixStream) -> io::Result<()> {
    let is_permitted = is_permitted(&stream)?;
    let mut stream = BufReader::new(stream);
    let request = timeout(REQUEST_PATIENCE, line::read(&mut stream, REQUEST_OCTETS_MAX)).await??;
    let Some(request) = request else { return Ok(()) };
    let office = Office { shared, settings: shared.settings(), changes };
    let answers = match serde_json::from_slice(&request) {
        _ if !is_permitted => Err(Refusal::NotPermitted),
        Ok(request) => office.answer(request, &mut stream).await?,
        Err(_) => Err(Refusal::BadRequest),
    };
    say(&mut stream, &answers.unwrap_or_else(|refusal| vec![Answer::Refused(refusal)])).await
}

/// Writes answers to a peer that reads them.
pub(super) async fn say(stream: &mut (impl AsyncWrite + Unpin), answers: &[Answer]) -> io::Result<()> {
    let mut lines = Vec::new();
    answers.iter().try_for_each(|answer| line::write(&mut lines, answer))?;
    timeout(ANSWER_PATIENCE, stream.write_all(&lines)).await?
}

/// The mode of the socket says the same already; but it can be changed, and be handed on.
fn is_permitted(stream: &UnixStream) -> io::Result<bool> {
    let peer = stream.peer_cred()?.uid();
    Ok(peer == geteuid().as_raw() || peer == 0)
}

impl<S: Store> Office<'_, S> {
    /// All answers to a request, the last one among them.
    async fn answer(
        &self,
        request: Request,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) -> io::Result<Result<Vec<Answer>, Refusal>> {
        Ok(match request {
            Request::List { after } => self.list(after).await,
            Request::Show { name } => self.show(&name).await.map(one),
            Request::Add { name, password } => self.add(&name, password).await.map(one),
            Request::Remove { name } => self.remove(&name).await.map(one),
            Request::Quota { name, change } => self.change_quota(&name, change).await.map(one),
            Request::Password { name, password } => self.change_password(&name, password).await.map(one),
            Request::Registration { mode } => self.registration(mode).await.map(one),
            Request::AddToken { name } => self.add_token(name).await.map(one),
            Request::ListTokens => self.tokens().await,
            Request::RemoveToken { name } => self.remove_token(&name).await.map(one),
            Request::Hold => self.hold(stream).await?,
        })
    }
}

fn one(answer: Answer) -> Vec<Answer> {
    vec![answer, Answer::Done]
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        tracing::error!(%error, "the store did not do what the operator wants");
        match error {
            StoreError::TryAgain(_) => Self::Busy,
            StoreError::Full => Self::Full,
            StoreError::Failed(_) | StoreError::Poisoned => Self::Failed,
            StoreError::Unknown(_) => Self::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_user_of_the_server_is_permitted() {
        let (ours, _theirs) = UnixStream::pair().unwrap();
        assert!(is_permitted(&ours).unwrap());
    }
}
