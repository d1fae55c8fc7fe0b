//! The files that are kept for a user: for its owner's eyes only, changed under a lock, and always whole on disk.
//!
//! A change is written to a new file, synced, and renamed over the old one; then the folder is synced. So a reader needs no
//! lock, and a crash leaves the old list or the new one.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::{folder, user_folder};

/// How long another program may hold the lock before a change gives up.
pub const LOCK_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long to wait before trying the lock again.
const LOCK_RETRY: Duration = Duration::from_millis(10);

const FILE_MODE: u32 = 0o600;
const OTHERS_MODE: u32 = 0o077;

/// Why a file can't be read or changed. The messages say what to do about it.
#[derive(Debug, Error)]
pub enum FileError {
    /// The environment does not say where the user's files are.
    #[error("no home directory is known: set HOME or XDG_CONFIG_HOME")]
    NoHome,
    /// Others could read it: there may be passwords in it.
    #[error("{0} can be read by others; run: chmod 600 '{0}'", path.display())]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// The file is not as this program writes it.
    #[error("{}, line {line}: {message}; correct it, or move the file away to start anew", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where the mistake is, from 1.
        line: usize,
        /// What the mistake is.
        message: String,
    },
    /// The file is longer than one of its kind may be, or would be with the change.
    #[error("{} must have no more than {octets_max} octets; remove entries from it", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// How long it may be.
        octets_max: u64,
    },
    /// Another program keeps the file locked.
    #[error("{} is locked by another program for too long; try again when that has ended", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The system said no.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// With which file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// What such a file holds: nothing as long as there is no file.
pub(crate) trait Content: Clone + Default + PartialEq + Serialize + DeserializeOwned {
    /// How long the file may be.
    const OCTETS_MAX: u64;
}

/// `$XDG_CONFIG_HOME/mymail/NAME`, or under `~/.config` where that is not set.
pub(crate) fn config_path(name: &str) -> Result<PathBuf, FileError> {
    let folder = user_folder("XDG_CONFIG_HOME", ".config").ok_or(FileError::NoHome)?;
    Ok(folder.join(name))
}

/// Reads a file. One that is not there is empty.
pub(crate) fn load<C: Content>(path: &Path) -> Result<C, FileError> {
    let failed = failed("read", path);
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(C::default()),
        opened => opened.map_err(&failed)?,
    };
    if file.metadata().map_err(&failed)?.mode() & OTHERS_MODE != 0 {
        return Err(FileError::Exposed { path: path.to_owned() });
    }
    let mut text = String::new();
    file.take(C::OCTETS_MAX + 1).read_to_string(&mut text).map_err(&failed)?;
    fits::<C>(&text, path)?;
    toml::from_str(&text).map_err(|error| malformed(path, &text, &error))
}

/// Changes what a file holds, and nobody else does so meanwhile. Returns what `change` does, when it is safely on disk.
pub(crate) fn update<C: Content, T>(path: &Path, change: impl FnOnce(&mut C) -> T) -> Result<T, FileError> {
    let parent = folder::parent(path);
    folder::create(parent).map_err(failed("create", parent))?;
    let path = resolved(path)?;
    let _lock = lock(&path.with_extension("lock"))?;
    let before: C = load(&path)?;
    let mut content = before.clone();
    let result = change(&mut content);
    if content != before {
        save(&content, &path)?;
    }
    Ok(result)
}

fn fits<C: Content>(text: &str, path: &Path) -> Result<(), FileError> {
    if text.len() as u64 > C::OCTETS_MAX {
        return Err(FileError::TooLong { path: path.to_owned(), octets_max: C::OCTETS_MAX });
    }
    Ok(())
}

fn save<C: Content>(content: &C, path: &Path) -> Result<(), FileError> {
    let text = toml::to_string(content).map_err(io::Error::other).map_err(failed("write", path))?;
    fits::<C>(&text, path)?;
    let new = path.with_extension("new");
    write_private(&new, text.as_bytes()).map_err(failed("write", &new))?;
    fs::rename(&new, path).map_err(failed("replace", path))?;
    let parent = folder::parent(path);
    folder::sync(parent).map_err(failed("sync", parent))
}

/// Where the file itself is: a new one must not take the place of a symbolic link that leads to it.
fn resolved(path: &Path) -> Result<PathBuf, FileError> {
    match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => Ok(path.to_owned()),
        found => found.map_err(failed("find", path)),
    }
}

/// The lock lasts as long as the file is open. Its file stays: whoever removed it could lock out nobody any more.
fn lock(path: &Path) -> Result<File, FileError> {
    let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(FILE_MODE).open(path);
    let file = opened.map_err(failed("open", path))?;
    let deadline = Instant::now() + LOCK_WAIT_MAX;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(LOCK_RETRY),
            Err(TryLockError::WouldBlock) => return Err(FileError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(failed("lock", path)(error)),
        }
    }
}

fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    // What a crash left behind may have any mode.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(FILE_MODE).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

fn failed(action: &'static str, path: &Path) -> impl Fn(io::Error) -> FileError {
    move |source| FileError::Io { action, path: path.to_owned(), source }
}

/// Without the excerpt that toml's own message has: it may be a password.
fn malformed(path: &Path, text: &str, error: &toml::de::Error) -> FileError {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = 1 + before.matches('\n').count();
    FileError::Malformed { path: path.to_owned(), line, message: error.message().replace('\n', ", ") }
}
