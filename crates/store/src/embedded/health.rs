//! Whether the store still takes writes.
//!
//! After a failed write or sync nobody knows what the disk holds: the kernel may have dropped the pages and reports the
//! next sync as a success. So the first failure is the last, until the store is opened anew.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::StoreError;

/// Shared by everything that writes.
#[derive(Debug, Default)]
pub(super) struct Health {
    is_poisoned: AtomicBool,
}

impl Health {
    /// Refuses what would write, once something has failed.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        if self.is_poisoned.load(Ordering::Acquire) { Err(StoreError::Poisoned) } else { Ok(()) }
    }

    /// Ends the writing.
    pub(super) fn poison(&self, cause: &dyn Error) {
        if !self.is_poisoned.swap(true, Ordering::AcqRel) {
            tracing::error!(
                %cause,
                "a write failed, so no more are tried: what is there can be read; see that the disk is in order and has \
                 room, then restart the server"
            );
        }
    }
}
