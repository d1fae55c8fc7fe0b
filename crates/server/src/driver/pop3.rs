//! POP3: what the steps of its sessions mean.

use std::io;
use std::time::Instant;

use bytes::BytesMut;
use proto::pop3::Response;
use proto::pop3::server::{Session, Step};
use proto::sasl::server::Attempt;
use store::Store;

use super::{Surroundings, Transport};
use crate::policy::{Client, Listed};

/// Pumps until the session closes, or the peer does; the connection is then still to be closed.
///
/// What takes much room while it is decided is boxed: an idle connection has no room for it.
pub(crate) async fn run<S: Store>(
    session: &mut Session<Listed>,
    client: &mut Client<S>,
    mut transport: Transport,
    around: &mut Surroundings<'_>,
) -> io::Result<Transport> {
    loop {
        match session.next(Instant::now()) {
            Step::NeedInput => {
                if !around.receive(session, &mut transport).await? {
                    return Ok(transport);
                }
            }
            Step::Send(octets) => around.send(octets, &mut transport).await?,
            Step::Close => return Ok(transport),
            Step::StartTls(tls) => {
                client.start_anew().await;
                let (encrypted, channel) = around.encrypt(transport).await?;
                transport = encrypted;
                tls.done(channel, Instant::now());
            }

            Step::LookUp(ask) => {
                let secret = Box::pin(client.look_up(ask.question.user())).await;
                ask.answer(secret.map_err(Into::into));
            }
            Step::Authenticate(ask) => {
                let maildrop = Box::pin(log_in(client, ask.question.attempt())).await;
                ask.answer(maildrop);
            }

            Step::OpenMessage(ask) => {
                let opened = client.open_message(&ask.question.message).await;
                ask.answer(opened);
            }
            Step::NextChunk(ask) => match client.next_chunk().await {
                Ok(Some(octets)) => ask.chunk(&octets),
                Ok(None) => ask.end(),
                Err(error) => {
                    tracing::error!(%error, "cannot read a message");
                    ask.fail();
                }
            },
            Step::Update(ask) => {
                let removed = Box::pin(client.remove(&ask.question.deleted)).await;
                ask.answer(removed);
            }
        }
    }
}

/// A login brings the maildrop. Without that it has failed.
async fn log_in<S: Store>(client: &mut Client<S>, attempt: &Attempt) -> Result<Vec<Listed>, Response> {
    let maildrop = match client.authenticate(attempt).await {
        Ok(()) => client.list().await,
        Err(refused) => Err(refused.into()),
    };
    if maildrop.is_err() {
        client.leave().await;
    }
    maildrop
}

impl super::Session for Session<Listed> {
    fn input(&mut self) -> &mut BytesMut {
        self.input()
    }

    fn deadline(&self) -> Instant {
        self.deadline()
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping()
    }

    fn stop(&mut self) {
        self.stop();
    }
}
