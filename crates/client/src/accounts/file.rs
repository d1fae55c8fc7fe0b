//! The accounts file: for its owner's eyes only, changed under a lock, and always whole on disk.
//!
//! A change is written to a new file, synced, and renamed over the old one; then the folder is synced. So a reader needs no
//! lock, and a crash leaves the old list or the new one.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use thiserror::Error;

use super::Accounts;
use crate::{folder, user_folder};

/// The most octets that an accounts file may have.
pub const ACCOUNTS_OCTETS_MAX: u64 = 1 << 20;
/// How long another program may hold the lock before a change gives up.
pub const LOCK_WAIT_MAX: Duration = Duration::from_secs(10);
/// How long to wait before trying the lock again.
const LOCK_RETRY: Duration = Duration::from_millis(10);

const FILE_MODE: u32 = 0o600;
const OTHERS_MODE: u32 = 0o077;

/// Why the accounts can't be read or changed. The messages say what to do about it.
#[derive(Debug, Error)]
pub enum AccountsError {
    /// The environment does not say where the user's files are.
    #[error("no home directory is known: set HOME or XDG_CONFIG_HOME")]
    NoHome,
    /// Others could read the passwords.
    #[error("{0} can be read by others; run: chmod 600 '{0}'", path.display())]
    Exposed {
        /// The accounts file.
        path: PathBuf,
    },
    /// The file is not as this program writes it.
    #[error("{}, line {line}: {message}; correct it, or move the file away to start anew", path.display())]
    Malformed {
        /// The accounts file.
        path: PathBuf,
        /// Where the mistake is, from 1.
        line: usize,
        /// What the mistake is.
        message: String,
    },
    /// The file has more than [`ACCOUNTS_OCTETS_MAX`], or would have with the change.
    #[error("{} must have no more than {ACCOUNTS_OCTETS_MAX} octets; remove accounts from it", path.display())]
    TooLong {
        /// The accounts file.
        path: PathBuf,
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

impl Accounts {
    /// `$XDG_CONFIG_HOME/mymail/accounts.toml`, or under `~/.config` where that is not set.
    pub fn default_path() -> Result<PathBuf, AccountsError> {
        let folder = user_folder("XDG_CONFIG_HOME", ".config").ok_or(AccountsError::NoHome)?;
        Ok(folder.join("accounts.toml"))
    }

    /// Reads the accounts. A file that is not there is an empty list.
    pub fn load(path: &Path) -> Result<Self, AccountsError> {
        let failed = failed("read", path);
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::empty()),
            opened => opened.map_err(&failed)?,
        };
        if file.metadata().map_err(&failed)?.mode() & OTHERS_MODE != 0 {
            return Err(AccountsError::Exposed { path: path.to_owned() });
        }
        let mut text = String::new();
        file.take(ACCOUNTS_OCTETS_MAX + 1).read_to_string(&mut text).map_err(&failed)?;
        if text.len() as u64 > ACCOUNTS_OCTETS_MAX {
            return Err(AccountsError::TooLong { path: path.to_owned() });
        }
        toml::from_str(&text).map_err(|error| malformed(path, &text, &error))
    }

    /// Changes the accounts, and nobody else does so meanwhile. Returns what `change` does, when it is safely on disk.
    pub fn update<T>(path: &Path, change: impl FnOnce(&mut Self) -> T) -> Result<T, AccountsError> {
        let parent = folder::parent(path);
        folder::create(parent).map_err(failed("create", parent))?;
        let path = resolved(path)?;
        let _lock = lock(&path.with_extension("lock"))?;
        let before = Self::load(&path)?;
        let mut accounts = before.clone();
        let result = change(&mut accounts);
        if accounts != before {
            accounts.save(&path)?;
        }
        Ok(result)
    }

    fn save(&self, path: &Path) -> Result<(), AccountsError> {
        let text = toml::to_string(self).map_err(io::Error::other).map_err(failed("write", path))?;
        if text.len() as u64 > ACCOUNTS_OCTETS_MAX {
            return Err(AccountsError::TooLong { path: path.to_owned() });
        }
        let new = path.with_extension("new");
        write_private(&new, text.as_bytes()).map_err(failed("write", &new))?;
        fs::rename(&new, path).map_err(failed("replace", path))?;
        let parent = folder::parent(path);
        folder::sync(parent).map_err(failed("sync", parent))
    }
}

/// Where the file itself is: a new one must not take the place of a symbolic link that leads to it.
fn resolved(path: &Path) -> Result<PathBuf, AccountsError> {
    match path.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => Ok(path.to_owned()),
        found => found.map_err(failed("find", path)),
    }
}

/// The lock lasts as long as the file is open. Its file stays: whoever removed it could lock out nobody any more.
fn lock(path: &Path) -> Result<File, AccountsError> {
    let opened = OpenOptions::new().write(true).create(true).truncate(false).mode(FILE_MODE).open(path);
    let file = opened.map_err(failed("open", path))?;
    let deadline = Instant::now() + LOCK_WAIT_MAX;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => thread::sleep(LOCK_RETRY),
            Err(TryLockError::WouldBlock) => return Err(AccountsError::Locked { path: path.to_owned() }),
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

fn failed(action: &'static str, path: &Path) -> impl Fn(io::Error) -> AccountsError {
    move |source| AccountsError::Io { action, path: path.to_owned(), source }
}

/// Without the excerpt that toml's own message has: it may be a password.
fn malformed(path: &Path, text: &str, error: &toml::de::Error) -> AccountsError {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = 1 + before.matches('\n').count();
    AccountsError::Malformed { path: path.to_owned(), line, message: error.message().replace('\n', ", ") }
}
