//! The one driver: pumps a session over a connection until either is at its end.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use proto::smtp::server::{INPUT_OCTETS_MAX, Session, Step};
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use store::{Recipient, Store};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{timeout, timeout_at};
use tracing::Instrument;

use crate::policy::Client;
use crate::waiting;

/// How much is read at once outside mail data: a group of commands.
const COMMANDS_OCTETS: usize = 2 << 10;
/// How much is read at once in mail data.
const DATA_OCTETS: usize = 32 << 10;

/// A byte stream with a descriptor of its own.
pub(crate) trait Connection: AsyncRead + AsyncWrite + Unpin + Send {
    /// The socket's descriptor.
    fn descriptor(&self) -> BorrowedFd<'_>;

    /// Reads what has arrived already: how many octets, 0 if there are none.
    fn read_arrived(&mut self, octets: &mut [u8]) -> io::Result<usize>;
}

impl Connection for TcpStream {
    fn descriptor(&self) -> BorrowedFd<'_> {
        self.as_fd()
    }

    fn read_arrived(&mut self, octets: &mut [u8]) -> io::Result<usize> {
        // The system is asked, not the runtime: that hears of new octets only when it next looks.
        match recv(&*self, octets, RecvFlags::DONTWAIT) {
            Ok((_, octets)) => Ok(octets),
            Err(Errno::WOULDBLOCK | Errno::INTR) => Ok(0),
            Err(error) => Err(error.into()),
        }
    }
}

/// Pumps until the session closes, or the peer does. `patience` is for a peer that does not read.
pub(crate) async fn run<S: Store, C: Connection>(
    session: &mut Session<Recipient>,
    client: &mut Client<S>,
    connection: &mut C,
    stopping: &mut watch::Receiver<bool>,
    patience: Duration,
) -> io::Result<()> {
    loop {
        match session.next(Instant::now()) {
            Step::NeedInput => {
                if !receive(session, connection, stopping).await? {
                    return Ok(());
                }
            }
            Step::Poll => poll(session, connection)?,
            Step::Send(octets) => timeout(patience, connection.write_all(octets)).await??,
            Step::Close => return Ok(()),

            Step::Register(ask) => {
                let verdict = client.register(&ask.question, connection.descriptor()).await;
                ask.answer(verdict);
            }
            Step::IssuePassword(mut ask) => {
                let verdict = client.issue_password(&mut ask.question).await;
                ask.answer(verdict);
            }
            Step::Unregister(ask) => ask.answer(client.unregister().await),
            Step::Authenticate(ask) => {
                let verdict = client.authenticate(&ask.question.credentials).await;
                ask.answer(verdict);
            }

            Step::Mail(ask) => {
                let verdict = client.may_send(&ask.question);
                ask.answer(verdict);
            }
            Step::Recipient(ask) => {
                let question = &ask.question;
                let verdict = client.may_receive(&question.forward_path, question.envelope.octets);
                let verdict = verdict.instrument(client.transaction()).await;
                ask.answer(verdict);
            }
            Step::BeginData(ask) => {
                client.begin_data();
                ask.answer(Instant::now());
            }
            Step::Content(octets) => client.take(octets).await,
            Step::Abandon => client.abandon(),
            Step::Commit(envelope, ask) => {
                let transaction = client.transaction();
                let verdict = client.commit(envelope, ask.hello()).instrument(transaction).await;
                ask.answer(verdict);
            }

            Step::Retrieve(ask) => {
                let (verdict, early) = waiting::retrieve(client, connection, stopping, ask.question.wait).await?;
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
                client.flush().await;
                ask.done();
            }
        }
    }
}

/// Waits for input, the session's deadline or the server's end. `false`: the peer has closed.
async fn receive<C: Connection>(
    session: &mut Session<Recipient>,
    connection: &mut C,
    stopping: &mut watch::Receiver<bool>,
) -> io::Result<bool> {
    let deadline = session.deadline().into();
    let room = if session.is_in_data() { DATA_OCTETS } else { COMMANDS_OCTETS };
    let told = session.is_stopping();
    let input = session.input();
    input.reserve(room);
    tokio::select! {
        received = timeout_at(deadline, connection.read_buf(input)) => match received {
            Ok(octets) => Ok(octets? > 0),
            Err(_) => Ok(true),
        },
        () = stops(stopping), if !told => {
            session.stop();
            Ok(true)
        }
    }
}

/// Resolves once the server stops.
pub(crate) async fn stops(stopping: &mut watch::Receiver<bool>) {
    // An error says that there is no server any more.
    if stopping.wait_for(|stopping| *stopping).await.is_err() {
        tracing::debug!("the server is gone");
    }
}

/// Takes what has arrived already.
fn poll<C: Connection>(session: &mut Session<Recipient>, connection: &mut C) -> io::Result<()> {
    let input = session.input();
    let mut octets = [0; 1024];
    while input.len() < INPUT_OCTETS_MAX {
        match connection.read_arrived(&mut octets)? {
            0 => break,
            arrived => input.extend_from_slice(&octets[..arrived]),
        }
    }
    Ok(())
}
