//! The one thread that writes.
//!
//! It takes whatever is queued, does it all in one transaction and commits once: the more callers, the more share a sync,
//! and a single one never waits for others. Callers are answered when COMMIT has returned, not before. The first failure
//! of a write or a sync is the last: nobody knows what the disk then holds, so everything later is refused until the
//! store is opened anew.

use std::io;
use std::ops::Deref;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use thiserror::Error;
use tokio::sync::{mpsc, oneshot};

use super::database;
use super::health::Health;
use super::spool::{FileNumber, Spool};
use crate::arrivals::Bells;
use crate::{AccountId, StoreError};

/// The most jobs that wait for the writer; callers beyond wait for room.
const QUEUE_JOBS_MAX: usize = 512;
/// The most jobs that share a commit.
const GROUP_JOBS_MAX: usize = 512;
/// A group takes no more jobs once it has this many octets of message bodies.
const GROUP_OCTETS_MAX: usize = 8 << 20;

/// Hands work to the writing thread. Dropped, it waits until all that was queued is done.
pub(super) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
    health: Arc<Health>,
    _thread: JoinOnDrop,
}

impl Writer {
    /// Starts the thread.
    pub(super) fn start(
        connection: Connection,
        spool: Arc<Spool>,
        bells: Bells,
        health: Arc<Health>,
    ) -> io::Result<Self> {
        let (queue, queued) = mpsc::channel(QUEUE_JOBS_MAX);
        let thread = Thread { connection, queue: queued, spool, bells, health: Arc::clone(&health) };
        let thread = thread::Builder::new().name("store-writer".to_owned()).spawn(move || thread.run())?;
        Ok(Self { queue, health, _thread: JoinOnDrop(Some(thread)) })
    }

    /// Does `work`, which has `octets` of message bodies in its hands, in the next group. `Ok` when it is committed.
    ///
    /// An error that `work` returns undoes its whole group and poisons the store: what can be refused is refused as a
    /// value. Once queued the work is done even if the caller goes away.
    pub(super) async fn run<T, W>(&self, octets: usize, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&mut Group<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        self.health.check()?;
        let (reply, answer) = oneshot::channel();
        let job = Task { octets, work: Some(work), value: None, reply };
        self.queue.send(Box::new(job)).await.map_err(|_| StoreError::Poisoned)?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Unknown(Box::new(WriterGone))))
    }
}

/// A group of jobs while it is written: its transaction, and what is to be done once it is committed.
pub(super) struct Group<'a> {
    transaction: Transaction<'a>,
    after: AfterCommit,
}

impl Group<'_> {
    /// Wakes those who wait for mail for this account.
    pub(super) fn arrived(&mut self, account: AccountId) {
        self.after.arrived.push(account);
    }

    /// Deletes the file of a body whose message is gone.
    pub(super) fn unlink(&mut self, file: FileNumber) {
        self.after.unlinked.push(file);
    }
}

impl Deref for Group<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.transaction
    }
}

#[derive(Default)]
struct AfterCommit {
    arrived: Vec<AccountId>,
    unlinked: Vec<FileNumber>,
}

#[derive(Debug, Error)]
#[error("the writing thread has died")]
struct WriterGone;

/// Why a group failed: one cause, told to each of its callers.
#[derive(Debug, Clone, Error)]
enum GroupError {
    #[error("before COMMIT: {0}")]
    BeforeCommit(Arc<rusqlite::Error>),
    #[error("in COMMIT: {0}")]
    InCommit(Arc<rusqlite::Error>),
    #[error("the writing thread panicked")]
    Panicked,
}

impl GroupError {
    fn to_store_error(&self) -> StoreError {
        match self {
            // Also from COMMIT this means not done: SQLite says it when a write failed, and what makes the transaction
            // count is written last.
            Self::BeforeCommit(cause) | Self::InCommit(cause) if database::is_full(cause) => StoreError::Full,
            Self::BeforeCommit(_) => StoreError::Failed(Box::new(self.clone())),
            Self::InCommit(_) | Self::Panicked => StoreError::Unknown(Box::new(self.clone())),
        }
    }
}

impl From<rusqlite::Error> for GroupError {
    fn from(error: rusqlite::Error) -> Self {
        Self::BeforeCommit(Arc::new(error))
    }
}

struct Thread {
    connection: Connection,
    queue: mpsc::Receiver<Box<dyn Job>>,
    spool: Arc<Spool>,
    bells: Bells,
    health: Arc<Health>,
}

impl Thread {
    fn run(mut self) {
        while let Some(first) = self.queue.blocking_recv() {
            match self.health.check() {
                Ok(()) => self.write_group(first),
                Err(error) => first.answer(Err(error)),
            }
        }
    }

    fn write_group(&mut self, first: Box<dyn Job>) {
        let mut jobs = vec![first];
        // A panic rolls back like an error. The connection is whole, and nothing is written with it any more.
        let commit = AssertUnwindSafe(|| self.commit_group(&mut jobs));
        match panic::catch_unwind(commit).unwrap_or(Err(GroupError::Panicked)) {
            Ok(after) => {
                self.bells.ring(after.arrived);
                jobs.into_iter().for_each(|job| job.answer(Ok(())));
                after.unlinked.into_iter().for_each(|file| self.spool.unlink(file));
                if let Err(error) = database::checkpoint_if_due(&self.connection) {
                    self.health.poison(&error);
                }
            }
            Err(error) => {
                self.health.poison(&error);
                jobs.into_iter().for_each(|job| job.answer(Err(error.to_store_error())));
            }
        }
    }

    /// Does the first job and all that are queued, those too that come meanwhile, in one transaction.
    fn commit_group(&mut self, jobs: &mut Vec<Box<dyn Job>>) -> Result<AfterCommit, GroupError> {
        let transaction = Transaction::new(&mut self.connection, TransactionBehavior::Immediate)?;
        let mut group = Group { transaction, after: AfterCommit::default() };
        let mut octets = 0;
        while let Some(job) = jobs.last_mut() {
            job.run(&mut group)?;
            octets += job.octets();
            if jobs.len() >= GROUP_JOBS_MAX || octets >= GROUP_OCTETS_MAX {
                break;
            }
            match self.queue.try_recv() {
                Ok(job) => jobs.push(job),
                Err(_) => break,
            }
        }
        let Group { transaction, after } = group;
        transaction.commit().map_err(|error| GroupError::InCommit(Arc::new(error)))?;
        Ok(after)
    }
}

/// Some caller's work and where its answer goes.
trait Job: Send {
    /// Octets of message bodies it has in memory.
    fn octets(&self) -> usize;
    fn run(&mut self, group: &mut Group<'_>) -> rusqlite::Result<()>;
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

struct Task<T, W> {
    octets: usize,
    work: Option<W>,
    value: Option<T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, W> Job for Task<T, W>
where
    T: Send,
    W: FnOnce(&mut Group<'_>) -> rusqlite::Result<T> + Send,
{
    fn octets(&self) -> usize {
        self.octets
    }

    fn run(&mut self, group: &mut Group<'_>) -> rusqlite::Result<()> {
        if let Some(work) = self.work.take() {
            self.value = Some(work(group)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { value, reply, .. } = *self;
        let answer = match (outcome, value) {
            (Err(error), _) => Err(error),
            (Ok(()), Some(value)) => Ok(value),
            (Ok(()), None) => return, // never: a group is not committed before all its jobs have run
        };
        // The caller may have gone away; its work is done all the same.
        drop(reply.send(answer));
    }
}

struct JoinOnDrop(Option<JoinHandle<()>>);

impl Drop for JoinOnDrop {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take()
            && thread.join().is_err()
        {
            tracing::error!("the store's writing thread has panicked");
        }
    }
}
