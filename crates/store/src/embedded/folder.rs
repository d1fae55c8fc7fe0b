//! What is in a store's folder; folders that only we may look into, and that are still there after a power failure; and the
//! lock on the store's.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use super::OpenError;

pub(super) const LOCK: &str = "lock";
/// The file of the tables in the folder of a store.
pub const DATABASE: &str = "mail.db";
/// SQLite's write-ahead log.
pub(super) const LOG: &str = "mail.db-wal";
pub(super) const BODIES: &str = "bodies";
pub(super) const JOURNAL: &str = "journal";
/// What was left of messages that could not be read any more.
pub(super) const LOST: &str = "lost";
/// The server's own certificate and its key.
pub(super) const TLS: &str = "tls";

const FOLDER_MODE: u32 = 0o700;
const FILE_MODE: u32 = 0o600;

/// Makes a folder and those above it, unless they are there: for us alone, and durably.
pub fn create(folder: &Path) -> io::Result<()> {
    match create_one(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            create(folder.parent().ok_or(error)?)?;
            create_one(folder)
        }
        done => done,
    }
}

fn create_one(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(FOLDER_MODE).create(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync(folder.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))),
    }
}

/// What is in the place of a folder that is to be made.
pub(super) enum Vacancy {
    Free,
    EmptyFolder,
    Taken,
}

/// Looks what is there.
pub(super) fn vacancy(path: &Path) -> io::Result<Vacancy> {
    match fs::read_dir(path) {
        Ok(mut there) => Ok(if there.next().is_none() { Vacancy::EmptyFolder } else { Vacancy::Taken }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vacancy::Free),
        Err(error) if error.kind() == ErrorKind::NotADirectory => Ok(Vacancy::Taken),
        Err(error) => Err(error),
    }
}

/// Makes the names in a folder durable.
pub(crate) fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// How files of ours are opened for writing.
pub(crate) fn private_file() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).mode(FILE_MODE);
    options
}

/// Keeps every other process, and every other opening in this one, out of a store.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of a data folder whose store is elsewhere.
    pub fn of(folder: &Path) -> Result<Self, OpenError> {
        Self::take(&folder.join(LOCK))
    }

    /// Takes the lock, which the kernel lets go of when the process ends, however it ends.
    pub(super) fn take(path: &Path) -> Result<Self, OpenError> {
        let file = private_file().create(true).truncate(false).open(path).map_err(|e| OpenError::io(path, e))?;
        Self::on(file, path)
    }

    /// Takes the lock as [`Lock::take`] does, but makes no file for it: without one nobody has the store open.
    pub(super) fn take_if_there(path: &Path) -> Result<Option<Self>, OpenError> {
        match File::open(path) {
            Ok(file) => Self::on(file, path).map(Some),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(OpenError::io(path, error)),
        }
    }

    fn on(file: File, path: &Path) -> Result<Self, OpenError> {
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse),
            Err(TryLockError::Error(error)) => Err(OpenError::io(path, error)),
        }
    }
}
