//! SMTP: what the steps of its sessions mean.

use std::io;
use std::time::Instant;

use bytes::BytesMut;
use proto::INPUT_OCTETS_MAX;
use proto::smtp::server::{Session, Step};
use store::Store;

use super::transport::{Arrived, Transport};
use super::{Surroundings, waiting};
use crate::policy::{Accepted, Client};

/// Pumps until the session closes, or the peer does; the connection is then still to be closed.
///
/// What takes much room while it is decided is boxed: an idle connection has no room for it.
pub(crate) async fn run<S: Store>(
    session: &mut Session<Accepted>,
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
            Step::Poll => poll(session, &mut transport)?,
            Step::Send(octets) => around.send(octets, &mut transport).await?,
            Step::Close => return Ok(transport),
            Step::StartTls(tls) => {
                client.start_anew().await;
                let (encrypted, channel) = around.encrypt(transport).await?;
                transport = encrypted;
                tls.done(channel, Instant::now());
            }

            Step::Register(ask) => {
                let verdict = Box::pin(client.register(&ask.question, transport.descriptor())).await;
                ask.answer(verdict);
            }
            Step::IssuePassword(mut ask) => {
                let verdict = Box::pin(client.issue_password(&mut ask.question)).await;
                ask.answer(verdict);
            }
            Step::Unregister(ask) => ask.answer(Box::pin(client.unregister()).await),
            Step::LookUp(ask) => {
                let secret = Box::pin(client.look_up(ask.question.user())).await;
                ask.answer(secret.map_err(Into::into));
            }
            Step::Authenticate(ask) => {
                let verdict = Box::pin(client.authenticate(ask.question.attempt())).await;
                ask.answer(verdict.map_err(Into::into));
            }

            Step::Mail(ask) => {
                let verdict = client.may_send(&ask.question);
                ask.answer(verdict);
            }
            Step::Recipient(mut ask) => {
                let verdict = Box::pin(client.may_receive(&mut ask.question)).await;
                ask.answer(verdict);
            }
            Step::BeginData(ask) => {
                client.begin_data(&ask.question);
                ask.answer(Instant::now());
            }
            Step::Content(octets) => client.take(octets).await,
            Step::Abandon => client.abandon(),
            Step::Commit(envelope, ask) => {
                let verdict = Box::pin(client.commit(*envelope, ask.hello())).await;
                ask.answer(verdict);
            }

            Step::CommitEach(envelope, ask) => {
                let verdicts = Box::pin(client.commit_each(*envelope, ask.hello())).await;
                ask.answer(verdicts);
            }

            Step::Verify(ask) => {
                let verdict = Box::pin(client.verify(&ask.question)).await;
                ask.answer(verdict);
            }

            Step::Retrieve(ask) => {
                let retrieval = waiting::retrieve(client, &mut transport, around, ask.question.wait);
                let (verdict, early) = Box::pin(retrieval).await?;
                ask.answer(verdict);
                session.receive(&early);
            }
            Step::NextMessage(ask) => ask.answer(client.next_message().await),
            Step::NextChunk(ask) => match client.next_chunk().await {
                Ok(Some(octets)) => ask.chunk(&octets),
                Ok(None) => ask.end(),
                Err(error) => {
                    tracing::error!(%error, "cannot read a message");
                    ask.fail();
                }
            },
            Step::Flush(ask) => {
                Box::pin(client.flush()).await;
                ask.done();
            }
        }
    }
}

/// Takes what has arrived already.
fn poll(session: &mut Session<Accepted>, transport: &mut Transport) -> io::Result<()> {
    let mut octets = [0; 1024];
    while session.input().len() < INPUT_OCTETS_MAX {
        match transport.read_arrived(&mut octets)? {
            Arrived::Octets(arrived) => session.receive(&octets[..arrived]),
            Arrived::Nothing => break,
            Arrived::Part => {
                session.expect_more();
                break;
            }
        }
    }
    Ok(())
}

impl super::Session for Session<Accepted> {
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
