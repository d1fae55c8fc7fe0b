//! Message bodies on their way in: in memory until they go to the journal, or through a file of the spool when big.

use std::sync::Arc;

use thiserror::Error;
use tokio::task;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::spool::{Room, Spool, SpoolFile};
use crate::{Body, StoreError};

/// The most octets of a body that always go to the journal; a longer one does as long as there is room for it in memory.
/// Also the most that a reader gives at once.
pub const CHUNK_OCTETS: usize = 64 << 10;
/// The most octets of a body that go to the journal, unless it is a report's; a longer one goes to a file.
pub const JOURNAL_OCTETS_MAX: usize = 256 << 10;

/// A message's bytes on their way in.
pub struct EmbeddedBody {
    spool: Arc<Spool>,
    octets: u64,
    /// Nothing after an error.
    content: Option<Content>,
}

#[derive(Default)]
struct Content {
    /// Where the beginning is, if there is much.
    file: Option<Spooled>,
    /// What follows.
    tail: Vec<u8>,
    /// For a tail of more than [`CHUNK_OCTETS`].
    room: Option<Room>,
}

/// A file and the digest of what is in it so far.
struct Spooled {
    file: SpoolFile,
    digest: Box<Xxh3>,
}

/// A body that is complete, ready for the journal.
pub(super) struct Stored {
    /// XXH3 of its bytes.
    pub(super) digest: u64,
    pub(super) place: StoredIn,
}

/// Where a body waits for its row.
pub(super) enum StoredIn {
    /// It goes to the journal.
    Memory(InMemory),
    /// Synced.
    File(SpoolFile),
}

/// Bytes, and the room that they take until they are written.
pub(super) struct InMemory {
    bytes: Vec<u8>,
    _room: Option<Room>,
}

impl StoredIn {
    /// The bytes, if they go to the journal.
    pub(super) fn in_memory(&self) -> Option<&[u8]> {
        match self {
            Self::Memory(memory) => Some(&memory.bytes),
            Self::File(_) => None,
        }
    }

    /// They are named.
    pub(super) fn keep(self) {
        match self {
            Self::Memory(..) => {}
            Self::File(file) => file.keep(),
        }
    }
}

impl Stored {
    /// A body that is in memory.
    pub(super) fn in_memory(bytes: Vec<u8>, room: Option<Room>) -> Self {
        Self { digest: xxh3_64(&bytes), place: StoredIn::Memory(InMemory { bytes, _room: room }) }
    }
}

#[derive(Debug, Error)]
#[error("the message's bytes could not be written earlier")]
struct BodyIncomplete;

impl EmbeddedBody {
    pub(super) fn new(spool: Arc<Spool>) -> Self {
        Self { spool, octets: 0, content: Some(Content::default()) }
    }

    /// Brings a big body to stable storage. A small one goes there with its group.
    pub(super) async fn finish(self) -> Result<Stored, StoreError> {
        let Content { file, tail, room } = self.content.ok_or_else(|| StoreError::Failed(Box::new(BodyIncomplete)))?;
        let Some(mut spooled) = file else {
            return Ok(Stored::in_memory(tail, room));
        };
        let sync = move || {
            spooled.write(&tail)?;
            spooled.file.sync()?;
            Ok(Stored { digest: spooled.digest.digest(), place: StoredIn::File(spooled.file) })
        };
        task::spawn_blocking(sync).await.unwrap_or_else(|error| Err(StoreError::Failed(Box::new(error))))
    }
}

impl Content {
    fn write(&mut self, piece: &[u8], spool: &Arc<Spool>) -> Result<(), StoreError> {
        let octets = self.tail.len() + piece.len();
        if octets > CHUNK_OCTETS && self.room.is_none() && self.file.is_none() {
            self.room = spool.room();
            if self.room.is_some() {
                self.tail.reserve_exact(JOURNAL_OCTETS_MAX - self.tail.len());
            }
        }
        let in_memory = if self.room.is_some() { JOURNAL_OCTETS_MAX } else { CHUNK_OCTETS };
        if octets > in_memory {
            let spooled = match &mut self.file {
                Some(spooled) => spooled,
                none => none.insert(Spooled { file: spool.create()?, digest: Box::default() }),
            };
            // Into the kernel's memory, which takes no longer than the copy: the disk is waited for elsewhere.
            spooled.write(&self.tail)?;
            self.tail.clear();
            self.tail.shrink_to(CHUNK_OCTETS);
            self.room = None;
        }
        self.tail.extend_from_slice(piece);
        Ok(())
    }
}

impl Spooled {
    fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.digest.update(bytes);
        self.file.write(bytes)
    }
}

impl Body for EmbeddedBody {
    async fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        let mut content = self.content.take().ok_or_else(|| StoreError::Failed(Box::new(BodyIncomplete)))?;
        chunk.chunks(CHUNK_OCTETS).try_for_each(|piece| content.write(piece, &self.spool))?;
        self.octets += chunk.len() as u64;
        self.content = Some(content);
        Ok(())
    }

    fn octets(&self) -> u64 {
        self.octets
    }
}
