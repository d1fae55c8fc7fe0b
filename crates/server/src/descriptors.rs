//! Numbers for clients: the socket descriptors of their own connections (docs/wire.md).
//!
//! The number of an address is a descriptor of the connection that registered it, in this process. Where that number is still
//! held by an earlier registration, the connection's descriptor is duplicated upwards to the next one that is free both as a
//! descriptor and as an address, and the duplicate lives as long as the connection: nobody else can get the number meanwhile.

use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd};

use proto::{Address, Domain};
use rustix::io::{Errno, fcntl_dupfd_cloexec};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use store::{AccountId, RegisterError, Store, StoreError, Timestamp};
use thiserror::Error;

/// Why a connection got no number.
#[derive(Debug, Error)]
pub(crate) enum NumberError {
    /// No descriptor is left whose number is free as an address too.
    #[error("no number is left")]
    NoneLeft,
    #[error("cannot duplicate a descriptor: {0}")]
    Descriptor(#[source] Errno),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A connection's descriptor beside the one that it came with, where its address needs one.
#[derive(Debug, Default)]
pub(crate) struct Descriptors {
    duplicate: Option<OwnedFd>,
}

impl Descriptors {
    /// Opens an account whose number is a descriptor of the connection `socket`.
    pub(crate) async fn register<S: Store>(
        &mut self,
        socket: BorrowedFd<'_>,
        domain: &Domain,
        store: &S,
        now: Timestamp,
    ) -> Result<(AccountId, Address), NumberError> {
        let mut duplicate: Option<OwnedFd> = None;
        loop {
            let descriptor = duplicate.as_ref().map_or(socket.as_raw_fd(), AsRawFd::as_raw_fd);
            let number = u32::try_from(descriptor).map_err(|_| NumberError::NoneLeft)?;
            let address = Address::numbered(number, domain);
            match store.register(&address, None, now).await {
                Ok(account) => {
                    self.duplicate = duplicate;
                    return Ok((account, address));
                }
                Err(RegisterError::Taken) => {}
                Err(RegisterError::Store(error)) => return Err(error.into()),
            }
            let next = store.next_free_number(domain, number + 1, now).await?;
            // The lowest free descriptor from there on; its own number may be taken as an address, so it has to be tried.
            duplicate = Some(duplicate_upwards(socket, next)?);
        }
    }
}

impl Descriptors {
    /// The address has ended. Its number is held from others without a descriptor.
    pub(crate) fn release(&mut self) {
        self.duplicate = None;
    }
}

fn duplicate_upwards(socket: BorrowedFd<'_>, from: u32) -> Result<OwnedFd, NumberError> {
    let from = i32::try_from(from).map_err(|_| NumberError::NoneLeft)?;
    fcntl_dupfd_cloexec(socket, from).map_err(|error| match error {
        Errno::MFILE | Errno::INVAL => NumberError::NoneLeft,
        error => NumberError::Descriptor(error),
    })
}

/// Lets the process have as many descriptors as the system allows it, and says how many that is.
pub fn raise_descriptor_limit() -> std::io::Result<Option<u64>> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(maximum)
}
