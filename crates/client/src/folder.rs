//! Folders that are still there after a power failure, and so are the names in them.

use std::fs::{DirBuilder, File};
use std::io::{self, ErrorKind};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;

/// The mode of a new folder: for its user alone.
const FOLDER_MODE: u32 = 0o700;

/// Makes a folder and those above it, for this user alone, unless they are there.
pub fn create(folder: &Path) -> io::Result<()> {
    match create_one(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            create(folder.parent().ok_or(error)?)?;
            create_one(folder)
        }
        done => done,
    }
}

fn create_one(folder: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(FOLDER_MODE).create(folder) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        Err(error) => Err(error),
        Ok(()) => sync(parent(folder)),
    }
}

/// Makes the names in a folder durable.
pub fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// The folder that a name is in.
pub fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| *parent != Path::new("")).unwrap_or(Path::new("."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_none_can_be_made_it_says_so() {
        assert!(create(Path::new("/proc/mail/of/mine")).is_err());
    }

    #[test]
    fn folders_are_made_down_from_where_there_are_some() {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("a/b/c");
        for _ in 0..2 {
            create(&folder).unwrap();
            assert!(folder.is_dir());
        }
        std::fs::write(root.path().join("file"), "").unwrap();
        assert!(create(&root.path().join("file")).is_err());
        assert!(create(&root.path().join("file/folder")).is_err());
        assert_eq!((parent(Path::new("a/b")), parent(Path::new("b"))), (Path::new("a"), Path::new(".")));
    }
}
