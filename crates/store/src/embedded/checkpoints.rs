//! Moving the tables' write-ahead log into the database, where nobody waits for it.
//!
//! A thread with a connection of its own moves most of it, while the writer goes on. What the writer has added meanwhile is
//! little; that it moves itself, and with nothing left in it the log begins anew.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, SyncSender, TrySendError};
use std::thread;

use rusqlite::Connection;

use super::database;
use super::health::Health;
use super::join::JoinOnDrop;

/// Pages of log (4 KiB each) from which on it is moved: few enough that it is short, many enough that a page changed again
/// and again is moved once.
const DUE_PAGES: i64 = 4096;
/// From here on the writer waits for it.
const LATE_PAGES: i64 = 8 * DUE_PAGES;

/// Hands the log to the thread that moves it. Dropped, it waits until that is done.
pub(super) struct Checkpoints {
    /// There is room for one request: while it is there, the thread has something to do.
    due: SyncSender<()>,
    /// The thread has moved what there was.
    is_moved: Arc<AtomicBool>,
    _thread: JoinOnDrop,
}

impl Checkpoints {
    /// Starts the thread.
    pub(super) fn start(database: &Path, health: Arc<Health>) -> Result<Self, super::OpenError> {
        let connection = database::open_writer(database)?;
        database::configure_writer(&connection)?;
        let (due, requests) = mpsc::sync_channel(1);
        let is_moved = Arc::new(AtomicBool::new(false));
        let moved = Arc::clone(&is_moved);
        let work = move || {
            for () in requests {
                match database::checkpoint(&connection) {
                    Ok(()) => moved.store(true, Ordering::Release),
                    Err(error) => health.poison(&error),
                }
            }
        };
        let started: io::Result<_> = thread::Builder::new().name("store-checkpoint".to_owned()).spawn(work);
        let thread = started.map_err(|error| super::OpenError::io(database, error))?;
        Ok(Self { due, is_moved, _thread: JoinOnDrop::new(thread) })
    }

    /// For the writer, after each commit.
    pub(super) fn step(&self, writer: &Connection) -> rusqlite::Result<()> {
        let pages = database::log_pages(writer)?;
        if pages < DUE_PAGES {
            return Ok(());
        }
        if self.is_moved.swap(false, Ordering::AcqRel) || pages >= LATE_PAGES {
            return database::checkpoint(writer);
        }
        match self.due.try_send(()) {
            // It has been asked for, or the thread has died, and the writer does it when it is late.
            Ok(()) | Err(TrySendError::Full(()) | TrySendError::Disconnected(())) => Ok(()),
        }
    }
}
