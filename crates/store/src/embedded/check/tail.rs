//! What the journal has and the tables don't know: messages that came in shortly before a crash.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;

use super::CheckError;
use crate::embedded::folder::JOURNAL;
use crate::embedded::journal::{SegmentNumber, Segments, Table};
use crate::embedded::recovery;
use crate::embedded::spool::FileNumber;

/// Its messages, and where they are.
#[derive(Default)]
pub(super) struct Tail {
    pub(super) messages: u64,
    pub(super) segments: BTreeSet<SegmentNumber>,
    pub(super) files: BTreeSet<FileNumber>,
}

impl Tail {
    pub(super) fn read(dir: &Path, connection: &Connection) -> Result<Self, CheckError> {
        let (path, mut tail) = (dir.join(JOURNAL), Self::default());
        if !fs::exists(&path).map_err(|error| CheckError::io(&path, error))? {
            return Ok(tail);
        }
        let segments = Segments::open(path.clone(), Arc::default()).map_err(|error| CheckError::io(&path, error))?;
        recovery::each_unknown(connection, &segments, |_, record| {
            tail.segments.insert(record.bytes.segment);
            if let Table::Delivered(kept) = record.table {
                tail.messages += kept.len() as u64;
                tail.files.extend(kept.iter().filter_map(|kept| kept.file).map(FileNumber));
            }
            Ok(())
        })?;
        Ok(tail)
    }
}
