//! The journal: where messages are written first, and where the bytes of most of them stay.
//!
//! It is a row of segments, files that are written from their beginning to their end and never changed after that. One
//! record (`record.rs`) with one sync makes a group of messages durable; the tables learn of them later, and after a crash by
//! reading the journal again from where they know it (`replay.rs`). A run of the program never continues a segment of
//! another one: behind the last whole record there may be anything.

mod record;
mod replay;
mod segments;

use std::fs::File;
use std::io::{self, ErrorKind, IoSlice};
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use rustix::io::pwritev;
use thiserror::Error;

pub(super) use record::{Kept, Moved, Table};
pub(super) use replay::{Record, Records, digest_of};
pub(super) use segments::Segments;

/// A segment is not begun anew for a record while it is shorter than this.
const SEGMENT_OCTETS: u64 = 64 << 20;
/// A short record goes where zeros are already: then its sync has no length of a file to bring to the disk as well.
const SHORT_OCTETS: u64 = 128 << 10;
/// So many zeros are written at once.
const ZEROS_OCTETS: usize = 1 << 20;

/// What names a segment. Grows, and is never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct SegmentNumber(pub(super) i64);

/// Where a message's bytes begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) segment: SegmentNumber,
    pub(super) at: u64,
}

/// Why a record was not written.
#[derive(Debug, Error)]
pub(super) enum AppendError {
    /// It is not in the journal, nor will it be found there.
    #[error("cannot write to the journal: {0}")]
    Write(#[source] io::Error),
    /// Nothing was written, and nothing is wrong: too many files are open just now.
    #[error("cannot begin a segment of the journal: {0}")]
    NotNow(#[source] io::Error),
    /// It may be in the journal.
    #[error("cannot sync the journal: {0}")]
    Sync(#[source] io::Error),
}

/// The journal's end.
pub(super) struct Journal {
    segments: Arc<Segments>,
    /// The next segment's number.
    next: SegmentNumber,
    /// The segment that is written to; none before the first record.
    current: Option<Current>,
    /// The record up to its bytes.
    head: Vec<u8>,
    zeros: Vec<u8>,
}

struct Current {
    number: SegmentNumber,
    file: File,
    /// Where the next record goes.
    end: u64,
    /// Up to here there are zeros.
    zeros_end: u64,
}

/// A record in the journal.
#[derive(Debug, Clone, Copy)]
pub(super) struct Appended {
    /// Where its bytes begin.
    pub(super) bytes: Place,
    /// Where it ends.
    pub(super) end: u64,
}

impl Journal {
    /// A journal that goes on with this segment.
    pub(super) fn new(segments: Arc<Segments>, next: SegmentNumber) -> Self {
        Self { segments, next, current: None, head: Vec::new(), zeros: vec![0; ZEROS_OCTETS] }
    }

    /// The segment that is written to, or will be next.
    pub(super) fn segment(&self) -> SegmentNumber {
        self.current.as_ref().map_or(self.next, |current| current.number)
    }

    /// Begins another segment with the next record.
    pub(super) fn end_segment(&mut self) -> Result<(), AppendError> {
        self.current.take().map_or(Ok(()), Current::finish).map_err(AppendError::Write)
    }

    /// Writes a record with the bytes of its messages, and brings it to stable storage. After an error, but for
    /// [`AppendError::NotNow`], there must be no other.
    pub(super) fn append(&mut self, table: &Table, bytes: &[&[u8]]) -> Result<Appended, AppendError> {
        let octets: u64 = bytes.iter().map(|bytes| bytes.len() as u64).sum();
        record::write(table, octets, &mut self.head).map_err(|error| AppendError::Write(io::Error::other(error)))?;
        let length = self.head.len() as u64 + octets;
        let current = match self.current.take() {
            Some(current) if current.end < SEGMENT_OCTETS => current,
            full => {
                full.map_or(Ok(()), Current::finish).map_err(AppendError::Write)?;
                let (number, file) = (self.next, self.segments.create(self.next)?);
                self.next = SegmentNumber(number.0 + 1);
                Current { number, file, end: 0, zeros_end: 0 }
            }
        };
        let current = self.current.insert(current);
        if length <= SHORT_OCTETS && current.end + length > current.zeros_end {
            current.zero(&self.zeros, length).map_err(AppendError::Write)?;
        }
        let slices: Vec<IoSlice<'_>> =
            std::iter::once(&self.head[..]).chain(bytes.iter().copied()).map(IoSlice::new).collect();
        write_all_at(&current.file, slices, current.end).map_err(AppendError::Write)?;
        current.file.sync_data().map_err(AppendError::Sync)?;
        let at = current.end + self.head.len() as u64;
        current.end += length;
        Ok(Appended { bytes: Place { segment: current.number, at }, end: current.end })
    }
}

impl Current {
    /// Puts zeros to where a record of this length goes, and beyond.
    fn zero(&mut self, zeros: &[u8], length: u64) -> io::Result<()> {
        let mut at = self.zeros_end.max(self.end);
        while at < self.end + length {
            self.file.write_all_at(zeros, at)?;
            at += zeros.len() as u64;
        }
        self.zeros_end = at;
        Ok(())
    }

    /// Cuts the zeros off. Whether that gets to the disk matters to nobody.
    fn finish(self) -> io::Result<()> {
        self.file.set_len(self.end)
    }
}

fn write_all_at(file: &File, mut slices: Vec<IoSlice<'_>>, mut at: u64) -> io::Result<()> {
    let mut slices = &mut slices[..];
    // So that empty ones at the beginning are passed over.
    IoSlice::advance_slices(&mut slices, 0);
    while !slices.is_empty() {
        match pwritev(file, slices, at) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => {
                at += written as u64;
                IoSlice::advance_slices(&mut slices, written);
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
