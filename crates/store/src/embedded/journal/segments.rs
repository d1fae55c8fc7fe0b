//! The files of the journal's segments, for reading and for making and deleting them.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use super::{AppendError, SegmentNumber};
use crate::embedded::deletions::Deletions;
use crate::embedded::folder;
use crate::embedded::spool::is_shortage;

/// How many files are kept open for those who read.
const OPEN_MAX: usize = 32;

/// The journal's folder.
pub(in crate::embedded) struct Segments {
    path: PathBuf,
    folder: File,
    deletions: Arc<Deletions>,
    /// The one that was used last is the first.
    open: Mutex<VecDeque<(SegmentNumber, Arc<File>)>>,
}

impl Segments {
    /// Opens the folder, which must be there.
    pub(in crate::embedded) fn open(path: PathBuf, deletions: Arc<Deletions>) -> io::Result<Self> {
        let folder = File::open(&path)?;
        Ok(Self { path, folder, deletions, open: Mutex::default() })
    }

    /// Where a segment is.
    pub(in crate::embedded) fn path_of(&self, number: SegmentNumber) -> PathBuf {
        self.path.join(number.0.to_string())
    }

    /// The segments that there are, in their order.
    pub(in crate::embedded) fn list(&self) -> io::Result<Vec<SegmentNumber>> {
        list(&self.path)
    }

    /// Opens a segment for reading; `None` if it is gone.
    pub(in crate::embedded) fn read(&self, number: SegmentNumber) -> io::Result<Option<Arc<File>>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let at = open.iter().position(|(there, _)| *there == number);
        if let Some(found) = at.and_then(|at| open.remove(at)) {
            let file = Arc::clone(&found.1);
            open.push_front(found);
            return Ok(Some(file));
        }
        let file = match File::open(self.path_of(number)) {
            Ok(file) => Arc::new(file),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        open.truncate(OPEN_MAX - 1);
        open.push_front((number, Arc::clone(&file)));
        Ok(Some(file))
    }

    /// Makes a segment, whose name is durable then.
    pub(super) fn create(&self, number: SegmentNumber) -> Result<File, AppendError> {
        let path = self.path_of(number);
        let file = folder::private_file().read(true).create_new(true).open(path);
        let file = file.map_err(|error| match is_shortage(&error) {
            true => AppendError::NotNow(error),
            false => AppendError::Write(error),
        })?;
        self.folder.sync_all().map_err(AppendError::Sync)?;
        Ok(file)
    }

    /// Deletes a segment that no message has its bytes in. One that stays is deleted when the store is next opened.
    pub(in crate::embedded) fn delete(&self, number: SegmentNumber) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).retain(|(open, _)| *open != number);
        self.deletions.delete(self.path_of(number));
    }
}

/// The segments in a folder, in their order.
fn list(folder: &Path) -> io::Result<Vec<SegmentNumber>> {
    let mut numbers = Vec::new();
    for file in fs::read_dir(folder)? {
        numbers.extend(file?.file_name().to_str().and_then(|name| name.parse().ok()).map(SegmentNumber));
    }
    numbers.sort_unstable();
    Ok(numbers)
}
