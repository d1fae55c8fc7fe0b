//! Message bodies on their way out, from wherever they are. None is handed over unless its digest is right.

use std::fs::File;
use std::os::unix::fs::FileExt;

use bytes::Bytes;
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

use super::body::CHUNK_OCTETS;
use super::journal::digest_of;
use crate::{Reader, StoreError};

/// A message's bytes on their way out. They can be read to their end whatever happens to the message meanwhile.
pub struct EmbeddedReader(Source);

enum Source {
    Memory(Bytes),
    /// A part of a file.
    File {
        file: File,
        at: u64,
        octets_left: u64,
    },
}

#[derive(Debug, Error)]
#[error("a message's file is not as long as the message")]
struct WrongLength;

#[derive(Debug, Error)]
#[error("a message's bytes are damaged")]
struct Damaged;

impl EmbeddedReader {
    /// Bytes that are in memory.
    pub(super) fn memory(body: Bytes) -> Self {
        Self(Source::Memory(body))
    }

    /// Octets of a file from this place on, no more than memory can take. Fails unless their digest is right.
    pub(super) fn part(file: &File, at: u64, octets: u64, digest: Option<u64>) -> Result<Self, StoreError> {
        let mut bytes = vec![0; usize::try_from(octets).map_err(failed)?];
        file.read_exact_at(&mut bytes, at).map_err(failed)?;
        if digest.is_some_and(|digest| xxh3_64(&bytes) != digest) {
            return Err(failed(Damaged));
        }
        Ok(Self::memory(bytes.into()))
    }

    /// A file. Fails if it has not as many octets as the message, or unless their digest is right. Reads all of it.
    pub(super) fn file(file: File, octets: u64, digest: Option<u64>) -> Result<Self, StoreError> {
        if file.metadata().map_err(failed)?.len() != octets {
            return Err(failed(WrongLength));
        }
        match digest {
            Some(digest) if digest_of(&file, 0, octets).map_err(failed)? != digest => Err(failed(Damaged)),
            _ => Ok(Self(Source::File { file, at: 0, octets_left: octets })),
        }
    }
}

impl Reader for EmbeddedReader {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        match &mut self.0 {
            Source::Memory(bytes) if bytes.is_empty() => Ok(None),
            Source::Memory(bytes) => Ok(Some(bytes.split_to(bytes.len().min(CHUNK_OCTETS)))),
            Source::File { octets_left: 0, .. } => Ok(None),
            Source::File { file, at, octets_left } => {
                let room = usize::try_from(*octets_left).map_or(CHUNK_OCTETS, |octets| octets.min(CHUNK_OCTETS));
                let mut chunk = vec![0; room];
                file.read_exact_at(&mut chunk, *at).map_err(failed)?;
                (*at, *octets_left) = (*at + room as u64, *octets_left - room as u64);
                Ok(Some(chunk.into()))
            }
        }
    }
}

fn failed(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Failed(error.into())
}
