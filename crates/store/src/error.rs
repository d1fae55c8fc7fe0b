//! What can go wrong in a store, told apart by what the caller may do next.

use std::error::Error as StdError;

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
