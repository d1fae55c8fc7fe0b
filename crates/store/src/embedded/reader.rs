//! Message bodies on their way out, from wherever they are. None is handed over to its end unless its digest is right.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::body::CHUNK_OCTETS;
use crate::{Reader, StoreError};

/// A message's bytes on their way out. They can be read to their end whatever happens to the message meanwhile.
pub struct EmbeddedReader(Source);

enum Source {
    Memory(Bytes),
    File(Extent),
}

/// A part of a file that is still to be read.
struct Extent {
    file: Arc<File>,
    at: u64,
    octets: u64,
    check: Option<Check>,
}

/// What the bytes are compared with at their end.
struct Check {
    expected: u64,
    /// Of those that have been read. One chunk alone needs none.
    digest: Option<Box<Xxh3>>,
}

#[derive(Debug, Error)]
#[error("a message's file is not as long as the message")]
struct WrongLength;

#[derive(Debug, Error)]
#[error("a message's bytes are damaged")]
struct Damaged;

impl EmbeddedReader {
    pub(super) fn memory(body: Bytes) -> Self {
        Self(Source::Memory(body))
    }

    /// Fails if the file has not as many octets as the message.
    pub(super) fn file(file: File, octets: u64, digest: Option<u64>) -> Result<Self, StoreError> {
        if file.metadata().map_err(failed)?.len() == octets {
            Ok(Self::part(Arc::new(file), 0, octets, digest))
        } else {
            Err(failed(WrongLength))
        }
    }

    /// Octets from this place on.
    pub(super) fn part(file: Arc<File>, at: u64, octets: u64, digest: Option<u64>) -> Self {
        let check = digest.map(|expected| Check { expected, digest: None });
        Self(Source::File(Extent { file, at, octets, check }))
    }
}

impl Reader for EmbeddedReader {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        match &mut self.0 {
            Source::Memory(bytes) if bytes.is_empty() => Ok(None),
            Source::Memory(bytes) => Ok(Some(bytes.split_to(bytes.len().min(CHUNK_OCTETS)))),
            Source::File(extent) if extent.octets == 0 => Ok(None),
            Source::File(extent) => extent.next().map(Some),
        }
    }
}

impl Extent {
    fn next(&mut self) -> Result<Bytes, StoreError> {
        let room = usize::try_from(self.octets).map_or(CHUNK_OCTETS, |octets| octets.min(CHUNK_OCTETS));
        let mut chunk = vec![0; room];
        self.file.read_exact_at(&mut chunk, self.at).map_err(failed)?;
        self.at += room as u64;
        self.octets -= room as u64;
        let is_last = self.octets == 0;
        if self.check.as_mut().is_none_or(|check| check.agrees(&chunk, is_last)) {
            Ok(chunk.into())
        } else {
            Err(failed(Damaged))
        }
    }
}

impl Check {
    fn agrees(&mut self, chunk: &[u8], is_last: bool) -> bool {
        match &mut self.digest {
            None if is_last => xxh3_64(chunk) == self.expected,
            digest => {
                let digest = digest.get_or_insert_default();
                digest.update(chunk);
                !is_last || digest.digest() == self.expected
            }
        }
    }
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Failed(error.into())
}
