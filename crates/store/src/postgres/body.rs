//! Message bodies on their way in: in memory while short, in chunks that go to the database one by one when long.

use std::sync::Arc;

use thiserror::Error;
use tokio::sync::OwnedSemaphorePermit;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::transaction::{Transactions, random};
use crate::{Body, StoreError};

/// The most octets of a body in one row; a longer one is in several.
pub const CHUNK_OCTETS_MAX: usize = 256 << 10;
/// So many octets of a body are always kept in memory; more, up to a chunk's, as long as there is room.
const SHORT_OCTETS: usize = 64 << 10;
/// The most bodies that may have more in memory at one time.
pub(super) const LONG_BODIES_MAX: usize = 256;

/// What has not been delivered after this time is no message any more.
const NEW_SPOOL: &str =
    "INSERT INTO spool (id, kept_until) VALUES ($1, now() + INTERVAL '1 day') ON CONFLICT DO NOTHING";
/// As long as the spool is there. Twice if its answer was lost.
const NEW_CHUNK: &str = "INSERT INTO chunk (spool, number, digest, octets)
    SELECT id, $2, $3, $4 FROM (SELECT id FROM spool WHERE id = $1 FOR KEY SHARE) AS there
    ON CONFLICT (spool, number) DO UPDATE SET digest = excluded.digest, octets = excluded.octets RETURNING number";
const NO_SPOOL: &str = "UPDATE spool SET kept_until = now() WHERE id = $1";

#[derive(Debug, Error)]
#[error("a part of the message could not be kept")]
struct Incomplete;

/// A message's bytes on their way in.
pub struct PostgresBody {
    transactions: Arc<Transactions>,
    octets: u64,
    digest: Box<Xxh3>,
    /// Where the beginning is, if there is much.
    spool: Option<Spool>,
    /// What follows.
    tail: Vec<u8>,
    /// For a tail of more than [`SHORT_OCTETS`].
    room: Option<OwnedSemaphorePermit>,
    has_failed: bool,
}

/// Chunks in the database, of which no message knows yet.
struct Spool {
    id: i64,
    chunks: i64,
    transactions: Arc<Transactions>,
    is_delivered: bool,
}

/// A body that is complete.
pub(super) struct Finished {
    pub(super) octets: u64,
    pub(super) digest: u64,
    pub(super) content: Stored,
}

/// Where a complete body is.
pub(super) enum Stored {
    Inline(InMemory),
    Spooled(Spooled),
}

/// Bytes, and the room that they take until they are delivered.
pub(super) struct InMemory {
    pub(super) bytes: Vec<u8>,
    _room: Option<OwnedSemaphorePermit>,
}

/// Chunks that are to become a message.
pub(super) struct Spooled(Spool);

impl Spooled {
    pub(super) fn id(&self) -> i64 {
        self.0.id
    }

    pub(super) fn chunks(&self) -> i64 {
        self.0.chunks
    }

    /// They belong to a message from now on.
    pub(super) fn delivered(&mut self) {
        self.0.is_delivered = true;
    }
}

impl PostgresBody {
    pub(super) fn new(transactions: Arc<Transactions>) -> Self {
        Self {
            transactions,
            octets: 0,
            digest: Box::default(),
            spool: None,
            tail: Vec::new(),
            room: None,
            has_failed: false,
        }
    }

    /// Nothing comes any more.
    pub(super) async fn finish(mut self) -> Result<Finished, StoreError> {
        if self.has_failed {
            return Err(StoreError::Failed(Box::new(Incomplete)));
        }
        if self.spool.is_some() && !self.tail.is_empty() {
            self.spool_tail().await?;
        }
        let content = match self.spool {
            Some(spool) => Stored::Spooled(Spooled(spool)),
            None => Stored::Inline(InMemory { bytes: self.tail, _room: self.room }),
        };
        Ok(Finished { octets: self.octets, digest: self.digest.digest(), content })
    }

    async fn spool_tail(&mut self) -> Result<(), StoreError> {
        let tail = std::mem::take(&mut self.tail);
        let spool = match &mut self.spool {
            Some(spool) => spool,
            none => none.insert(Spool::new(&self.transactions).await?),
        };
        spool.add(&tail).await
    }

    async fn add(&mut self, mut bytes: &[u8]) -> Result<(), StoreError> {
        while !bytes.is_empty() {
            if self.tail.len() == SHORT_OCTETS && self.room.is_none() {
                self.room = Arc::clone(&self.transactions.room).try_acquire_owned().ok();
            }
            let most = if self.room.is_some() { CHUNK_OCTETS_MAX } else { SHORT_OCTETS };
            if self.tail.len() >= most {
                self.spool_tail().await?;
            }
            let (now, later) = bytes.split_at(bytes.len().min(most - self.tail.len()));
            self.tail.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }
}

impl Body for PostgresBody {
    async fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.digest.update(bytes);
        self.octets += bytes.len() as u64;
        let added = self.add(bytes).await;
        self.has_failed |= added.is_err();
        added
    }

    fn octets(&self) -> u64 {
        self.octets
    }
}

impl Spool {
    async fn new(transactions: &Arc<Transactions>) -> Result<Self, StoreError> {
        // No number of the database's, which it may give again when it has lost its latest moments: this is not waited for.
        let id = random();
        transactions.note(NEW_SPOOL, &[&id]).await?;
        Ok(Self { id, chunks: 0, transactions: Arc::clone(transactions), is_delivered: false })
    }

    async fn add(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        let digest = xxh3_64(chunk).cast_signed();
        let kept = self.transactions.note(NEW_CHUNK, &[&self.id, &self.chunks, &digest, &chunk]).await?;
        self.chunks += 1;
        if kept.is_empty() { Err(StoreError::TryAgain(Box::new(Incomplete))) } else { Ok(()) }
    }
}

impl Drop for Spool {
    /// What no message has is swept; at once, if the database can be told of it.
    fn drop(&mut self) {
        if self.is_delivered {
            return;
        }
        let (id, transactions) = (self.id, Arc::clone(&self.transactions));
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if let Err(error) = transactions.note(NO_SPOOL, &[&id]).await {
                    tracing::debug!(%error, "a body that nobody wants is swept later");
                }
            });
        }
    }
}
