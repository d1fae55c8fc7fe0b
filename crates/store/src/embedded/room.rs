//! How much room is left.

use std::fs::File;

use rustix::fs::fstatvfs;

use crate::StoreError;

/// What the file system has left for users that are not privileged.
pub(super) fn free_octets(folder: &File) -> Result<u64, StoreError> {
    let system = fstatvfs(folder).map_err(|error| StoreError::Failed(Box::new(error)))?;
    match system.f_blocks {
        // A file system that does not tell, such as some in user space.
        0 => Ok(u64::MAX),
        _ => Ok(system.f_bavail.saturating_mul(system.f_frsize)),
    }
}
