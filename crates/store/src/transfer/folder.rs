//! The folder of an export, and its manifest: which files are whole, and whether that is all.

use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use xxhash_rust::xxh3::xxh3_64;

use super::Moved;
use super::file::{self, Reader, Whole, hexadecimal};
use crate::embedded::{create_folder, private_file};

/// What the name of a file has behind it while it is written.
pub(super) const UNFINISHED: &str = ".incomplete";
const MANIFEST: &str = "manifest";
/// A manifest is never longer: enough for some 100,000 files.
const MANIFEST_OCTETS_MAX: u64 = 32 << 20;
/// The form of the files. Another one has another number.
const VERSION: u32 = 1;

/// Why the folder of an export is of no use.
#[derive(Debug, Error)]
pub enum FolderError {
    /// A file or folder can't be read or written.
    #[error("{}: {error}", path.display())]
    Io {
        /// Which one.
        path: PathBuf,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// There is no manifest.
    #[error("{} is no export: it has no file `{MANIFEST}`", folder.display())]
    NoExport {
        /// Which one.
        folder: PathBuf,
    },
    /// A file is not as it was written.
    #[error("{} is damaged", path.display())]
    Damaged {
        /// Which one.
        path: PathBuf,
    },
    /// Another version of this program wrote it, in another form.
    #[error("{} is of form {found}, this program knows form {VERSION}", folder.display())]
    OtherVersion {
        /// Which one.
        folder: PathBuf,
        /// Its form.
        found: u32,
    },
    /// Somebody exports to it or imports from it.
    #[error("{} is in use by another process", folder.display())]
    InUse {
        /// Which one.
        folder: PathBuf,
    },
    /// The thread that wrote to it has died.
    #[error("the work has died: {0}")]
    Died(String),
}

impl FolderError {
    pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self + use<'_> {
        |error| Self::Io { path: path.to_owned(), error }
    }
}

/// A folder that nobody else uses.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    _lock: File,
}

/// What is in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    version: u32,
    /// What tells the store from others.
    pub(super) store: String,
    /// Whether nothing is missing.
    pub(super) is_whole: bool,
    /// All but the mail.
    pub(super) accounts: Option<Whole>,
    /// The mail in the order of the ids.
    pub(super) mail: Vec<MailFile>,
    pub(super) moved: Moved,
}

/// A file of mail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MailFile {
    pub(super) file: Whole,
    /// The last message's id.
    pub(super) last: i64,
}

impl Manifest {
    /// That of an export that has just begun.
    pub(super) fn new(store: String) -> Self {
        Self { version: VERSION, store, is_whole: false, accounts: None, mail: Vec::new(), moved: Moved::default() }
    }
}

impl Folder {
    /// Opens the folder, which is made unless it is there.
    pub(super) fn create(path: &Path) -> Result<Self, FolderError> {
        create_folder(path).map_err(FolderError::at(path))?;
        Self::open(path)
    }

    /// Opens the folder.
    pub(super) fn open(path: &Path) -> Result<Self, FolderError> {
        let lock = File::open(path).map_err(FolderError::at(path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { path: path.to_owned(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse { folder: path.to_owned() }),
            Err(TryLockError::Error(error)) => Err(FolderError::at(path)(error)),
        }
    }

    /// Whether nothing is in it, but for what a first attempt may have left.
    pub(super) fn is_empty(&self) -> Result<bool, FolderError> {
        let left = format!("{MANIFEST}{UNFINISHED}");
        for file in fs::read_dir(&self.path).map_err(FolderError::at(&self.path))? {
            if file.map_err(FolderError::at(&self.path))?.file_name().to_str() != Some(&left) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The manifest: JSON, and in the last line its digest. `None` if there is none.
    pub(super) fn manifest(&self) -> Result<Option<Manifest>, FolderError> {
        /// What every version has.
        #[derive(Deserialize)]
        struct Any {
            version: u32,
        }
        let path = self.path.join(MANIFEST);
        let damaged = || FolderError::Damaged { path: path.clone() };
        let text = match read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == ErrorKind::InvalidData => return Err(damaged()),
            text => text.map_err(FolderError::at(&path))?,
        };
        let lines = text.strip_suffix('\n').and_then(|text| text.rsplit_once('\n'));
        let (json, digest) = lines.ok_or_else(damaged)?;
        if digest != hexadecimal(xxh3_64(json.as_bytes())) {
            return Err(damaged());
        }
        let Any { version } = serde_json::from_str(json).map_err(|_| damaged())?;
        if version != VERSION {
            return Err(FolderError::OtherVersion { folder: self.path.clone(), found: version });
        }
        serde_json::from_str(json).map(Some).map_err(|_| damaged())
    }

    /// Replaces the manifest, durably.
    pub(super) fn write_manifest(&self, manifest: &Manifest) -> Result<(), FolderError> {
        let path = self.path.join(format!("{MANIFEST}{UNFINISHED}"));
        let write = || {
            let json = serde_json::to_string_pretty(manifest)?;
            let mut file = private_file().create(true).truncate(true).open(&path)?;
            write!(file, "{json}\n{}\n", hexadecimal(xxh3_64(json.as_bytes())))?;
            file.sync_all()?;
            file::rename(&self.path, MANIFEST)
        };
        write().map_err(FolderError::at(&path))
    }

    /// Opens a file that is whole.
    pub(super) fn read(&self, file: &Whole) -> Result<Reader, FolderError> {
        Reader::open(&self.path, file)
    }
}

fn read(path: &Path) -> io::Result<String> {
    if fs::metadata(path)?.len() > MANIFEST_OCTETS_MAX {
        return Err(ErrorKind::InvalidData.into());
    }
    fs::read_to_string(path)
}
