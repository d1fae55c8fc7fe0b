//! Copying a store into another folder: the tables as they are at one moment, and what they name.
//!
//! Plain reads and writes, each file synced as it is written, so that the disk never has much of it to do at once, and whoever
//! waits for the journal's sync does not wait for the copy. The database gets its name last: without one it is no store.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, ErrorCode, ffi};
use thiserror::Error;

use super::check::{CheckError, Report, Watch};
use super::folder::{self, BODIES, DATABASE, JOURNAL, TLS};
use super::{OpenError, check, database, schema};
use crate::Progress;

/// Pages of the database that are copied at once.
const PAGES: i32 = 1024;
/// How much of a file is copied at once.
const CHUNK_OCTETS: usize = 256 << 10;
/// A file is synced whenever so much of it has been written.
const SYNC_OCTETS: u64 = 8 << 20;
/// The database while it is copied.
const UNFINISHED: &str = "mail.db.incomplete";

/// The server's own certificate and its key, and their modes. A store is known by them to those who have seen them.
const IDENTITY: [(&str, u32); 2] = [("certificate.pem", 0o644), ("key.pem", 0o600)];

/// Why a copy was not made.
#[derive(Debug, Error)]
pub(super) enum CopyError {
    #[error("{}: {error}", path.display())]
    Io {
        path: PathBuf,
        #[source]
        error: io::Error,
    },
    #[error("{DATABASE}: {0}")]
    Database(#[from] rusqlite::Error),
    #[error("stopped")]
    Stopped,
}

impl CopyError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + use<'_> {
        |error| Self::Io { path: path.to_owned(), error }
    }
}

/// A copy that is being made.
pub(super) struct Copy<'a> {
    from: &'a Path,
    to: &'a Path,
    watch: Watch<'a>,
    done: Progress,
}

impl<'a> Copy<'a> {
    /// Copies the store in one folder to another one, which is empty.
    pub(super) fn new(from: &'a Path, to: &'a Path, watch: Watch<'a>) -> Self {
        Self { from, to, watch, done: Progress::default() }
    }

    /// Copies the tables as this connection sees them, brought up to date if they are not.
    pub(super) fn tables(&mut self, from: &Connection) -> Result<Connection, CopyError> {
        let path = self.to.join(UNFINISHED);
        self.tables_to(&path, from).map_err(|error| match error {
            CopyError::Database(error) if database::is_full(&error) => {
                CopyError::Io { path, error: ErrorKind::StorageFull.into() }
            }
            other => other,
        })
    }

    fn tables_to(&mut self, path: &Path, from: &Connection) -> Result<Connection, CopyError> {
        folder::private_file().create_new(true).open(path).map_err(CopyError::at(path))?;
        let mut to = database::open_writer(path)?;
        // It is synced when it is whole.
        to.pragma_update(None, "synchronous", "OFF")?;
        // One moment for all steps.
        let moment = from.unchecked_transaction()?;
        moment.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
        let page_octets: u64 = from.pragma_query_value(None, "page_size", |row| row.get(0))?;
        let backup = Backup::new(from, &mut to)?;
        loop {
            match backup.step(PAGES)? {
                StepResult::More => {}
                StepResult::Done => break,
                _ => return Err(busy().into()),
            }
            let progress = backup.progress();
            let octets = |pages: i32| u64::try_from(pages).unwrap_or(0) * page_octets;
            let (total, left) = (octets(progress.pagecount), octets(progress.remaining));
            self.done = Progress { octets: total.saturating_sub(left), octets_total: total };
            self.tell(0)?;
        }
        drop(backup);
        drop(moment);
        self.done.octets = self.done.octets_total;
        // A log belongs to a store that is open.
        to.pragma_update(None, "journal_mode", "DELETE")?;
        let taken = schema::check(&to).map_err(|error| match error {
            OpenError::Database(error) => CopyError::Database(error),
            other => CopyError::Io { path: path.to_owned(), error: io::Error::other(other) },
        })?;
        schema::migrate(&mut to, taken)?;
        Ok(to)
    }

    /// Copies the files that these tables name, and gives the tables their name. Nothing but the sync of the folder itself is
    /// missing then.
    pub(super) fn files(mut self, tables: Connection) -> Result<Progress, CopyError> {
        for name in [BODIES, JOURNAL] {
            let path = self.to.join(name);
            folder::create(&path).map_err(CopyError::at(&path))?;
        }
        self.done.octets_total += tables.query_row(
            "SELECT (SELECT coalesce(sum(octets), 0) FROM segment)
                  + (SELECT coalesce(sum(octets), 0) FROM message WHERE file IS NOT NULL)",
            [],
            |row| row.get::<_, u64>(0),
        )?;
        self.each(JOURNAL, &tables, "SELECT number, octets FROM segment ORDER BY number")?;
        self.each(BODIES, &tables, "SELECT file, octets FROM message WHERE file IS NOT NULL ORDER BY file")?;
        self.identity()?;
        tables.close().map_err(|(_, error)| error)?;

        let (unfinished, finished) = (self.to.join(UNFINISHED), self.to.join(DATABASE));
        File::open(&unfinished).and_then(|file| file.sync_all()).map_err(CopyError::at(&unfinished))?;
        for path in [self.to.join(BODIES), self.to.join(JOURNAL)] {
            folder::sync(&path).map_err(CopyError::at(&path))?;
        }
        fs::rename(&unfinished, &finished).map_err(CopyError::at(&finished))?;
        folder::sync(self.to).map_err(CopyError::at(self.to))?;
        Ok(self.done)
    }

    /// Copies so many octets of each of the files of a folder.
    fn each(&mut self, name: &str, tables: &Connection, query: &str) -> Result<(), CopyError> {
        let (from, to) = (self.from.join(name), self.to.join(name));
        let mut files = tables.prepare(query)?;
        let mut files = files.query([])?;
        while let Some(row) = files.next()? {
            let (number, octets) = (row.get::<_, i64>(0)?.to_string(), row.get(1)?);
            self.file(&from.join(&number), &to.join(&number), octets, 0o600)?;
        }
        Ok(())
    }

    fn identity(&mut self) -> Result<(), CopyError> {
        let (from, to) = (self.from.join(TLS), self.to.join(TLS));
        if !fs::exists(&from).map_err(CopyError::at(&from))? {
            return Ok(());
        }
        folder::create(&to).map_err(CopyError::at(&to))?;
        for (name, mode) in IDENTITY {
            self.file(&from.join(name), &to.join(name), u64::MAX, mode)?;
        }
        folder::sync(&to).map_err(CopyError::at(&to))
    }

    /// Copies a file up to its end or so many octets. What can't be read, or is not there, is missing from the copy too; the
    /// check of it tells.
    fn file(&mut self, from: &Path, to: &Path, octets: u64, mode: u32) -> Result<(), CopyError> {
        let source = match File::open(from) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            source => source.map_err(CopyError::at(from))?,
        };
        let octets = octets.min(source.metadata().map_err(CopyError::at(from))?.len());
        let mut options = folder::private_file();
        let target = options.create_new(true).mode(mode).open(to).map_err(CopyError::at(to))?;
        let mut chunk = vec![0; usize::try_from(octets).map_or(CHUNK_OCTETS, |octets| octets.min(CHUNK_OCTETS))];
        let (mut at, mut unsynced) = (0, 0);
        while at < octets {
            let room = usize::try_from(octets - at).map_or(chunk.len(), |left| left.min(chunk.len()));
            let read = match source.read_at(&mut chunk[..room], at) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                // A bad place on the disk. What is behind it may be good.
                Err(_) => {
                    chunk[..room].fill(0);
                    room
                }
            };
            (&target).write_all(&chunk[..read]).map_err(CopyError::at(to))?;
            (at, unsynced) = (at + read as u64, unsynced + read as u64);
            if unsynced >= SYNC_OCTETS {
                target.sync_data().map_err(CopyError::at(to))?;
                unsynced = 0;
            }
            self.tell(read as u64)?;
        }
        target.sync_all().map_err(CopyError::at(to))
    }

    /// So many more octets are copied.
    fn tell(&mut self, octets: u64) -> Result<(), CopyError> {
        self.done.octets += octets;
        self.done.octets_total = self.done.octets_total.max(self.done.octets);
        if (self.watch)(self.done).is_break() { Err(CopyError::Stopped) } else { Ok(()) }
    }
}

/// Checks a copy, which took so much to make.
pub(super) fn check(copy: &Path, made: Progress, watch: Watch<'_>) -> Result<Report, CheckError> {
    let mut watch_both = |checked: Progress| {
        watch(Progress { octets: made.octets + checked.octets, octets_total: made.octets + checked.octets_total })
    };
    check::look_at_copy(copy, &mut watch_both)
}

/// Nobody else writes to the copy, or holds the original for himself.
fn busy() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error { code: ErrorCode::DatabaseBusy, extended_code: ffi::SQLITE_BUSY }, None)
}
