//! Files of bodies and of the journal that nothing names. A crash leaves such; the next opening deletes them.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;

use rusqlite::Connection;

use super::CheckError;
use super::tail::Tail;
use crate::embedded::folder::{self, BODIES, JOURNAL};
use crate::embedded::journal::SegmentNumber;
use crate::embedded::messages;
use crate::embedded::spool::FileNumber;

/// Does something with each of them: its name within the store, where it is, and its octets.
pub(super) fn each(
    dir: &Path,
    connection: &Connection,
    tail: &Tail,
    mut found: impl FnMut(&str, &Path, u64) -> io::Result<()>,
) -> Result<(), CheckError> {
    for folder in [BODIES, JOURNAL] {
        let path = dir.join(folder);
        let files = match fs::read_dir(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            files => files.map_err(|error| CheckError::io(&path, error))?,
        };
        for file in files {
            let file = file.map_err(|error| CheckError::io(&path, error))?;
            let Some(number) = file.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            let is_needed = if folder == BODIES {
                tail.files.contains(&FileNumber(number)) || messages::names(connection, FileNumber(number))?
            } else {
                let segment = SegmentNumber(number);
                tail.segments.contains(&segment) || messages::names_segment(connection, segment)?
            };
            if !is_needed {
                let name = format!("{folder}/{number}");
                let done = file.metadata().and_then(|metadata| found(&name, &file.path(), metadata.len()));
                done.map_err(|error| CheckError::io(&file.path(), error))?;
            }
        }
    }
    Ok(())
}

/// Deletes them.
pub(super) fn delete(dir: &Path, connection: &Connection) -> Result<(), CheckError> {
    let tail = Tail::read(dir, connection)?;
    let mut is_any = false;
    each(dir, connection, &tail, |_, path, _| {
        is_any = true;
        fs::remove_file(path)
    })?;
    for path in [dir.join(BODIES), dir.join(JOURNAL)].iter().filter(|path| is_any && path.exists()) {
        folder::sync(path).map_err(|error| CheckError::io(path, error))?;
    }
    Ok(())
}
