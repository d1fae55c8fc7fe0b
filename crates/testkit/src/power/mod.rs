//! Disks whose power can be cut, and processes that can be killed at any of their syncs. Linux only, and for root.
//!
//! A [`Disk`] is an ext4 file system on a loop device. The file below it lies on a [`Drive`], which is an XFS file system on a
//! loop device too, over a file in memory. So there are two places in which octets may be when the power goes, as in a
//! computer: the kernel's memory, and the drive's cache. `fsync` moves them from the first to the second and flushes that; a
//! write that the kernel does in its own time gets into the second and may still be lost ([`Loss`]).
//!
//! What is lost is decided by `FS_IOC_SHUTDOWN` without a flush of the log (`xfs_io -x -c shutdown`): from then on the file
//! system writes nothing any more, not even what it has in memory. XFS also copies a file at an instant (`cp --reflink`), while
//! nobody can write to it. So the [`Image`] of a disk in use holds each write that the disk has been given up to a moment and
//! none that came later: what a power cut at that moment would leave.
//!
//! What can't be seen here: that the sync of a folder is missing behind that of a new file in it, because ext4 writes the name
//! with the file; and a drive that writes what it has not been told to flush in another order, because all of it is lost.

mod disk;
mod drive;
mod mount;
mod trace;

use std::ffi::OsStr;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

pub use disk::{Disk, Image, Loss};
pub use drive::Drive;
pub use trace::{Call, Point, Tracing};

use crate::until::PATIENCE;

const PAUSE: Duration = Duration::from_millis(1);

/// Runs a program that must succeed.
fn run<S: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = S>) {
    let mut command = Command::new(program);
    command.args(arguments);
    let output = command.output().unwrap_or_else(|error| panic!("a power cut needs {program}: {error}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "a power cut needs root, loop devices, ext4 and XFS; {command:?} says: {said}");
}

/// Looks again and again whether it is so, as long as there is hope.
fn comes_true(mut is_so: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if is_so() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        sleep(PAUSE);
    }
}
