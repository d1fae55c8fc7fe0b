//! Bringing a backup back: a copy of it in a folder where there is no store. The backup stays as it is.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::check::{self, CheckError, Report, Watch};
use super::copy::{self, Copy, CopyError};
use super::folder::{self, DATABASE, LOCK, LOG, Lock, Vacancy};
use super::{OpenError, database, schema};

/// Why a backup was not brought back. Nothing is left of the attempt then, unless it was only the check that failed.
#[derive(Debug, Error)]
pub enum RestoreError {
    /// The folder is not free.
    #[error("{} is not empty: move it aside first, or name another data folder", folder.display())]
    Taken {
        /// Which one.
        folder: PathBuf,
    },
    /// There is no backup that can be used.
    #[error("cannot use {}: {error}", folder.display())]
    NoBackup {
        /// The folder that should be one.
        folder: PathBuf,
        /// Why it is none.
        #[source]
        error: CheckError,
    },
    /// It is a store whose journal has more than its tables know.
    #[error(
        "{} is no backup but a data folder whose server did not stop in order: start it again, or back it up",
        folder.display()
    )]
    NotClosed {
        /// The folder that should be a backup.
        folder: PathBuf,
    },
    /// Something can't be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// The tables can't be copied.
    #[error("{DATABASE}: {0}")]
    Database(#[source] rusqlite::Error),
    /// Whoever watched it has stopped it.
    #[error("the work was broken off")]
    Stopped,
    /// What was brought back can't be checked.
    #[error("all was copied, but it cannot be checked: {0}")]
    Check(#[source] CheckError),
}

impl RestoreError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + use<'_> {
        |error| Self::Io { path: path.to_owned(), error }
    }
}

impl From<CopyError> for RestoreError {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Io { path, error } => Self::Io { path, error },
            CopyError::Database(error) => Self::Database(error),
            CopyError::Stopped => Self::Stopped,
        }
    }
}

/// Copies a backup into a folder that is not there or empty, makes it durable, and checks it. The report is of the copy. Blocks.
pub fn restore(backup: &Path, dir: &Path, watch: Watch<'_>) -> Result<Report, RestoreError> {
    let no_backup = |error: CheckError| RestoreError::NoBackup { folder: backup.to_owned(), error };
    check::require(backup).map_err(no_backup)?;
    let _kept = Lock::take_if_there(&backup.join(LOCK)).map_err(|error| no_backup(error.into()))?;
    let from =
        database::open_unchanged(&backup.join(DATABASE), &backup.join(LOG)).map_err(|error| no_backup(error.into()))?;
    schema::check(&from).map_err(|error| no_backup(error.into()))?;

    let mut target = Target::new(dir)?;
    let mut copy = Copy::new(backup, dir, watch);
    let tables = copy.tables(&from)?;
    if check::has_tail(backup, &tables).map_err(no_backup)? {
        return Err(RestoreError::NotClosed { folder: backup.to_owned() });
    }
    let made = copy.files(tables)?;
    target.is_finished = true;
    copy::check(dir, made, watch).map_err(RestoreError::Check)
}

/// The folder that a store comes into. Nobody opens it meanwhile. Dropped too early, it is as it was.
struct Target<'a> {
    dir: &'a Path,
    was_there: bool,
    is_finished: bool,
    _lock: Lock,
}

impl<'a> Target<'a> {
    fn new(dir: &'a Path) -> Result<Self, RestoreError> {
        let taken = || RestoreError::Taken { folder: dir.to_owned() };
        let was_there = match folder::vacancy(dir).map_err(RestoreError::at(dir))? {
            Vacancy::Free => false,
            Vacancy::EmptyFolder => true,
            Vacancy::Taken => return Err(taken()),
        };
        folder::create(dir).map_err(RestoreError::at(dir))?;
        let lock = Lock::take(&dir.join(LOCK)).map_err(|error| match error {
            OpenError::Io { path, error } => RestoreError::Io { path, error },
            _ => taken(),
        })?;
        Ok(Self { dir, was_there, is_finished: false, _lock: lock })
    }

    fn clear(&self) -> io::Result<()> {
        if !self.was_there {
            return fs::remove_dir_all(self.dir);
        }
        for file in fs::read_dir(self.dir)? {
            let file = file?;
            if file.file_type()?.is_dir() {
                fs::remove_dir_all(file.path())?;
            } else {
                fs::remove_file(file.path())?;
            }
        }
        Ok(())
    }
}

impl Drop for Target<'_> {
    fn drop(&mut self) {
        if !self.is_finished
            && let Err(error) = self.clear()
        {
            tracing::warn!(%error, path = %self.dir.display(), "can't delete what was copied");
        }
    }
}
