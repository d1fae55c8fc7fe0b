//! The bytes of all messages, wherever they are.

use std::fs::File;
use std::io::{self, ErrorKind};
use std::path::Path;

use rusqlite::{Connection, Row};

use super::look::Losses;
use super::report::Damage;
use super::{CheckError, Watch};
use crate::Progress;
use crate::embedded::folder::{BODIES, JOURNAL};
use crate::embedded::journal::digest_of;

/// What is known of a message's bytes.
struct Expected {
    octets: u64,
    digest: Option<u64>,
    place: Place,
}

enum Place {
    Segment {
        number: i64,
        at: u64,
    },
    File(i64),
    /// In the table, which has so many.
    Table {
        octets: u64,
    },
}

/// The segment that was looked at last: the messages come in the order of their places.
struct Segment {
    number: i64,
    file: io::Result<File>,
}

/// Adds the messages whose bytes are not what they should be. All of them have so many octets.
pub(super) fn look(
    dir: &Path,
    connection: &Connection,
    octets_total: u64,
    losses: &mut Losses,
    watch: Watch<'_>,
) -> Result<(), CheckError> {
    let mut statement = connection.prepare(
        "SELECT id, octets, digest, segment, place, file, octet_length(body) AS in_table FROM message
         ORDER BY segment, place, file",
    )?;
    let mut rows = statement.query([])?;
    let (mut segment, mut done) = (None, 0);
    while let Some(row) = rows.next()? {
        let damage = match expected(row)? {
            Some(expected) => {
                done += expected.octets;
                compare(dir, &expected, &mut segment).err()
            }
            None => Some(Damage::Length),
        };
        if let Some(damage) = damage {
            losses.add(row.get("id")?, damage);
        }
        if watch(Progress { octets: done.min(octets_total), octets_total }).is_break() {
            return Err(CheckError::Stopped);
        }
    }
    Ok(())
}

/// `None` for numbers that can't be.
fn expected(row: &Row<'_>) -> rusqlite::Result<Option<Expected>> {
    let number = |column: &str| row.get::<_, Option<i64>>(column).map(|number| number.map(u64::try_from));
    let Some(Ok(octets)) = number("octets")? else { return Ok(None) };
    let digest: Option<i64> = row.get("digest")?;
    let place = match (row.get("segment")?, row.get("file")?) {
        (Some(segment), _) => match number("place")? {
            Some(Ok(at)) => Place::Segment { number: segment, at },
            _ => return Ok(None),
        },
        (None, Some(file)) => Place::File(file),
        (None, None) => Place::Table { octets: row.get("in_table")? },
    };
    Ok(Some(Expected { octets, digest: digest.map(i64::cast_unsigned), place }))
}

/// Whether the bytes are there and the right ones.
fn compare(dir: &Path, expected: &Expected, last: &mut Option<Segment>) -> Result<(), Damage> {
    let Expected { octets, digest, place } = expected;
    match *place {
        Place::Table { octets: found } => right_length(found == *octets),
        Place::File(number) => {
            let file = File::open(dir.join(BODIES).join(number.to_string())).map_err(|error| damage_by(&error))?;
            let found = file.metadata().map_err(|error| damage_by(&error))?.len();
            right_length(found == *octets)?;
            compare_digest(&file, 0, *octets, *digest)
        }
        Place::Segment { number, at } => {
            let segment = match last.take().filter(|segment| segment.number == number) {
                Some(segment) => segment,
                None => Segment { number, file: File::open(dir.join(JOURNAL).join(number.to_string())) },
            };
            let file = last.insert(segment).file.as_ref().map_err(damage_by)?;
            compare_digest(file, at, *octets, *digest)
        }
    }
}

fn right_length(is_right: bool) -> Result<(), Damage> {
    if is_right { Ok(()) } else { Err(Damage::Length) }
}

/// Bytes of before there were digests are read all the same.
fn compare_digest(file: &File, at: u64, octets: u64, digest: Option<u64>) -> Result<(), Damage> {
    let found = digest_of(file, at, octets).map_err(|error| damage_by(&error))?;
    if digest.is_none_or(|digest| digest == found) { Ok(()) } else { Err(Damage::Bytes) }
}

fn damage_by(error: &io::Error) -> Damage {
    match error.kind() {
        ErrorKind::NotFound => Damage::Missing,
        ErrorKind::UnexpectedEof => Damage::Length,
        _ => Damage::Unreadable(error.to_string()),
    }
}
