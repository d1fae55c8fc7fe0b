//! What is written to the journal at once: a group of messages, each with its envelope and, unless these are in a file, its
//! bytes.
//!
//! A record is its checksum (8 octets), what it is made of (8), the octets of its table (4) and of its bytes (8), all
//! little-endian; then the table, then the bytes of one message after the other. The checksum is over all of it up to the
//! bytes; these have a digest each in the table. So a record counts whole or not at all, with all its messages.

use serde::{Deserialize, Serialize};
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

/// The octets before the table.
pub(super) const HEADER_OCTETS: usize = 28;
/// A table is never longer: far more than 512 messages with 10,000 recipients among them need.
pub(super) const TABLE_OCTETS_MAX: usize = 64 << 20;

/// "mYjD": new messages.
const DELIVERED: u64 = 0x446a_596d;
/// "mYjM": bytes that were elsewhere in the journal.
const MOVED: u64 = 0x4d6a_596d;

/// A message as the journal tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::embedded) struct Kept {
    pub(in crate::embedded) message: i64,
    pub(in crate::embedded) reverse_path: String,
    pub(in crate::embedded) trace: String,
    pub(in crate::embedded) received_at: i64,
    pub(in crate::embedded) octets: u64,
    /// Of a binary message.
    pub(in crate::embedded) carried_octets: Option<i64>,
    /// XXH3 of its bytes.
    pub(in crate::embedded) digest: u64,
    /// The file that has its bytes; without one they are in the record.
    pub(in crate::embedded) file: Option<i64>,
    /// Each account once, all of them alive.
    pub(in crate::embedded) recipients: Vec<(i64, String)>,
}

/// A message whose bytes have moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::embedded) struct Moved {
    pub(in crate::embedded) message: i64,
    pub(in crate::embedded) octets: u64,
    pub(in crate::embedded) digest: u64,
}

/// What a record tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::embedded) enum Table {
    Delivered(Vec<Kept>),
    Moved(Vec<Moved>),
}

/// Where a record's parts are, as its header says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    checksum: u64,
    kind: u64,
    pub(super) table_octets: usize,
    pub(super) bytes_octets: u64,
}

/// A table that can't be written.
#[derive(Debug, Error)]
#[error("a group of messages has too many recipients: {0}")]
pub(in crate::embedded) struct TooLong(String);

/// Replaces what is in the buffer by the record up to its bytes, of which there are so many octets.
pub(super) fn write(table: &Table, bytes_octets: u64, buffer: &mut Vec<u8>) -> Result<(), TooLong> {
    buffer.clear();
    buffer.resize(HEADER_OCTETS, 0);
    let whole = std::mem::take(buffer);
    let (kind, written) = match table {
        Table::Delivered(kept) => (DELIVERED, postcard::to_extend(kept, whole)),
        Table::Moved(moved) => (MOVED, postcard::to_extend(moved, whole)),
    };
    *buffer = written.map_err(|error| TooLong(error.to_string()))?;
    let table_octets = buffer.len() - HEADER_OCTETS;
    if table_octets > TABLE_OCTETS_MAX {
        return Err(TooLong(format!("{table_octets} octets")));
    }
    let table_octets = u32::try_from(table_octets).map_err(|error| TooLong(error.to_string()))?;
    buffer[8..16].copy_from_slice(&kind.to_le_bytes());
    buffer[16..20].copy_from_slice(&table_octets.to_le_bytes());
    buffer[20..28].copy_from_slice(&bytes_octets.to_le_bytes());
    let checksum = xxh3_64(&buffer[8..]);
    buffer[..8].copy_from_slice(&checksum.to_le_bytes());
    Ok(())
}

impl Header {
    /// `None`: no record begins with that.
    pub(super) fn read(octets: &[u8; HEADER_OCTETS]) -> Option<Self> {
        let (checksum, rest) = octets.split_first_chunk()?;
        let (kind, rest) = rest.split_first_chunk()?;
        let (table_octets, rest) = rest.split_first_chunk()?;
        let (bytes_octets, _) = rest.split_first_chunk()?;
        let header = Self {
            checksum: u64::from_le_bytes(*checksum),
            kind: u64::from_le_bytes(*kind),
            table_octets: usize::try_from(u32::from_le_bytes(*table_octets)).ok()?,
            bytes_octets: u64::from_le_bytes(*bytes_octets),
        };
        let is_one = matches!(header.kind, DELIVERED | MOVED) && header.table_octets <= TABLE_OCTETS_MAX;
        is_one.then_some(header)
    }

    /// The table of the record that begins with these octets, header and table; `None` if they are damaged.
    pub(super) fn table(&self, octets: &[u8]) -> Option<Table> {
        if xxh3_64(octets.get(8..)?) != self.checksum {
            return None;
        }
        let table = octets.get(HEADER_OCTETS..)?;
        match self.kind {
            DELIVERED => postcard::from_bytes(table).ok().map(Table::Delivered),
            _ => postcard::from_bytes(table).ok().map(Table::Moved),
        }
    }
}

impl Table {
    /// The octets and the digest of each of its messages whose bytes are in the record, in their order.
    pub(super) fn bytes(&self) -> Vec<(u64, u64)> {
        match self {
            Self::Delivered(kept) => {
                kept.iter().filter(|kept| kept.file.is_none()).map(|kept| (kept.octets, kept.digest)).collect()
            }
            Self::Moved(moved) => moved.iter().map(|moved| (moved.octets, moved.digest)).collect(),
        }
    }
}
