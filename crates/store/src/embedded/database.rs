//! SQLite as this store uses it: how a connection is set up, when the write-ahead log is moved into the database, and
//! what its errors mean. `docs/durability.md` gives the reasons.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::Path;
use std::str::FromStr;

use rusqlite::config::DbConfig;
use rusqlite::types::{FromSql, FromSqlResult, ToSql, ToSqlOutput, Type, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, Row};

use super::journal::SegmentNumber;
use super::spool::FileNumber;
use crate::{AccountId, EntryId, MessageId, StoreError, Timestamp};

/// A log that a big transaction has made longer than this is cut at its next start.
const LOG_OCTETS_MAX: i64 = 64 << 20;
/// Database pages that the writer keeps in memory, in KiB: the indexes of some million messages.
const WRITER_CACHE_KIB: i64 = 32 << 10;
/// Database pages that each reader keeps in memory, in KiB.
const READER_CACHE_KIB: i64 = 2 << 10;
/// Prepared statements that a connection keeps: more than there are.
const STATEMENTS_MAX: usize = 64;

/// Opens the connection that will write, once [`configure_writer`] has been called. Changes nothing yet.
pub(super) fn open_writer(path: &Path) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
}

/// Makes commits durable, and the writer fast.
pub(super) fn configure_writer(connection: &Connection) -> rusqlite::Result<()> {
    keep_statements(connection)?;
    keep_to_the_folder(connection)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // We move the log ourselves (`checkpoints.rs`), and hear of errors.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", LOG_OCTETS_MAX)?;
    connection.pragma_update(None, "cache_size", -WRITER_CACHE_KIB)?;
    // The tables count for themselves who has a message.
    connection.pragma_update(None, "foreign_keys", false)
}

/// Opens a connection that reads.
pub(super) fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    keep_statements(&connection)?;
    keep_to_the_folder(&connection)?;
    connection.pragma_update(None, "cache_size", -READER_CACHE_KIB)?;
    Ok(connection)
}

/// Statements are prepared once. Without the guarantee SQLite plans one anew whenever it is used with other values, if there
/// is an index of only some of a table's rows.
fn keep_statements(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map(drop)
}

/// What sorting and undoing take stays in memory: outside its folder a store writes nothing.
fn keep_to_the_folder(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "temp_store", "MEMORY")
}

/// Opens a database that nobody else has open, to look at it. On the disk nothing changes, not even what SQLite tidies up
/// otherwise.
pub(super) fn open_unchanged(path: &Path, log: &Path) -> rusqlite::Result<Connection> {
    let has_log = fs::metadata(log).is_ok_and(|log| log.len() > 0);
    if !has_log {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        return Connection::open_with_flags(immutable(path), flags);
    }
    let connection = open_writer(path)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    // So the log's index is kept in memory.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(connection)
}

/// A file as SQLite is told that it does not change.
fn immutable(path: &Path) -> OsString {
    let mut uri = b"file:".to_vec();
    for octet in path.as_os_str().as_bytes() {
        match octet {
            b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z' => uri.push(*octet),
            other => uri.extend(format!("%{other:02X}").bytes()),
        }
    }
    uri.extend(b"?immutable=1");
    OsString::from_vec(uri)
}

/// Moves the whole log into the database and empties it. What an earlier run wrote but failed to sync may be in the
/// kernel's memory alone; this writes and syncs it again, in the only place that is read from then on.
pub(super) fn checkpoint_all(connection: &Connection) -> rusqlite::Result<()> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// How long the log is.
pub(super) fn log_pages(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA wal_checkpoint(NOOP)")?.query_row([], |row| row.get(1))
}

/// Moves into the database what nobody needs in the log. Who reads or writes is not disturbed.
pub(super) fn checkpoint(connection: &Connection) -> rusqlite::Result<()> {
    connection.prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?.query_row([], |_| Ok(()))
}

/// Whether a commit is on stable storage when it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Commit {
    /// It is, with all commits before it.
    Durable,
    /// It is when a later one is. A crash may undo it until then, but never a part of it.
    Lazy,
}

impl Commit {
    /// The next transaction of this connection is of this kind.
    pub(super) fn prepare(self, connection: &Connection) -> rusqlite::Result<()> {
        let pragma = match self {
            Self::Durable => "PRAGMA synchronous = FULL",
            Self::Lazy => "PRAGMA synchronous = NORMAL",
        };
        connection.prepare_cached(pragma)?.execute([]).map(drop)
    }
}

/// A column that is kept as text of a type of ours.
pub(super) fn parsed<T>(row: &Row<'_>, column: &str) -> rusqlite::Result<T>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    let at = row.as_ref().column_index(column)?;
    let text = row.get_ref(at)?.as_str()?;
    text.parse().map_err(|error| rusqlite::Error::FromSqlConversionFailure(at, Type::Text, Box::new(error)))
}

/// These are kept as the integers they are.
macro_rules! integer_columns {
    ($($name:ident),+) => {$(
        impl ToSql for $name {
            fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
                self.0.to_sql()
            }
        }

        impl FromSql for $name {
            fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
                value.as_i64().map(Self)
            }
        }
    )+};
}

integer_columns!(AccountId, EntryId, FileNumber, MessageId, SegmentNumber, Timestamp);

/// A number as a column can keep it. One that is too big is found here, not by the writer, whom it would stop.
pub(super) fn integer(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|error| StoreError::Failed(Box::new(error)))
}

/// What a failed read means to its caller.
pub(super) fn read_error(error: rusqlite::Error) -> StoreError {
    match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::FileLockingProtocolFailed) => {
            StoreError::TryAgain(Box::new(error))
        }
        _ => StoreError::Failed(Box::new(error)),
    }
}

/// Whether the file is no database.
pub(super) fn is_no_database(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::NotADatabase)
}

/// Whether the file is damaged, or no database.
pub(super) fn is_damage(error: &rusqlite::Error) -> bool {
    is_no_database(error) || error.sqlite_error_code() == Some(ErrorCode::DatabaseCorrupt)
}

/// Whether there was no room.
pub(super) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(ErrorCode::DiskFull)
}
