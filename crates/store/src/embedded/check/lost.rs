//! Messages that nobody can be given: whose they are, and saving what is left of them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::CheckError;
use super::look::Losses;
use super::report::LostMessage;
use super::rules::{each, text};
use crate::embedded::folder::{self, BODIES, JOURNAL, LOST};

/// What is known of them.
pub(super) fn describe(connection: &Connection, losses: Losses) -> rusqlite::Result<Vec<LostMessage>> {
    if losses.is_empty() {
        return Ok(Vec::new());
    }
    // No index leads from a message to its mailboxes.
    let mut owners: BTreeMap<i64, Vec<String>> = BTreeMap::new();
    let query = "SELECT entry.message, coalesce(account.address, entry.recipient) AS owner
                 FROM entry LEFT JOIN account ON account.id = entry.account";
    each(connection, query, |row| {
        let message = row.get("message")?;
        if losses.contain(message) {
            owners.entry(message).or_default().push(text(row, "owner")?);
        }
        Ok(())
    })?;
    let mut message = connection.prepare(
        "SELECT reverse_path, strftime('%Y-%m-%dT%H:%M:%SZ', received_at, 'unixepoch') AS received_at, octets
         FROM message WHERE id = ?1",
    )?;
    let describe = |(number, damage)| {
        let to = owners.remove(&number).unwrap_or_default();
        message.query_row([number], |row| {
            let (from, received_at) = (text(row, "reverse_path")?, text(row, "received_at")?);
            Ok(LostMessage {
                message: number,
                from,
                to,
                received_at,
                octets: row.get("octets")?,
                damage,
                saved_to: None,
            })
        })
    };
    losses.into_each().map(describe).collect()
}

/// Saves what is left of a message to a file, which has a line that says what it was. The file's name is durable once
/// [`sync`] was called.
pub(super) fn save(dir: &Path, connection: &Connection, lost: &mut LostMessage) -> Result<(), CheckError> {
    let Some(left) = connection
        .query_row(
            "SELECT trace, received_at, octets, segment, place, file, body FROM message WHERE id = ?1",
            params![lost.message],
            Left::from_row,
        )
        .optional()?
    else {
        return Ok(());
    };
    let name = format!("{LOST}/{}-{}", lost.message, left.received_at);
    let path = dir.join(&name);
    write(dir, &path, lost, &left).map_err(|error| CheckError::io(&path, error))?;
    lost.saved_to = Some(name);
    Ok(())
}

/// Makes the names of all that was saved durable.
pub(super) fn sync(dir: &Path) -> Result<(), CheckError> {
    let path = dir.join(LOST);
    folder::sync(&path).map_err(|error| CheckError::io(&path, error))
}

/// What there may be of a message.
struct Left {
    trace: String,
    received_at: i64,
    octets: u64,
    segment: Option<(i64, u64)>,
    file: Option<i64>,
    body: Option<Vec<u8>>,
}

impl Left {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let unsigned = |column: &str| row.get::<_, i64>(column).map(|number| u64::try_from(number).unwrap_or(0));
        let segment = match row.get("segment")? {
            Some(segment) => Some((segment, unsigned("place")?)),
            None => None,
        };
        Ok(Self {
            trace: text(row, "trace")?,
            received_at: row.get("received_at")?,
            octets: unsigned("octets")?,
            segment,
            file: row.get("file")?,
            body: row.get("body")?,
        })
    }
}

/// A header field that says what it was, its trace lines, and what is left of its bytes.
fn write(dir: &Path, path: &Path, lost: &LostMessage, left: &Left) -> io::Result<()> {
    folder::create(&dir.join(LOST))?;
    let mut file = folder::private_file().create(true).truncate(true).open(path)?;
    let told = LostMessage { saved_to: None, ..lost.clone() }.to_string();
    write!(file, "X-Mymail-Lost: {}\r\n{}", told.replace(['\r', '\n'], " "), left.trace)?;
    match (&left.segment, left.file, &left.body) {
        (Some((segment, place)), _, _) => {
            copy(&dir.join(JOURNAL).join(segment.to_string()), *place, left.octets, &mut file)?;
        }
        (None, Some(number), _) => copy(&dir.join(BODIES).join(number.to_string()), 0, u64::MAX, &mut file)?,
        (None, None, Some(body)) => file.write_all(body)?,
        (None, None, None) => {}
    }
    file.sync_all()
}

/// Copies so many octets of a file, or those that there are up to the first that can't be read.
fn copy(from: &Path, at: u64, octets: u64, to: &mut File) -> io::Result<()> {
    let mut chunk = vec![0; 64 << 10];
    let mut file = match File::open(from) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    file.seek(SeekFrom::Start(at))?;
    let mut part = file.take(octets);
    loop {
        match part.read(&mut chunk) {
            Ok(0) => return Ok(()),
            Ok(read) => to.write_all(&chunk[..read])?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            // That is what has been lost.
            Err(_) => return Ok(()),
        }
    }
}
