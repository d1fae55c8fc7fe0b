//! Deletes the files of bodies that a crash has left behind without a row, in a thread of its own: a folder of many bodies keeps
//! nobody waiting.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use rusqlite::Connection;
use thiserror::Error;

use super::join::JoinOnDrop;
use super::messages;
use super::spool::Spool;

/// Runs until it is done or dropped.
pub(super) struct Sweeper {
    is_over: Arc<AtomicBool>,
    _thread: JoinOnDrop,
}

#[derive(Debug, Error)]
enum SweepError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Database(#[from] rusqlite::Error),
}

impl Sweeper {
    /// Looks through the bodies of earlier runs, of which the database must know all that are named.
    pub(super) fn start(spool: Arc<Spool>, connection: Connection) -> io::Result<Self> {
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let sweep = move || {
            if let Err(error) = sweep(&spool, &connection, &over) {
                tracing::warn!(%error, "can't look for files that are not needed any more: they stay until the next start");
            }
        };
        let thread = thread::Builder::new().name("store-sweeper".to_owned()).spawn(sweep)?;
        Ok(Self { is_over, _thread: JoinOnDrop::new(thread) })
    }
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
    }
}

fn sweep(spool: &Spool, connection: &Connection, is_over: &AtomicBool) -> Result<(), SweepError> {
    for file in spool.earlier()? {
        let file = file?;
        if is_over.load(Ordering::Relaxed) {
            return Ok(());
        }
        if !messages::names(connection, file)? {
            spool.unlink(file);
        }
    }
    Ok(spool.sync()?)
}
