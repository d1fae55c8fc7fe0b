//! The files of message bodies that are too big for the database.
//!
//! A body's file is written and synced before the row that names it. So a crash may leave a file that no row names, never
//! a row without its file; such files are deleted when the store is opened.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rusqlite::Connection;
use rustix::io::Errno;

use super::folder::{self, Lock};
use super::health::Health;
use super::{OpenError, messages};
use crate::StoreError;

/// What the file of a body is called. Used again only after both file and row are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileNumber(pub(super) i64);

/// The folder of bodies.
pub(super) struct Spool {
    path: PathBuf,
    folder: File,
    next: AtomicI64,
    health: Arc<Health>,
    /// Whoever may touch a file keeps the store locked.
    _lock: Lock,
}

impl Spool {
    /// Opens the folder, and deletes the bodies in it that no row names.
    pub(super) fn open(
        path: PathBuf,
        lock: Lock,
        health: Arc<Health>,
        connection: &Connection,
    ) -> Result<Self, OpenError> {
        let last = sweep(&path, connection)?;
        let io_error = |error| OpenError::io(&path, error);
        let folder = File::open(&path).map_err(io_error)?;
        // Else a deleted file could come back after a power failure, under a number used again.
        folder.sync_all().map_err(io_error)?;
        Ok(Self { path, folder, next: AtomicI64::new(last + 1), health, _lock: lock })
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
            Err(error) if is_shortage(&error) => Err(StoreError::TryAgain(Box::new(error))),
            Err(error) => Err(StoreError::Failed(Box::new(error))),
        }
    }

    /// Deletes a file whose row is gone. A file that stays is deleted when the store is next opened.
    pub(super) fn unlink(&self, number: FileNumber) {
        let path = self.path_of(number);
        if let Err(error) = fs::remove_file(&path) {
            tracing::warn!(%error, path = %path.display(), "can't delete the body of a message that is gone");
        }
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

/// Deletes the files that no row names, and returns the greatest number of the others.
fn sweep(path: &Path, connection: &Connection) -> Result<i64, OpenError> {
    let io_error = |error| OpenError::io(path, error);
    let mut last = 0;
    for file in fs::read_dir(path).map_err(io_error)? {
        let file = file.map_err(io_error)?;
        let Some(number) = file.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if messages::names(connection, FileNumber(number))? {
            last = last.max(number);
        } else {
            fs::remove_file(file.path()).map_err(io_error)?;
        }
    }
    Ok(last)
}

fn write_error(error: io::Error) -> StoreError {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => StoreError::Full,
        _ if is_shortage(&error) => StoreError::TryAgain(Box::new(error)),
        _ => StoreError::Failed(Box::new(error)),
    }
}

/// Too many files are open just now.
fn is_shortage(error: &io::Error) -> bool {
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
