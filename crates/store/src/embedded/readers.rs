//! The connections that read. They never wait for the writer, nor it for them: each read sees what was committed when it
//! began.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Connection;

use super::database;
use crate::StoreError;

/// How many reads of one kind run at once.
const READERS: usize = 4;

/// Some connections for whoever wants to read.
pub(super) struct Readers {
    connections: [Mutex<Connection>; READERS],
    next: AtomicUsize,
}

impl Readers {
    /// Opens them all.
    pub(super) fn open(database: &Path) -> rusqlite::Result<Self> {
        let open = || database::open_reader(database).map(Mutex::new);
        Ok(Self { connections: [open()?, open()?, open()?, open()?], next: AtomicUsize::new(0) })
    }

    /// Reads on the calling thread, which waits for its turn if all connections are in use.
    pub(super) fn read<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T, StoreError> {
        query(&self.any()).map_err(database::read_error)
    }

    /// A connection that is free, or else the one whose turn it is.
    fn any(&self) -> MutexGuard<'_, Connection> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        (turn..turn + READERS)
            .find_map(|at| self.connections[at % READERS].try_lock().ok())
            .unwrap_or_else(|| self.connections[turn % READERS].lock().unwrap_or_else(PoisonError::into_inner))
    }
}
