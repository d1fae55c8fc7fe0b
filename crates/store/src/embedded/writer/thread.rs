//! The writing thread: what it does in which order.

use std::collections::HashSet;
use std::io;
use std::mem;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use rusqlite::{Connection, Transaction, TransactionBehavior};
use thiserror::Error;

use super::compaction::{Compaction, Progress};
use super::group::{AfterCommit, Group};
use super::job::{self, Delivering, Job, Work};
use super::{Pending, Queued};
use crate::arrivals::Bells;
use crate::embedded::body::StoredIn;
use crate::embedded::checkpoints::Checkpoints;
use crate::embedded::database::{self, Commit};
use crate::embedded::health::Health;
use crate::embedded::join::JoinOnDrop;
use crate::embedded::journal::{AppendError, Journal, Kept, SegmentNumber, Segments, Table};
use crate::embedded::mailboxes::Mailboxes;
use crate::embedded::messages::Delivery;
use crate::embedded::spool::{FileNumber, Spool, is_full, is_shortage};
use crate::embedded::{accounts, messages};
use crate::{AccountId, Delivered, MessageId, StoreError};

/// The most jobs that share a sync.
const GROUP_JOBS_MAX: usize = 512;
/// A group takes no more jobs once it has this many octets of message bodies.
const GROUP_OCTETS_MAX: usize = 8 << 20;
/// Or so many messages: a record is written at once, and that takes no more than 1,024 pieces. The last job may bring
/// [`PUT_BACK_MAX`](crate::PUT_BACK_MAX) more.
const GROUP_MESSAGES_MAX: usize = 900;
/// Or so many recipients.
const GROUP_RECIPIENTS_MAX: usize = 50_000;
/// When there is nothing to do for so long, the tables are told what is pending.
const QUIET: Duration = Duration::from_millis(5);

/// And now and then too when there always is.
const ROUNDS_WITHOUT_LEISURE_MAX: u32 = 32;

/// What the writer works with.
pub(in crate::embedded) struct Tools {
    pub(in crate::embedded) connection: Connection,
    pub(in crate::embedded) checkpoints: Checkpoints,
    pub(in crate::embedded) journal: Journal,
    pub(in crate::embedded) pending: Pending,
    pub(in crate::embedded) segments: Arc<Segments>,
    pub(in crate::embedded) spool: Arc<Spool>,
    pub(in crate::embedded) mailboxes: Arc<Mailboxes>,
    pub(in crate::embedded) bells: Bells,
    pub(in crate::embedded) health: Arc<Health>,
}

/// Why a group failed: one cause, told to each of its callers.
#[derive(Debug, Clone, Error)]
pub(super) enum GroupError {
    #[error("before COMMIT: {0}")]
    BeforeCommit(Arc<rusqlite::Error>),
    #[error("in COMMIT: {0}")]
    InCommit(Arc<rusqlite::Error>),
    #[error(transparent)]
    Journal(Arc<AppendError>),
    #[error("cannot read the journal: {0}")]
    Read(Arc<io::Error>),
}

impl GroupError {
    /// Whether nothing was done and nothing is wrong with the disk.
    fn is_passing(&self) -> bool {
        match self {
            Self::Journal(cause) => matches!(**cause, AppendError::NotNow(_)),
            Self::Read(cause) => is_shortage(cause),
            Self::BeforeCommit(_) | Self::InCommit(_) => false,
        }
    }

    fn to_store_error(&self) -> StoreError {
        match self {
            // Also from COMMIT this means not done: SQLite says it when a write failed, and what makes the transaction
            // count is written last.
            Self::BeforeCommit(cause) | Self::InCommit(cause) if database::is_full(cause) => StoreError::Full,
            Self::Journal(cause) => match &**cause {
                AppendError::Write(cause) if is_full(cause) => StoreError::Full,
                AppendError::NotNow(_) => StoreError::TryAgain(Box::new(self.clone())),
                AppendError::Write(_) => StoreError::Failed(Box::new(self.clone())),
                AppendError::Sync(_) => StoreError::Unknown(Box::new(self.clone())),
            },
            Self::BeforeCommit(_) | Self::Read(_) => StoreError::Failed(Box::new(self.clone())),
            Self::InCommit(_) => StoreError::Unknown(Box::new(self.clone())),
        }
    }
}

impl From<rusqlite::Error> for GroupError {
    fn from(error: rusqlite::Error) -> Self {
        Self::BeforeCommit(Arc::new(error))
    }
}

impl From<io::Error> for GroupError {
    fn from(error: io::Error) -> Self {
        Self::Read(Arc::new(error))
    }
}

impl From<AppendError> for GroupError {
    fn from(error: AppendError) -> Self {
        Self::Journal(Arc::new(error))
    }
}

/// Starts it. It runs until the queue is closed, and then leaves nothing pending.
pub(super) fn start(tools: Tools, queue: Receiver<Queued>, is_behind: Arc<AtomicBool>) -> io::Result<JoinOnDrop> {
    let mut compaction = Compaction::default();
    compaction.look_again();
    let thread = Thread { tools, queue, is_behind, has_dead_segments: true, compaction, rounds_without_leisure: 0 };
    let thread = std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || thread.run())?;
    Ok(JoinOnDrop::new(thread))
}

struct Thread {
    tools: Tools,
    queue: Receiver<Queued>,
    /// Whether something is pending.
    is_behind: Arc<AtomicBool>,
    /// Whether there may be segments that no message has its bytes in.
    has_dead_segments: bool,
    compaction: Compaction,
    rounds_without_leisure: u32,
}

/// Jobs that are done together.
#[derive(Default)]
struct Jobs {
    deliveries: Vec<Delivering>,
    changes: Vec<Box<dyn Work>>,
    looks: Vec<Box<dyn Work>>,
    octets: usize,
    messages: usize,
    recipients: usize,
}

impl Thread {
    fn run(mut self) {
        while let Some(first) = self.wait() {
            if self.tools.health.check().is_err() {
                Jobs::of(first).refuse();
                continue;
            }
            // After a panic nobody knows what is pending: the callers hear that their jobs were dropped.
            let round = AssertUnwindSafe(|| self.round(first));
            if panic::catch_unwind(round).is_err() {
                self.tools.health.poison(&Panicked);
            }
        }
        if self.tools.health.check().is_ok() {
            self.settle(Commit::Durable);
        }
    }

    /// The next job; `None` when there will be no more. What need not be done at once is done meanwhile.
    fn wait(&mut self) -> Option<Job> {
        while self.has_leisure_work() && self.tools.health.check().is_ok() {
            // While something moves there is no need to wait for quiet.
            let quiet = if self.tools.pending.is_empty() { Duration::ZERO } else { QUIET };
            match self.queue.recv_timeout(quiet) {
                Ok(queued) => return Some(queued.job),
                Err(RecvTimeoutError::Timeout) => self.use_leisure(),
                Err(RecvTimeoutError::Disconnected) => return None,
            }
        }
        self.queue.recv().ok().map(|queued| queued.job)
    }

    fn has_leisure_work(&self) -> bool {
        !self.tools.pending.is_empty() || self.compaction.is_due()
    }

    /// Tells the tables what is pending, or else makes a step of a compaction.
    fn use_leisure(&mut self) {
        if !self.tools.pending.is_empty() {
            return self.settle(Commit::Lazy);
        }
        let Tools { connection, journal, pending, segments, .. } = &mut self.tools;
        match self.compaction.step(connection, segments, journal, pending) {
            Ok(Progress::Some) => {}
            Ok(Progress::Emptied) => {
                self.has_dead_segments = true;
                self.settle(Commit::Durable);
            }
            Err(error) if error.is_passing() => self.compaction.put_off(),
            Err(error) => self.tools.health.poison(&error),
        }
    }

    fn round(&mut self, first: Job) {
        let mut jobs = Jobs::of(first);
        while !jobs.are_enough()
            && let Ok(queued) = self.queue.try_recv()
        {
            jobs.add(queued.job);
        }
        let Jobs { deliveries, changes, looks, .. } = jobs;
        if !deliveries.is_empty() {
            self.deliver(deliveries);
        }
        if !changes.is_empty() {
            self.change(changes);
        }
        if !looks.is_empty() {
            self.look(looks);
        }
        if self.tools.pending.is_much() {
            self.settle(Commit::Lazy);
        }
        self.rounds_without_leisure += 1;
        if self.compaction.is_due() && self.rounds_without_leisure >= ROUNDS_WITHOUT_LEISURE_MAX {
            self.rounds_without_leisure = 0;
            self.use_leisure();
        }
    }

    /// Writes messages to the journal.
    fn deliver(&mut self, deliveries: Vec<Delivering>) {
        let (mut replies, mut group) = (Vec::with_capacity(deliveries.len()), Record::default());
        let next_number = self.tools.pending.next_number();
        let written = deliveries.into_iter().try_for_each(|delivering| {
            let Delivering { message, others, reply } = delivering;
            replies.push((reply, self.address(message, &mut group)?));
            others.into_iter().try_for_each(|other| self.address(other, &mut group).map(drop))
        });
        match written.and_then(|()| self.append(group)) {
            Ok(()) => replies.into_iter().for_each(|(reply, delivered)| job::answer(reply, Ok(delivered))),
            Err(error) => {
                if error.is_passing() {
                    // Who puts messages back may try again with the same ones.
                    self.tools.pending.take_numbers_back(next_number);
                } else {
                    self.tools.health.poison(&error);
                }
                replies.into_iter().for_each(|(reply, _)| job::answer(reply, Err(error.to_store_error())));
            }
        }
    }

    /// Gives the message its number, and leaves those of its recipients that are there, each once. Without any it is not
    /// written; nor is one whose own number is not free.
    fn address(&mut self, delivery: Delivery, record: &mut Record) -> Result<Delivered, GroupError> {
        let Delivery { number, mut kept, bytes } = delivery;
        kept.message = match number {
            None => self.tools.pending.take_number(),
            Some(MessageId(number)) if self.tools.pending.take_this_number(number) => number,
            Some(message) => return Ok(Delivered { message, gone: Vec::new() }),
        };
        let (mut seen, mut gone) = (HashSet::new(), Vec::new());
        let is_only = kept.recipients.len() == 1;
        for (account, recipient) in mem::take(&mut kept.recipients) {
            if !is_only && !seen.insert(account) {
                continue;
            }
            let id = AccountId(account);
            if self.tools.mailboxes.knows(id) || accounts::is_alive(&self.tools.connection, id)? {
                kept.recipients.push((account, recipient));
            } else {
                gone.push(id);
            }
        }
        let delivered = Delivered { message: MessageId(kept.message), gone };
        if !kept.recipients.is_empty() {
            record.kept.push(kept);
            record.bytes.push(bytes);
        }
        Ok(delivered)
    }

    fn append(&mut self, record: Record) -> Result<(), GroupError> {
        let Tools { journal, pending, mailboxes, bells, .. } = &mut self.tools;
        let Record { kept, bytes } = record;
        if kept.is_empty() {
            return Ok(());
        }
        let arrived: Vec<(AccountId, u64)> = kept
            .iter()
            .flat_map(|kept| kept.recipients.iter().map(|(account, _)| (AccountId(*account), kept.octets)))
            .collect();
        let table = Table::Delivered(kept);
        let appended = journal.append(&table, &bytes.iter().filter_map(StoredIn::in_memory).collect::<Vec<_>>());
        // Also when it is not known whether they are named.
        if !matches!(appended, Err(AppendError::Write(_) | AppendError::NotNow(_))) {
            bytes.into_iter().for_each(StoredIn::keep);
        }
        let appended = appended?;
        self.is_behind.store(true, Ordering::Release);
        mailboxes.arrived(&arrived);
        bells.ring(arrived.iter().map(|(account, _)| *account));
        pending.add(table, appended);
        Ok(())
    }

    /// Changes the tables.
    fn change(&mut self, mut jobs: Vec<Box<dyn Work>>) {
        match self.commit(&mut jobs, Commit::Durable) {
            Ok(unneeded) => {
                jobs.into_iter().for_each(|job| job.answer(Ok(())));
                self.delete(unneeded);
            }
            Err(error) => {
                self.tools.health.poison(&error);
                jobs.into_iter().for_each(|job| job.answer(Err(error.to_store_error())));
            }
        }
    }

    /// Tells the tables what is pending.
    fn settle(&mut self, kind: Commit) {
        match self.commit(&mut [], kind) {
            Ok(unneeded) => self.delete(unneeded),
            Err(error) => self.tools.health.poison(&error),
        }
    }

    /// Looks at tables that know everything.
    fn look(&mut self, jobs: Vec<Box<dyn Work>>) {
        if !self.tools.pending.is_empty() {
            self.settle(Commit::Lazy);
        }
        for mut job in jobs {
            let outcome = self.tools.health.check().and_then(|()| {
                let mut group = Group::new(&self.tools.connection);
                job.run(&mut group).map_err(database::read_error)
            });
            job.answer(outcome);
        }
    }

    /// Does all jobs in one transaction with what is pending.
    fn commit(&mut self, jobs: &mut [Box<dyn Work>], kind: Commit) -> Result<Unneeded, GroupError> {
        let Tools { connection, journal, pending, mailboxes, .. } = &mut self.tools;
        kind.prepare(connection)?;
        let transaction = Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?;
        if !pending.is_empty() {
            pending.write(&transaction)?;
        }
        let mut group = Group::new(&transaction);
        jobs.iter_mut().try_for_each(|job| job.run(&mut group))?;
        let (AfterCommit { changed, unlinked: files }, has_freed) = group.finish()?;
        if has_freed {
            self.has_dead_segments = true;
            self.compaction.look_again();
        }
        let segments = match kind {
            Commit::Durable if mem::take(&mut self.has_dead_segments) => {
                messages::take_dead_segments(&transaction, journal.segment())?
            }
            _ => Vec::new(),
        };
        let changed = changed
            .into_iter()
            .map(|account| Ok((account, accounts::mailbox_of(&transaction, account)?)))
            .collect::<rusqlite::Result<Vec<_>>>()?;
        transaction.commit().map_err(|error| GroupError::InCommit(Arc::new(error)))?;

        pending.clear();
        self.is_behind.store(false, Ordering::Release);
        changed.into_iter().for_each(|(account, mailbox)| mailboxes.changed(account, mailbox));
        self.tools.checkpoints.step(&self.tools.connection)?;
        Ok(Unneeded { files, segments })
    }

    /// What is not deleted now is at the next start.
    fn delete(&self, unneeded: Unneeded) {
        let Unneeded { files, segments } = unneeded;
        files.into_iter().for_each(|file| self.tools.spool.unlink(file));
        segments.into_iter().for_each(|segment| self.tools.segments.delete(segment));
    }
}

/// Messages that go to the journal together, and their bytes.
#[derive(Default)]
struct Record {
    kept: Vec<Kept>,
    bytes: Vec<StoredIn>,
}

/// What has no use any more, on stable storage.
struct Unneeded {
    files: Vec<FileNumber>,
    segments: Vec<SegmentNumber>,
}

#[derive(Debug, Error)]
#[error("the writing thread panicked")]
struct Panicked;

impl Jobs {
    fn of(first: Job) -> Self {
        let mut jobs = Self::default();
        jobs.add(first);
        jobs
    }

    fn add(&mut self, job: Job) {
        match job {
            Job::Deliver(delivering) => {
                for part in delivering.parts() {
                    self.octets += part.bytes.in_memory().map_or(0, <[u8]>::len);
                    self.messages += 1;
                    self.recipients += part.kept.recipients.len();
                }
                self.deliveries.push(*delivering);
            }
            Job::Change(work) => self.changes.push(work),
            Job::Look(work) => self.looks.push(work),
        }
    }

    fn are_enough(&self) -> bool {
        self.deliveries.len() + self.changes.len() + self.looks.len() >= GROUP_JOBS_MAX
            || self.octets >= GROUP_OCTETS_MAX
            || self.messages >= GROUP_MESSAGES_MAX
            || self.recipients >= GROUP_RECIPIENTS_MAX
    }

    /// Answers that the store takes no writes.
    fn refuse(self) {
        self.deliveries.into_iter().for_each(|delivering| job::answer(delivering.reply, Err(StoreError::Poisoned)));
        self.changes.into_iter().chain(self.looks).for_each(|job| job.answer(Err(StoreError::Poisoned)));
    }
}
