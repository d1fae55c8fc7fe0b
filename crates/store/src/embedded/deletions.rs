//! Deleting files that are not needed any more, but none while somebody copies them.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So many files are remembered to be deleted later. Others stay until the store is next opened.
const POSTPONED_MAX: usize = 100_000;

#[derive(Debug, Default)]
pub(super) struct Deletions(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// How many there are that nothing may be deleted for.
    copies: usize,
    postponed: Vec<PathBuf>,
}

/// As long as it is there, no file is deleted.
#[derive(Debug)]
pub(super) struct Postponed(Arc<Deletions>);

impl Deletions {
    /// Nothing is deleted from now on. What was not needed before may be gone.
    pub(super) fn postpone(self: &Arc<Self>) -> Postponed {
        self.state().copies += 1;
        Postponed(Arc::clone(self))
    }

    /// Deletes a file, or has it deleted later. If it can't be deleted it stays.
    pub(super) fn delete(&self, path: PathBuf) {
        let mut state = self.state();
        if state.copies == 0 {
            drop(state);
            remove(&path);
        } else if state.postponed.len() < POSTPONED_MAX {
            state.postponed.push(path);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Postponed {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.copies -= 1;
        if state.copies == 0 {
            let postponed = std::mem::take(&mut state.postponed);
            drop(state);
            postponed.iter().for_each(|path| remove(path));
        }
    }
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != ErrorKind::NotFound
    {
        tracing::warn!(%error, path = %path.display(), "can't delete a file that is not needed any more");
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;

    #[test]
    fn nothing_is_deleted_before_all_copies_are_made() {
        let dir = TempDir::new().unwrap();
        let path = dir.path().join("file");
        let deletions = Arc::new(Deletions::default());
        fs::write(&path, "").unwrap();
        let (first, second) = (deletions.postpone(), deletions.postpone());
        deletions.delete(path.clone());
        drop(first);
        assert!(path.exists());
        drop(second);
        assert!(!path.exists());
        fs::write(&path, "").unwrap();
        deletions.delete(path.clone());
        assert!(!path.exists());
    }
}
