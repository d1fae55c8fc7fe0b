//! The socket in the data folder: only its owner may use it, from the moment that it is there.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, ErrorKind};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use tokio::net::UnixListener;

/// The socket's name in the data folder.
const SOCKET: &str = "admin";
/// The folder beside it in which it is made.
const NEST: &str = "admin.new";
const SOCKET_MODE: u32 = 0o600;
const NEST_MODE: u32 = 0o700;

/// The longest path that a socket's address holds, in octets (unix(7)).
const PATH_OCTETS_MAX: usize = 107;

/// A bound socket, removed when this is dropped. That has to happen while the store is still locked: the next server makes one
/// of the same name.
pub(crate) struct Socket {
    pub(super) listener: UnixListener,
    path: PathBuf,
}

impl Socket {
    /// Listens in this folder. What an earlier server has left there is replaced: the lock of the store says that it is gone.
    pub(crate) fn bind(folder: &Path) -> io::Result<Self> {
        let (nest, path) = (folder.join(NEST), folder.join(SOCKET));
        match fs::remove_dir_all(&nest) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        if fs::symlink_metadata(&path).is_ok_and(|there| !there.file_type().is_socket()) {
            return Err(io::Error::new(ErrorKind::AlreadyExists, format!("{} is no socket", path.display())));
        }
        // Nobody else can reach it there before it has its mode. A umask would be that of all threads.
        DirBuilder::new().mode(NEST_MODE).create(&nest)?;
        let listener = UnixListener::bind(&Way::to_socket_in(&nest)?.path)?;
        fs::set_permissions(nest.join(SOCKET), Permissions::from_mode(SOCKET_MODE))?;
        fs::rename(nest.join(SOCKET), &path)?;
        let socket = Self { listener, path };
        fs::remove_dir(&nest)?;
        Ok(socket)
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "cannot remove the admin socket");
        }
    }
}

/// A path of the socket in a folder that is short enough for a socket's address, however long that of the folder is.
pub(super) struct Way {
    pub(super) path: PathBuf,
    /// What the path goes through.
    _folder: Option<OwnedFd>,
}

impl Way {
    pub(super) fn to_socket_in(folder: &Path) -> io::Result<Self> {
        let path = folder.join(SOCKET);
        if path.as_os_str().len() <= PATH_OCTETS_MAX {
            return Ok(Self { path, _folder: None });
        }
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::open(folder, flags, Mode::empty())?;
        let path = format!("/proc/self/fd/{}/{SOCKET}", folder.as_raw_fd()).into();
        Ok(Self { path, _folder: Some(folder) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::UnixStream;

    #[tokio::test]
    async fn a_socket_is_private_takes_the_place_of_a_dead_one_and_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SOCKET);
        // Left by servers that were killed, one of them while it made its socket.
        drop(UnixListener::bind(&path).unwrap());
        fs::create_dir(folder.path().join(NEST)).unwrap();
        fs::write(folder.path().join(NEST).join(SOCKET), "").unwrap();

        let socket = Socket::bind(folder.path()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!folder.path().join(NEST).exists());
        UnixStream::connect(&path).await.unwrap();
        drop(socket);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_path_may_be_longer_than_an_address() {
        let home = tempfile::tempdir().unwrap();
        for octets in PATH_OCTETS_MAX - 20..PATH_OCTETS_MAX + 100 {
            let room = octets - home.path().as_os_str().len() - 1;
            let folder = home.path().join("d".repeat(room));
            fs::create_dir(&folder).unwrap();
            let _socket = Socket::bind(&folder).unwrap();
            UnixStream::connect(Way::to_socket_in(&folder).unwrap().path).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_is_no_socket_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SOCKET);
        fs::write(&path, "precious").unwrap();
        assert!(Socket::bind(folder.path()).is_err());
        assert_eq!(fs::read(&path).unwrap(), b"precious");
    }
}
