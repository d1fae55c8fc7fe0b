//! A copy of a store, made while it is in use: whole under its name, or not there at all.

use std::fs::{self, DirBuilder};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::check::{CheckError, Report, Watch};
use super::copy::{self, Copy, CopyError};
use super::folder::{self, DATABASE, Vacancy};
use super::{OpenError, database};
use crate::{BackUpError, BackedUp, StoreError};

/// What a backup's name has behind it while it is made.
const UNFINISHED: &str = ".incomplete";

impl BackUpError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + use<'_> {
        |error| Self::Io { path: path.to_owned(), error }
    }

    fn failed(error: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::Store(StoreError::Failed(Box::new(error)))
    }
}

impl From<CopyError> for BackUpError {
    fn from(error: CopyError) -> Self {
        match error {
            CopyError::Io { path, error } => Self::Io { path, error },
            CopyError::Database(error) => Self::failed(error),
            CopyError::Stopped => Self::Stopped,
        }
    }
}

impl From<CheckError> for BackUpError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Stopped => Self::Stopped,
            CheckError::Open(OpenError::Io { path, error }) => Self::Io { path, error },
            other => Self::failed(other),
        }
    }
}

/// Copies the whole store in a folder, as it is at one moment after this call, into a folder that is not there yet, or empty.
///
/// Nobody may delete a file of it meanwhile: its [`Store::hold`](crate::Store::hold) sees to that, in this process or another
/// one. The copy is there under its name when it is whole, on stable storage and has been checked, or not at all. `watch` hears
/// how far it has come, and may stop it. Blocks.
pub fn back_up(from: &Path, to: &Path, watch: Watch<'_>) -> Result<BackedUp, BackUpError> {
    let mut unfinished = Unfinished::new(to)?;
    let tables = database::open_reader(&from.join(DATABASE)).map_err(BackUpError::failed)?;
    let mut copy = Copy::new(from, &unfinished.path, watch);
    let copied = copy.tables(&tables)?;
    drop(tables);
    let made = copy.files(copied)?;
    let Report { accounts, messages, octets, findings, .. } = copy::check(&unfinished.path, made, watch)?;
    unfinished.finish()?;
    Ok(BackedUp { accounts, messages, octets, problems: findings.len() as u64 })
}

/// A folder beside the one that is wanted. Dropped, it is deleted with all that is in it.
struct Unfinished<'a> {
    path: PathBuf,
    to: &'a Path,
    parent: &'a Path,
    is_finished: bool,
}

impl<'a> Unfinished<'a> {
    fn new(to: &'a Path) -> Result<Self, BackUpError> {
        let taken = || BackUpError::Taken { folder: to.to_owned() };
        let (Some(parent), Some(name)) = (to.parent(), to.file_name()) else { return Err(taken()) };
        folder::create(parent).map_err(BackUpError::at(parent))?;
        match folder::vacancy(to).map_err(BackUpError::at(to))? {
            Vacancy::Free => {}
            Vacancy::Taken => return Err(taken()),
            Vacancy::EmptyFolder => {
                let device = |path| fs::metadata(path).map(|metadata| metadata.dev());
                if device(to).map_err(BackUpError::at(to))? != device(parent).map_err(BackUpError::at(parent))? {
                    return Err(BackUpError::MountPoint { folder: to.to_owned() });
                }
            }
        }
        let mut unfinished = name.to_owned();
        unfinished.push(UNFINISHED);
        let path = parent.join(unfinished);
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(BackUpError::Unfinished { folder: path }),
            Err(error) => Err(BackUpError::at(&path)(error)),
            Ok(()) => Ok(Self { path, to, parent, is_finished: false }),
        }
    }

    /// Gives it its name.
    fn finish(&mut self) -> Result<(), BackUpError> {
        fs::rename(&self.path, self.to).map_err(|error| match error.kind() {
            ErrorKind::DirectoryNotEmpty | ErrorKind::AlreadyExists | ErrorKind::NotADirectory => {
                BackUpError::Taken { folder: self.to.to_owned() }
            }
            _ => BackUpError::at(self.to)(error),
        })?;
        self.is_finished = true;
        folder::sync(self.parent).map_err(BackUpError::at(self.parent))
    }
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.is_finished
            && let Err(error) = fs::remove_dir_all(&self.path)
        {
            tracing::warn!(%error, path = %self.path.display(), "can't delete a backup that was not finished");
        }
    }
}
