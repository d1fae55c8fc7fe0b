//! What can go wrong in a store, told apart by what the caller may do next.

use std::error::Error as StdError;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

type Source = Box<dyn StdError + Send + Sync>;

/// Why a store did not do it.
#[derive(Debug, Error)]
pub enum StoreError {
    /// Not done; the same call may work later.
    #[error("the store is busy: {0}")]
    TryAgain(#[source] Source),
    /// Not done: no room.
    #[error("the store's disk is full")]
    Full,
    /// Not done, and the same call will not work as things stand: the data is damaged or the call makes no sense.
    #[error("the store failed: {0}")]
    Failed(#[source] Source),
    /// Perhaps done: the store failed while it was committing.
    #[error("the store failed while it was committing: {0}")]
    Unknown(#[source] Source),
    /// Not done: after an earlier failed write or sync the store takes no writes until it is opened anew.
    #[error("the store takes no writes since an earlier failure; restart the server when the disk is in order again")]
    Poisoned,
}

/// Why an account was not opened.
#[derive(Debug, Error)]
pub enum RegisterError {
    /// The address is somebody's, or is held for a while after it was.
    #[error("the address is taken")]
    Taken,
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why a token was not added.
#[derive(Debug, Error)]
pub enum AddTokenError {
    /// There are [`TOKENS_MAX`](crate::TOKENS_MAX) of them.
    #[error("there are too many tokens")]
    TooMany,
    /// The store did not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Why there is no backup.
#[derive(Debug, Error)]
pub enum BackUpError {
    /// This kind of store has its own tools for it.
    #[error("this store is not backed up so: what it is kept in has tools for that")]
    NotOffered,
    /// The folder is not free.
    #[error("{} is there already: name a folder that is not there, or is empty", folder.display())]
    Taken {
        /// Which one.
        folder: PathBuf,
    },
    /// The folder that a backup is made in before it gets its name is not free.
    #[error(
        "{} is there already: remove it, unless a backup is being made there just now",
        folder.display()
    )]
    Unfinished {
        /// Which one.
        folder: PathBuf,
    },
    /// A folder can't be put in the place of one that a disk is mounted on.
    #[error("a disk is mounted on {}: name a folder in it", folder.display())]
    MountPoint {
        /// Which one.
        folder: PathBuf,
    },
    /// A file or folder can't be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// Whoever wanted it has gone away.
    #[error("the backup was broken off")]
    Stopped,
    /// The store does not do it.
    #[error(transparent)]
    Store(#[from] StoreError),
}
