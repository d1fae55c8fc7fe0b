//! The folder that everything measured lives in, on the disk that is measured.
//!
//! What is no longer wanted is moved aside and deleted at the very end: on ext4 the deletion of many files slows down for a
//! minute whoever makes new ones.

use std::cell::Cell;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use tempfile::TempDir;

/// Words of lines that tell why a server does not do what it should.
const COMPLAINTS: [&str; 7] = [" WARN ", " ERROR ", " stopping", "warning: ", "error: ", "fatal: ", "panic: "];
const COMPLAINTS_MAX: usize = 10;

/// A folder of our own, gone when dropped.
pub(crate) struct Workshop {
    folder: TempDir,
    names: Cell<u32>,
}

impl Workshop {
    /// A new one below `parent`, where this many octets have to be free.
    pub(crate) fn new(parent: &Path, octets_min: u64) -> anyhow::Result<Self> {
        fs::create_dir_all(parent)?;
        let room = rustix::fs::statvfs(parent)?;
        let free = room.f_bavail * room.f_frsize;
        ensure!(free >= octets_min, "{octets_min} octets have to be free on the disk, {free} are: see --folder");
        let folder = tempfile::Builder::new().prefix("bench-").tempdir_in(parent.canonicalize()?)?;
        // Other servers work as other users.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755))?;
        fs::create_dir(folder.path().join("graveyard"))?;
        Ok(Self { folder, names: Cell::new(0) })
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A new folder.
    pub(crate) fn make(&self, name: &str) -> anyhow::Result<PathBuf> {
        let folder = self.path().join(format!("{name}-{}", self.next_number()));
        fs::create_dir(&folder)?;
        Ok(folder)
    }

    /// Moves a folder or file out of the way.
    pub(crate) fn bury(&self, path: &Path) -> anyhow::Result<()> {
        let grave = self.path().join("graveyard").join(self.next_number().to_string());
        fs::rename(path, grave).with_context(|| format!("cannot move {} aside", path.display()))
    }

    /// What the servers' logs complain of, the latest lines of each.
    pub(crate) fn complaints(&self) -> anyhow::Result<String> {
        let mut complaints = String::new();
        for entry in fs::read_dir(self.path())? {
            let Ok(log) = fs::read(entry?.path().join("log")) else { continue };
            let log = String::from_utf8_lossy(&log);
            let is_complaint = |line: &&str| COMPLAINTS.iter().any(|word| line.contains(word));
            let lines: Vec<&str> = log.lines().rev().filter(is_complaint).take(COMPLAINTS_MAX).collect();
            lines.iter().rev().for_each(|line| complaints.push_str(&format!("{line}\n")));
        }
        Ok(complaints)
    }

    fn next_number(&self) -> u32 {
        self.names.replace(self.names.get() + 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_buried_is_gone_and_complaints_are_found() {
        let parent = tempfile::tempdir().unwrap();
        let workshop = Workshop::new(parent.path(), 1).unwrap();
        let [first, second] = ["first", "second"].map(|name| workshop.make(name).unwrap());
        fs::write(first.join("log"), "2026 INFO fine\n2026 ERROR the disk is full\n2026 INFO fine\n").unwrap();
        assert_eq!(workshop.complaints().unwrap(), "2026 ERROR the disk is full\n");
        workshop.bury(&first).unwrap();
        workshop.bury(&second).unwrap();
        assert!(!first.exists() && workshop.complaints().unwrap().is_empty());
        drop(workshop);
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0);
        assert!(Workshop::new(parent.path(), u64::MAX).is_err());
    }
}
