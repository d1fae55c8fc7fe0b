//! Message bodies on their way out. No chunk is handed over unless its digest is right, and the last one not unless that of the whole is.

use std::sync::Arc;

use bytes::Bytes;
use thiserror::Error;
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use super::failure::Failure;
use super::messages::Content;
use super::rows::get;
use super::transaction::Transactions;
use crate::{Reader, StoreError};

/// The most octets that a reader gives at once.
const PIECE_OCTETS_MAX: usize = 64 << 10;

const CHUNK: &str = "SELECT digest, octets FROM chunk WHERE spool = $1 AND number = $2";

#[derive(Debug, Error)]
#[error("a message's bytes are damaged")]
struct Damaged;

#[derive(Debug, Error)]
#[error("a part of a message is missing")]
struct Missing;

/// A message's bytes on their way out. One in chunks can be read for an hour after it has gone.
pub struct PostgresReader {
    /// What comes next.
    bytes: Bytes,
    /// What comes then.
    spool: Option<Spool>,
}

struct Spool {
    transactions: Arc<Transactions>,
    id: i64,
    next: i64,
    octets_left: u64,
    /// Of what has come so far, and of the whole.
    digest: Box<Xxh3>,
    expected: u64,
}

impl PostgresReader {
    pub(super) fn new(transactions: &Arc<Transactions>, content: Content, octets: u64) -> Self {
        match content {
            Content::Inline(bytes) => Self { bytes, spool: None },
            Content::Spooled { id, digest: expected } => {
                let spool = Spool {
                    transactions: Arc::clone(transactions),
                    id,
                    next: 0,
                    octets_left: octets,
                    digest: Box::default(),
                    expected,
                };
                Self { bytes: Bytes::new(), spool: Some(spool) }
            }
        }
    }
}

impl Reader for PostgresReader {
    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        if self.bytes.is_empty()
            && let Some(spool) = &mut self.spool
            && spool.octets_left > 0
        {
            self.bytes = spool.next().await?;
        }
        if self.bytes.is_empty() {
            return Ok(None);
        }
        Ok(Some(self.bytes.split_to(self.bytes.len().min(PIECE_OCTETS_MAX))))
    }
}

impl Spool {
    async fn next(&mut self) -> Result<Bytes, StoreError> {
        let rows = self.transactions.read(CHUNK, &[&self.id, &self.next]).await?;
        let Some(row) = rows.first() else { return Err(StoreError::Failed(Box::new(Missing))) };
        let (digest, chunk): (i64, &[u8]) = (get(row, "digest")?, get(row, "octets")?);
        let left = self.octets_left.checked_sub(chunk.len() as u64).filter(|_| !chunk.is_empty());
        self.digest.update(chunk);
        let is_whole = left != Some(0) || self.digest.digest() == self.expected;
        match left {
            Some(left) if is_whole && xxh3_64(chunk) == digest.cast_unsigned() => {
                self.octets_left = left;
                self.next += 1;
                Ok(Bytes::copy_from_slice(chunk))
            }
            _ => Err(Failure::damaged(Damaged).into()),
        }
    }
}
