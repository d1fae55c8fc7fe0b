//! What disks are made of.

use std::cell::{Cell, RefCell};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use rustix::process::getuid;
use tempfile::TempDir;

use super::mount::Mount;
use super::run;

/// Octets of a drive. Memory is used for what is written.
const DRIVE_OCTETS: u64 = 4 << 30;

/// A drive. Gone afterwards with all that is on it.
#[derive(Debug)]
pub struct Drive {
    /// `None` between two times that it has power.
    file_system: RefCell<Option<Mount>>,
    memory: Mount,
    folder: TempDir,
    /// Where a disk is kept whose test has failed.
    keep: PathBuf,
    names: Cell<u32>,
}

impl Drive {
    /// An empty drive. A disk whose test fails is kept in this folder.
    ///
    /// # Panics
    ///
    /// Where it can't be: without root, loop devices, XFS or the programs.
    pub fn new(keep: &Path) -> Rc<Self> {
        assert!(getuid().is_root(), "only root can cut the power: file systems are mounted for it");
        let folder = TempDir::new().unwrap();
        let memory = Mount::new("tmpfs", "mode=0700", Path::new("tmpfs"), &folder.path().join("memory"));
        let file = memory.folder().join("drive");
        File::create(&file).unwrap().set_len(DRIVE_OCTETS).unwrap();
        run("mkfs.xfs", ["-q".as_ref(), file.as_os_str()]);
        let drive =
            Self { file_system: RefCell::default(), memory, folder, keep: keep.to_owned(), names: Cell::default() };
        drive.power_on();
        Rc::new(drive)
    }

    /// Loses what it has not flushed. The disks on it are of no use any more and must go.
    pub(super) fn cut(&self) {
        self.file_system.borrow().as_ref().unwrap().shut_down();
    }

    /// Starts it again.
    pub(super) fn power_on(&self) {
        drop(self.file_system.take());
        let file = self.memory.folder().join("drive");
        // What is deleted shall not use memory any more.
        let mount = Mount::new("xfs", "loop,discard", &file, &self.folder.path().join("drive"));
        self.file_system.replace(Some(mount));
    }

    /// A file on it that is not there yet.
    pub(super) fn new_file(&self) -> PathBuf {
        let name = self.names.get();
        self.names.set(name + 1);
        self.folder.path().join(format!("drive/{name}.img"))
    }

    /// Where to mount this file.
    pub(super) fn mount_point(&self, file: &Path) -> PathBuf {
        self.folder.path().join(file.file_stem().unwrap())
    }

    pub(super) fn keep(&self) -> &Path {
        &self.keep
    }
}
