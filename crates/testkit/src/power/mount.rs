//! A mounted file system.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use super::{comes_true, run};

/// A mounted file system, unmounted when it is dropped. Its loop device goes with it.
#[derive(Debug)]
pub(super) struct Mount {
    folder: PathBuf,
}

impl Mount {
    /// Mounts with these options what is there, on a folder that is made for it.
    pub(super) fn new(kind: &str, options: &str, source: &Path, folder: &Path) -> Self {
        fs::create_dir_all(folder).unwrap();
        let arguments = ["-t", kind, "-o", options].map(OsStr::new);
        run("mount", arguments.into_iter().chain([source.as_os_str(), folder.as_os_str()]));
        Self { folder: folder.to_owned() }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Loses what has not been written, and writes nothing any more.
    pub(super) fn shut_down(&self) {
        run("xfs_io", ["-x", "-c", "shutdown"].map(OsStr::new).into_iter().chain([self.folder.as_os_str()]));
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let umount = |options: &[&str]| {
            let output = Command::new("umount").args(options).arg(&self.folder).output();
            output.is_ok_and(|output| output.status.success())
        };
        // A program that another thread is just starting has our open files for a moment.
        let is_unmounted = comes_true(|| umount(&[]));
        if !is_unmounted {
            // At least nobody finds it any more, and it goes with whoever still uses it.
            let is_gone = umount(&["--lazy"]);
            assert!(thread::panicking(), "{} is still in use (unmounted lazily: {is_gone})", self.folder.display());
        }
    }
}
