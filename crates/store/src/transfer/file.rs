//! A file of an export: records, each whole or not there.
//!
//! A record is the octets of its head (4), those of its bytes (8), both little-endian; the head, which is JSON; the bytes; and the
//! XXH3 of all that (8). The file has a digest too, which the manifest tells.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::task;
use xxhash_rust::xxh3::Xxh3;

use super::folder::{FolderError, UNFINISHED};
use super::record::Record;
use crate::embedded::{private_file, sync_folder};

/// The most octets of bytes that are in memory at once.
const CHUNK_OCTETS: usize = 64 << 10;
/// What is written or read at once.
const BUFFER_OCTETS: usize = 256 << 10;
/// A head is never longer: far more than a message with 100,000 places needs.
const HEAD_OCTETS_MAX: usize = 64 << 20;

/// A file that is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Whole {
    pub(super) name: String,
    pub(super) octets: u64,
    /// XXH3 of all of it, in hexadecimal.
    pub(super) digest: String,
}

/// How a digest is written.
pub(super) fn hexadecimal(digest: u64) -> String {
    format!("{digest:016x}")
}

/// A file that is being written, beside its name.
pub(super) struct Writer {
    folder: PathBuf,
    name: String,
    path: PathBuf,
    file: BufWriter<File>,
    octets: u64,
    digest: Box<Xxh3>,
    record: Box<Xxh3>,
}

impl Writer {
    /// Begins a file, and replaces what was left of an earlier attempt.
    pub(super) fn begin(folder: &Path, name: String) -> Result<Self, FolderError> {
        let path = folder.join(format!("{name}{UNFINISHED}"));
        let file = private_file().create(true).truncate(true).open(&path).map_err(FolderError::at(&path))?;
        let file = BufWriter::with_capacity(BUFFER_OCTETS, file);
        let folder = folder.to_owned();
        Ok(Self { folder, name, path, file, octets: 0, digest: Box::default(), record: Box::default() })
    }

    /// How many octets it has.
    pub(super) fn octets(&self) -> u64 {
        self.octets
    }

    /// Writes a record that has no bytes.
    pub(super) fn write(&mut self, record: &Record) -> Result<(), FolderError> {
        self.begin_record(record, 0)?;
        self.end_record()
    }

    /// Begins a record that has so many bytes.
    pub(super) fn begin_record(&mut self, record: &Record, bytes: u64) -> Result<(), FolderError> {
        self.record.reset();
        let head = serde_json::to_vec(record).map_err(|error| FolderError::at(&self.path)(error.into()))?;
        let length = u32::try_from(head.len()).ok().filter(|_| head.len() <= HEAD_OCTETS_MAX);
        let length = length.ok_or_else(|| FolderError::at(&self.path)(io::ErrorKind::FileTooLarge.into()))?;
        self.bytes(&length.to_le_bytes())?;
        self.bytes(&bytes.to_le_bytes())?;
        self.bytes(&head)
    }

    /// Adds bytes to it.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), FolderError> {
        self.record.update(bytes);
        self.digest.update(bytes);
        self.octets += bytes.len() as u64;
        self.file.write_all(bytes).map_err(FolderError::at(&self.path))
    }

    /// Ends it.
    pub(super) fn end_record(&mut self) -> Result<(), FolderError> {
        let digest = self.record.digest();
        self.bytes(&digest.to_le_bytes())
    }

    /// Brings the file to stable storage under its name.
    pub(super) async fn finish(mut self) -> Result<Whole, FolderError> {
        let finish = move || {
            let synced = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
            synced.and_then(|()| rename(&self.folder, &self.name)).map_err(FolderError::at(&self.path))?;
            Ok(Whole { name: self.name, octets: self.octets, digest: hexadecimal(self.digest.digest()) })
        };
        task::spawn_blocking(finish).await.unwrap_or_else(|error| Err(FolderError::Died(error.to_string())))
    }
}

/// Gives a file that is whole its name.
pub(super) fn rename(folder: &Path, name: &str) -> io::Result<()> {
    fs::rename(folder.join(format!("{name}{UNFINISHED}")), folder.join(name))?;
    sync_folder(folder)
}

/// A file that is read.
pub(super) struct Reader {
    path: PathBuf,
    file: BufReader<File>,
    /// What the manifest says of it.
    expected: String,
    octets_left: u64,
    /// Of these so many are bytes of the record.
    bytes_left: u64,
    in_record: bool,
    digest: Box<Xxh3>,
    record: Box<Xxh3>,
}

impl Reader {
    /// Opens a file of the folder.
    pub(super) fn open(folder: &Path, whole: &Whole) -> Result<Self, FolderError> {
        let path = folder.join(&whole.name);
        let file = File::open(&path).map_err(FolderError::at(&path))?;
        if file.metadata().map_err(FolderError::at(&path))?.len() != whole.octets {
            return Err(FolderError::Damaged { path });
        }
        Ok(Self {
            path,
            file: BufReader::with_capacity(BUFFER_OCTETS, file),
            expected: whole.digest.clone(),
            octets_left: whole.octets,
            bytes_left: 0,
            in_record: false,
            digest: Box::default(),
            record: Box::default(),
        })
    }

    /// The next record, and how many bytes follow: [`Reader::chunk`] gives them. What is left of the one before is passed over.
    /// `None` at the end, if all of the file was right.
    pub(super) fn next(&mut self) -> Result<Option<(Record, u64)>, FolderError> {
        while self.chunk()?.is_some() {}
        if self.octets_left == 0 {
            let is_right = hexadecimal(self.digest.digest()) == self.expected;
            return if is_right { Ok(None) } else { Err(self.damaged()) };
        }
        self.record.reset();
        let (mut head_octets, mut bytes) = ([0; 4], [0; 8]);
        self.read(&mut head_octets)?;
        self.read(&mut bytes)?;
        let (head_octets, bytes) = (u32::from_le_bytes(head_octets), u64::from_le_bytes(bytes));
        let head_octets = usize::try_from(head_octets).map_err(|_| self.damaged())?;
        let octets = bytes.checked_add(head_octets as u64).ok_or_else(|| self.damaged())?;
        if head_octets > HEAD_OCTETS_MAX || octets > self.octets_left {
            return Err(self.damaged());
        }
        let mut head = vec![0; head_octets];
        self.read(&mut head)?;
        let record = serde_json::from_slice(&head).map_err(|_| self.damaged())?;
        (self.bytes_left, self.in_record) = (bytes, true);
        if bytes == 0 {
            self.end_record()?;
        }
        Ok(Some((record, bytes)))
    }

    /// The next bytes of the record. `None` at their end, if all of the record was right.
    pub(super) fn chunk(&mut self) -> Result<Option<Bytes>, FolderError> {
        if !self.in_record {
            return Ok(None);
        }
        if self.bytes_left == 0 {
            return self.end_record().map(|()| None);
        }
        let octets = usize::try_from(self.bytes_left).map_or(CHUNK_OCTETS, |left| left.min(CHUNK_OCTETS));
        let mut chunk = vec![0; octets];
        self.read(&mut chunk)?;
        self.bytes_left -= octets as u64;
        Ok(Some(chunk.into()))
    }

    fn end_record(&mut self) -> Result<(), FolderError> {
        let (expected, mut digest) = (self.record.digest(), [0; 8]);
        self.read(&mut digest)?;
        self.in_record = false;
        if u64::from_le_bytes(digest) == expected { Ok(()) } else { Err(self.damaged()) }
    }

    fn read(&mut self, octets: &mut [u8]) -> Result<(), FolderError> {
        self.octets_left = self.octets_left.checked_sub(octets.len() as u64).ok_or_else(|| self.damaged())?;
        self.file.read_exact(octets).map_err(FolderError::at(&self.path))?;
        self.record.update(octets);
        self.digest.update(octets);
        Ok(())
    }

    /// What can't be understood.
    pub(super) fn damaged(&self) -> FolderError {
        FolderError::Damaged { path: self.path.clone() }
    }
}
