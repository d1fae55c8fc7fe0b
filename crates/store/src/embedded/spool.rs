//! The files of message bodies that are too big for the journal.
//!
//! A body's file is written and synced before the record that names it. So a crash may leave a file that nothing names, never
//! a name without its file; such files are deleted after the store has been opened (`sweeper.rs`).

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rustix::io::Errno;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::deletions::Deletions;
use super::folder::{self, Lock};
use super::health::Health;
use crate::StoreError;

/// Lets a body have more than a chunk in memory.
pub(super) type Room = OwnedSemaphorePermit;

/// What the file of a body is called. Used again only after both file and row are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct FileNumber(pub(super) i64);

/// How many bodies may have more than a chunk in memory at once, to save them a file.
const ROOMS: usize = 256;

/// The folder of bodies.
pub(super) struct Spool {
    path: PathBuf,
    folder: File,
    /// The first file of this run.
    first: FileNumber,
    next: AtomicI64,
    rooms: Arc<Semaphore>,
    health: Arc<Health>,
    deletions: Arc<Deletions>,
    /// Whoever may touch a file keeps the store locked.
    _lock: Lock,
}

impl Spool {
    /// Opens the folder. New bodies get numbers above all that are there.
    pub(super) fn open(path: PathBuf, lock: Lock, health: Arc<Health>, deletions: Arc<Deletions>) -> io::Result<Self> {
        let last = numbers(&path)?.try_fold(0, |last, number| number.map(|FileNumber(number)| last.max(number)))?;
        let (folder, rooms) = (File::open(&path)?, Arc::new(Semaphore::new(ROOMS)));
        Ok(Self {
            path,
            folder,
            first: FileNumber(last + 1),
            next: AtomicI64::new(last + 1),
            rooms,
            health,
            deletions,
            _lock: lock,
        })
    }

    /// Room for a body of up to [`JOURNAL_OCTETS_MAX`](super::JOURNAL_OCTETS_MAX) in memory, if there is some.
    pub(super) fn room(&self) -> Option<Room> {
        Arc::clone(&self.rooms).try_acquire_owned().ok()
    }

    /// Makes a file for a body. Dropped, it is deleted.
    pub(super) fn create(self: &Arc<Self>) -> Result<SpoolFile, StoreError> {
        self.health.check()?;
        let number = FileNumber(self.next.fetch_add(1, Ordering::Relaxed));
        let file = folder::private_file().create_new(true).open(self.path_of(number)).map_err(write_error)?;
        Ok(SpoolFile { file, number, spool: Arc::clone(self), is_kept: false })
    }

    /// Opens a body for reading; `None` if its file is gone.
    pub(super) fn read(&self, number: FileNumber) -> Result<Option<File>, StoreError> {
        match File::open(self.path_of(number)) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(read_error(error)),
        }
    }

    /// Deletes a file whose row is gone. A file that stays is deleted when the store is next opened.
    pub(super) fn unlink(&self, number: FileNumber) {
        self.deletions.delete(self.path_of(number));
    }

    /// The bodies that were there when the folder was opened, and perhaps are still.
    pub(super) fn earlier(&self) -> io::Result<impl Iterator<Item = io::Result<FileNumber>>> {
        let first = self.first;
        Ok(numbers(&self.path)?.filter(move |number| number.as_ref().map_or(true, |number| *number < first)))
    }

    /// Makes the deletion of files durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.folder.sync_all()
    }

    fn path_of(&self, number: FileNumber) -> PathBuf {
        self.path.join(number.0.to_string())
    }
}

/// A body's file that no row names yet.
pub(super) struct SpoolFile {
    file: File,
    number: FileNumber,
    spool: Arc<Spool>,
    is_kept: bool,
}

impl SpoolFile {
    /// Adds bytes.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(bytes).map_err(write_error)
    }

    /// Brings the bytes and the name to stable storage. A failure poisons the store.
    pub(super) fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_all().and_then(|()| self.spool.folder.sync_all()).map_err(|error| {
            self.spool.health.poison(&error);
            StoreError::Failed(Box::new(error))
        })
    }

    pub(super) fn number(&self) -> FileNumber {
        self.number
    }

    /// Leaves the file to the row that will name it. If that row is never committed, the file is deleted when the store is
    /// next opened.
    pub(super) fn keep(mut self) {
        self.is_kept = true;
    }
}

impl Drop for SpoolFile {
    fn drop(&mut self) {
        if !self.is_kept {
            self.spool.unlink(self.number);
        }
    }
}

/// The names in the folder that are numbers.
fn numbers(path: &Path) -> io::Result<impl Iterator<Item = io::Result<FileNumber>>> {
    let number = |file: fs::DirEntry| file.file_name().to_str().and_then(|name| name.parse().ok()).map(FileNumber);
    Ok(fs::read_dir(path)?.filter_map(move |file| file.map(number).transpose()))
}

fn write_error(error: io::Error) -> StoreError {
    match error {
        _ if is_full(&error) => StoreError::Full,
        _ if is_shortage(&error) => StoreError::TryAgain(Box::new(error)),
        _ => StoreError::Failed(Box::new(error)),
    }
}

/// What it means to its caller that a file can't be opened.
pub(super) fn read_error(error: io::Error) -> StoreError {
    if is_shortage(&error) { StoreError::TryAgain(Box::new(error)) } else { StoreError::Failed(Box::new(error)) }
}

/// There is no room.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

/// Too many files are open just now.
pub(super) fn is_shortage(error: &io::Error) -> bool {
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;

    use tempfile::TempDir;

    use super::*;
    use crate::embedded::Embedded;

    #[test]
    fn a_sync_that_fails_poisons() {
        let dir = TempDir::new().unwrap();
        let store = Embedded::open(dir.path()).unwrap();
        let mut file = store.spool.create().unwrap();
        file.write(b"hello").unwrap();
        file.sync().unwrap();

        // A pipe takes writes but no sync.
        let (_reader, writer) = io::pipe().unwrap();
        file.file = File::from(OwnedFd::from(writer));
        file.write(b"hello").unwrap();
        assert!(matches!(file.sync(), Err(StoreError::Failed(_))));
        assert!(matches!(store.spool.create(), Err(StoreError::Poisoned)));
    }
}
