//! A disk, and what is on it at an instant.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::{mem, process, thread};

use super::mount::Mount;
use super::{Drive, run};
use crate::noise::noise;

/// Octets of a disk. Room is used for what is written.
const DISK_OCTETS: u64 = 1 << 30;
/// Pieces of files that [`Disk::write_back`] writes at most.
const PIECES_MAX: u64 = 4;

/// What a power cut takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// What the kernel has not given to the drive. The drive saves its cache.
    Memory,
    /// That, and what the drive was given but not told to flush.
    Cache,
}

/// A disk with an empty or older file system. Gone afterwards; if its test fails, what it looked like when it was last
/// switched on is kept.
#[derive(Debug)]
pub struct Disk {
    /// `None` while it has no power.
    mount: Option<Mount>,
    image: Image,
    /// As it was when it was last switched on.
    left: Option<Image>,
}

/// What is on a disk: a file on its drive.
#[derive(Debug)]
pub struct Image {
    drive: Rc<Drive>,
    file: PathBuf,
}

impl Disk {
    /// A disk with an empty file system.
    pub fn new(drive: &Rc<Drive>) -> Self {
        let file = drive.new_file();
        File::create(&file).unwrap().set_len(DISK_OCTETS).unwrap();
        let options = "lazy_itable_init=0,lazy_journal_init=0";
        run("mkfs.ext4", ["-q", "-E", options].map(OsStr::new).into_iter().chain([file.as_os_str()]));
        Self::of(Image { drive: Rc::clone(drive), file }, None)
    }

    fn of(image: Image, left: Option<Image>) -> Self {
        let mut disk = Self { mount: None, image, left };
        disk.mount();
        disk
    }

    /// Where its files are.
    pub fn folder(&self) -> &Path {
        self.mount.as_ref().unwrap().folder()
    }

    /// What a power cut at this moment would leave of it. It goes on undisturbed.
    pub fn image(&self) -> Image {
        self.image.copy()
    }

    /// Ends its use, with everything written. What is on it then.
    pub fn turn_off(&mut self) -> Image {
        self.mount = None;
        self.image.copy()
    }

    /// Writes pieces of files that nobody has asked to sync, as the kernel does in its own time. Which ones tells the number.
    pub fn write_back(&self, number: u64) {
        let mut files = Vec::new();
        list(self.folder(), &mut files);
        for piece in 0..if files.is_empty() { 0 } else { noise(number) % PIECES_MAX } {
            let chance = noise(number.wrapping_add(piece + 1));
            let file = &files[chance as usize % files.len()];
            let pages = fs::metadata(file).unwrap().len() / 4096 + 1;
            let first = (chance >> 16) % pages;
            let count = (chance >> 32) % (pages - first) + 1;
            let range = format!("{} {}", first * 4096, count * 4096);
            // To begin with writing, then to wait for its end; of several options in one command the last one counts.
            let (write, wait) = (format!("sync_range -w {range}"), format!("sync_range -a {range}"));
            run("xfs_io", ["-r", "-c", &write, "-c", &wait].map(OsStr::new).into_iter().chain([file.as_os_str()]));
        }
    }

    /// Cuts its power. Whoever uses it gets errors, and must go before it is switched on again.
    pub fn cut(&self, loss: Loss) {
        match loss {
            Loss::Memory => self.mount.as_ref().unwrap().shut_down(),
            Loss::Cache => self.image.drive.cut(),
        }
    }

    /// Switches it on again after this loss.
    pub fn power_on(&mut self, loss: Loss) {
        self.mount = None;
        if loss == Loss::Cache {
            self.image.drive.power_on();
        }
        self.left = None;
        self.left = Some(self.image.copy());
        self.mount();
    }

    fn mount(&mut self) {
        let Image { drive, file } = &self.image;
        self.mount = Some(Mount::new("ext4", "loop", file, &drive.mount_point(file)));
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        drop(mem::take(&mut self.mount));
        if thread::panicking() {
            self.left.as_ref().unwrap_or(&self.image).keep();
        }
    }
}

impl Image {
    /// A disk with these octets.
    pub fn disk(&self) -> Disk {
        Disk::of(self.copy(), Some(self.copy()))
    }

    /// The same octets again, which a cut does not touch.
    fn copy(&self) -> Self {
        let copy = Self { drive: Rc::clone(&self.drive), file: self.drive.new_file() };
        run("cp", ["--reflink=always".as_ref(), self.file.as_os_str(), copy.file.as_os_str()]);
        File::open(&copy.file).unwrap().sync_all().unwrap();
        copy
    }

    /// Copies it to where failed tests leave their disks.
    fn keep(&self) {
        let name = format!("power-{}-{}", process::id(), self.file.file_name().unwrap().display());
        let kept = self.drive.keep().join(name);
        run("cp", ["--sparse=always".as_ref(), self.file.as_os_str(), kept.as_os_str()]);
        eprintln!("the disk as it was when it was last switched on: {} (mount -o loop)", kept.display());
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.file) {
            assert!(thread::panicking(), "{}: {error}", self.file.display());
        }
    }
}

/// All files in a folder and below it, in an order that is always the same.
fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap()).collect();
    entries.sort_by_key(fs::DirEntry::path);
    for entry in entries {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            list(&entry.path(), files);
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
}
