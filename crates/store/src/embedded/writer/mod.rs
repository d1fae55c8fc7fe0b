//! The one thread that writes.
//!
//! It takes whatever is queued and does it with as few syncs as there can be: all deliveries with one of the journal, all
//! other changes with one of the tables' log. The more callers, the more share a sync, and a single one never waits for
//! others. Callers are answered when the sync has returned, not before. The first failure of a write or a sync is the last:
//! nobody knows what the disk then holds, so everything later is refused until the store is opened anew.

mod compaction;
mod group;
mod job;
mod pending;
mod thread;

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};

use thiserror::Error;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::health::Health;
use super::join::JoinOnDrop;
use super::messages::Delivery;
use crate::{Delivered, StoreError};

pub(super) use group::{Group, TOLD_OCTETS};
use job::{Call, Delivering, Job};
pub(super) use pending::Pending;
pub(super) use thread::Tools;

/// The most jobs that wait for the writer; callers beyond wait for room.
const QUEUE_JOBS_MAX: usize = 512;

/// Hands work to the writing thread. Dropped, it waits until all that was queued is done.
pub(super) struct Writer {
    queue: mpsc::Sender<Queued>,
    room: Arc<Semaphore>,
    health: Arc<Health>,
    is_behind: Arc<AtomicBool>,
    _thread: JoinOnDrop,
}

/// A job, and the room that it takes in the queue.
struct Queued {
    job: Job,
    _room: OwnedSemaphorePermit,
}

#[derive(Debug, Error)]
#[error("the writing thread has died")]
struct WriterGone;

impl Writer {
    /// Starts the thread.
    pub(super) fn start(tools: Tools) -> io::Result<Self> {
        let (queue, queued) = mpsc::channel();
        let health = Arc::clone(&tools.health);
        let is_behind = Arc::new(AtomicBool::new(false));
        let thread = thread::start(tools, queued, Arc::clone(&is_behind))?;
        let room = Arc::new(Semaphore::new(QUEUE_JOBS_MAX));
        Ok(Self { queue, room, health, is_behind, _thread: thread })
    }

    /// Writes a message and others with it. `Ok`, with what became of the first, when they are in the journal. Once queued they
    /// are written even if the caller goes away.
    pub(super) async fn deliver(&self, message: Delivery, others: Vec<Delivery>) -> Result<Delivered, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.queue(Job::Deliver(Box::new(Delivering { message, others, reply })), answer).await
    }

    /// Changes the tables. `Ok` when that is committed.
    ///
    /// An error that `work` returns undoes its whole group and poisons the store: what can be refused is refused as a
    /// value. Once queued the work is done even if the caller goes away.
    pub(super) async fn run<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&mut Group<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.queue(Job::Change(Box::new(Call::new(work, reply))), answer).await
    }

    /// Looks at the tables when they tell of everything that was acknowledged so far.
    pub(super) async fn look<T, W>(&self, work: W) -> Result<T, StoreError>
    where
        T: Send + 'static,
        W: FnOnce(&mut Group<'_>) -> rusqlite::Result<T> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        self.queue(Job::Look(Box::new(Call::new(work, reply))), answer).await
    }

    /// Waits until the tables tell of everything that was acknowledged so far; not, if the store takes no writes any more.
    pub(super) async fn catch_up(&self) {
        if self.is_behind.load(Ordering::Acquire)
            && let Err(error) = self.look(|_| Ok(())).await
        {
            tracing::debug!(%error, "the latest messages can't be seen before the store is opened anew");
        }
    }

    async fn queue<T>(&self, job: Job, answer: oneshot::Receiver<Result<T, StoreError>>) -> Result<T, StoreError> {
        self.health.check()?;
        let room = Arc::clone(&self.room).acquire_owned().await.map_err(|_| StoreError::Poisoned)?;
        self.queue.send(Queued { job, _room: room }).map_err(|_| StoreError::Poisoned)?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Unknown(Box::new(WriterGone))))
    }
}
