//! Reading the journal again.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use xxhash_rust::xxh3::Xxh3;

use super::record::{HEADER_OCTETS, Header};
use super::{Place, SegmentNumber, Table};

/// How much of a message's bytes is read at once.
const CHUNK_OCTETS: usize = 256 << 10;

/// The records of a segment from some place on, up to the first that is not whole.
pub(in crate::embedded) struct Records<'a> {
    segment: SegmentNumber,
    file: &'a File,
    at: u64,
    length: u64,
}

/// A record that is whole.
#[derive(Debug)]
pub(in crate::embedded) struct Record {
    pub(in crate::embedded) table: Table,
    /// Where its bytes begin.
    pub(in crate::embedded) bytes: Place,
    /// Where it ends.
    pub(in crate::embedded) end: u64,
}

impl<'a> Records<'a> {
    pub(in crate::embedded) fn new(segment: SegmentNumber, file: &'a File, from: u64) -> io::Result<Self> {
        Ok(Self { segment, file, at: from, length: file.metadata()?.len() })
    }

    /// The next one; `None` at the end of what is whole.
    pub(in crate::embedded) fn next(&mut self) -> io::Result<Option<Record>> {
        let mut header = [0; HEADER_OCTETS];
        let Some(mut left) = self.length.checked_sub(self.at + HEADER_OCTETS as u64) else { return Ok(None) };
        self.file.read_exact_at(&mut header, self.at)?;
        let Some(header) = Header::read(&header) else { return Ok(None) };
        let octets = (header.table_octets as u64).saturating_add(header.bytes_octets);
        if octets > left {
            return Ok(None);
        }
        let mut head = vec![0; HEADER_OCTETS + header.table_octets];
        self.file.read_exact_at(&mut head, self.at)?;
        let Some(table) = header.table(&head) else { return Ok(None) };
        let at = self.at + head.len() as u64;
        left = header.bytes_octets;
        let mut place = at;
        for (octets, digest) in table.bytes() {
            if octets > left || digest_of(self.file, place, octets)? != digest {
                return Ok(None);
            }
            left -= octets;
            place += octets;
        }
        self.at = place + left;
        Ok(Some(Record { table, bytes: Place { segment: self.segment, at }, end: self.at }))
    }
}

/// The digest of so many octets of a file.
pub(in crate::embedded) fn digest_of(file: &File, mut at: u64, octets: u64) -> io::Result<u64> {
    let (mut digest, mut left) = (Xxh3::new(), octets);
    let mut chunk = vec![0; usize::try_from(octets).map_or(CHUNK_OCTETS, |octets| octets.min(CHUNK_OCTETS))];
    while left > 0 {
        let room = usize::try_from(left).map_or(chunk.len(), |left| left.min(chunk.len()));
        file.read_exact_at(&mut chunk[..room], at)?;
        digest.update(&chunk[..room]);
        (at, left) = (at + room as u64, left - room as u64);
    }
    Ok(digest.digest())
}
