//! Opening a store: the folders, the lock, the database brought up to date, and what a crash has left behind swept away.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use thiserror::Error;

use super::checkpoints::Checkpoints;
use super::deletions::Deletions;
use super::folder::{self, BODIES, DATABASE, JOURNAL, LOCK, Lock};
use super::health::Health;
use super::journal::Segments;
use super::readers::Readers;
use super::spool::Spool;
use super::sweeper::Sweeper;
use super::writer::{Tools, Writer};
use super::{Embedded, RecoveryError, database, recovery, schema};
use crate::arrivals::Bells;

/// Why a store was not opened.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Somebody has it open.
    #[error("the store is in use by another process")]
    InUse,
    /// There is a database, but not of this program.
    #[error("its {DATABASE} was not made by this program")]
    NotOurs,
    /// It was written by a later version of this program.
    #[error("the store is of version {found}, this program knows versions up to {known}")]
    Newer {
        /// The store's version.
        found: usize,
        /// The latest version that is understood.
        known: usize,
    },
    /// A file or folder can't be made, read or locked.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// The journal can't be read again.
    #[error("journal: {0}")]
    Journal(#[from] RecoveryError),
    /// The database can't be used.
    #[error("{DATABASE}: {0}")]
    Database(#[from] rusqlite::Error),
}

impl OpenError {
    pub(super) fn io(path: &Path, error: io::Error) -> Self {
        Self::Io { path: path.to_owned(), error }
    }
}

impl Embedded {
    /// Opens the store in this folder, which is made unless it is there, and keeps everybody else out of it until it and
    /// all its bodies are dropped. Blocks; after a crash for as long as it takes to look through the folder of bodies.
    ///
    /// Its methods must be called within a tokio runtime.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let (bodies, journal) = (dir.join(BODIES), dir.join(JOURNAL));
        for folder in [&bodies, &journal] {
            folder::create(folder).map_err(|error| OpenError::io(folder, error))?;
        }
        let lock = Lock::take(&dir.join(LOCK))?;

        let path = dir.join(DATABASE);
        folder::private_file().create(true).truncate(false).open(&path).map_err(|error| OpenError::io(&path, error))?;
        let mut connection = database::open_writer(&path)?;
        let steps_taken = schema::check(&connection)?;
        database::configure_writer(&connection)?;
        schema::migrate(&mut connection, steps_taken)?;
        database::checkpoint_all(&connection)?;
        folder::sync(dir).map_err(|error| OpenError::io(dir, error))?;
        let folder = File::open(dir).map_err(|error| OpenError::io(dir, error))?;

        let io_error = |error| OpenError::io(dir, error);
        let (health, deletions) = (Arc::new(Health::default()), Arc::<Deletions>::default());
        let spool = Arc::new(Spool::open(bodies, lock, Arc::clone(&health), Arc::clone(&deletions)).map_err(io_error)?);
        let segments = Arc::new(Segments::open(journal, Arc::clone(&deletions)).map_err(io_error)?);
        let (journal, pending) = recovery::replay(&connection, &segments)?;

        let (lookups, listings) = (Readers::open(&path)?, Arc::new(Readers::open(&path)?));
        let sweeper = Sweeper::start(Arc::clone(&spool), database::open_reader(&path)?).map_err(io_error)?;
        let (bells, mailboxes) = (Bells::default(), Arc::default());
        let tools = Tools {
            connection,
            checkpoints: Checkpoints::start(&path, Arc::clone(&health))?,
            journal,
            pending,
            segments: Arc::clone(&segments),
            spool: Arc::clone(&spool),
            mailboxes: Arc::clone(&mailboxes),
            bells: bells.clone(),
            health: Arc::clone(&health),
        };
        let writer = Writer::start(tools).map_err(io_error)?;
        Ok(Self {
            path: dir.to_owned(),
            lookups,
            listings,
            _sweeper: sweeper,
            writer,
            mailboxes,
            segments,
            spool,
            deletions,
            bells,
            folder,
            health,
        })
    }
}
