//! Message bodies on their way in and out: in memory while small, through a file of the spool when big.

use std::fs::File;
use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;
use tokio::task;

use super::spool::{Spool, SpoolFile};
use crate::{Body, Reader, StoreError};

/// The most octets of a body that are kept in the database; a bigger one goes to a file, unless it is a report's. Also
/// about what a body on its way in costs of memory, and the most that a reader gives at once.
pub const INLINE_OCTETS_MAX: usize = 64 << 10;

/// A message's bytes on their way in.
pub struct EmbeddedBody {
    spool: Arc<Spool>,
    octets: u64,
    /// Nothing after an error.
    content: Option<Content>,
}

struct Content {
    /// Where the beginning is, if there is much.
    file: Option<SpoolFile>,
    /// What follows.
    tail: Vec<u8>,
}

/// A body that is complete, ready for its row.
pub(super) enum Stored {
    Inline(Vec<u8>),
    /// Synced.
    File(SpoolFile),
}

#[derive(Debug, Error)]
#[error("the message's bytes could not be written earlier")]
struct BodyIncomplete;

impl EmbeddedBody {
    pub(super) fn new(spool: Arc<Spool>) -> Self {
        Self { spool, octets: 0, content: Some(Content { file: None, tail: Vec::new() }) }
    }

    /// Brings a big body to stable storage. A small one goes there with its row.
    pub(super) async fn finish(self) -> Result<Stored, StoreError> {
        let Content { file, tail } = self.content.ok_or_else(|| StoreError::Failed(Box::new(BodyIncomplete)))?;
        let Some(mut file) = file else {
            return Ok(Stored::Inline(tail));
        };
        let sync = move || {
            file.write(&tail)?;
            file.sync()?;
            Ok(Stored::File(file))
        };
        task::spawn_blocking(sync).await.unwrap_or_else(|error| Err(StoreError::Failed(Box::new(error))))
    }
}

impl Body for EmbeddedBody {
    async fn write(&mut self, chunk: &[u8]) -> Result<(), StoreError> {
        let mut content = self.content.take().ok_or_else(|| StoreError::Failed(Box::new(BodyIncomplete)))?;
        for piece in chunk.chunks(INLINE_OCTETS_MAX) {
            if content.tail.len() + piece.len() > INLINE_OCTETS_MAX {
                let file = match &mut content.file {
                    Some(file) => file,
                    none => none.insert(self.spool.create()?),
                };
                // Into the kernel's memory, which takes no longer than the copy: the disk is waited for elsewhere.
                file.write(&content.tail)?;
                content.tail.clear();
            }
            content.tail.extend_from_slice(piece);
        }
        self.octets += chunk.len() as u64;
        self.content = Some(content);
        Ok(())
    }

    fn octets(&self) -> u64 {
        self.octets
    }
}

/// A message's bytes on their way out. They can be read to their end whatever happens to the message meanwhile.
#[derive(Debug)]
pub struct EmbeddedReader(Source);

#[derive(Debug)]
enum Source {
    Inline(Bytes),
    File { file: File, octets_left: u64 },
}

#[derive(Debug, Error)]
#[error("a message's file is not as long as the message")]
struct WrongLength;

impl EmbeddedReader {
    pub(super) fn inline(body: Vec<u8>) -> Self {
        Self(Source::Inline(body.into()))
    }

    /// Fails if the file has not as many octets as the message.
    pub(super) fn file(file: File, octets: u64) -> Result<Self, StoreError> {
        let length = file.metadata().map_err(|error| StoreError::Failed(Box::new(error)))?.len();
        if length != octets {
            return Err(StoreError::Failed(Box::new(WrongLength)));
        }
        Ok(Self(Source::File { file, octets_left: octets }))
    }
}

impl Reader for EmbeddedReader {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        match &mut self.0 {
            Source::Inline(bytes) if bytes.is_empty() => Ok(None),
            Source::Inline(bytes) => Ok(Some(bytes.split_to(bytes.len().min(INLINE_OCTETS_MAX)))),
            Source::File { octets_left: 0, .. } => Ok(None),
            Source::File { file, octets_left } => {
                let room = usize::try_from(*octets_left).map_or(INLINE_OCTETS_MAX, |left| left.min(INLINE_OCTETS_MAX));
                let mut chunk = vec![0; room];
                let read = file.read(&mut chunk).map_err(|error| StoreError::Failed(Box::new(error)))?;
                if read == 0 {
                    return Err(StoreError::Failed(Box::new(WrongLength)));
                }
                chunk.truncate(read);
                *octets_left -= read as u64;
                Ok(Some(chunk.into()))
            }
        }
    }
}
