//! A Unix domain socket that listens: it takes the place of one whose server is dead, and goes when it is dropped.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tokio::net::{self, UnixListener, UnixStream};

use crate::listener::BACKLOG;

/// Who can reach it may use it: the folder that it is in decides who that is.
const MODE: u32 = 0o666;

/// The listening socket and its file.
pub(crate) struct UnixSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl UnixSocket {
    /// Listens. Fails if another server does, or if there is something else than a socket.
    pub(crate) async fn bind(path: &Path) -> io::Result<Self> {
        let listener = match listen(path) {
            Err(error) if error.kind() == ErrorKind::AddrInUse && is_dead(path).await => {
                fs::remove_file(path)?;
                listen(path)?
            }
            listener => listener?,
        };
        let socket = Self { listener, path: path.to_owned() };
        fs::set_permissions(path, Permissions::from_mode(MODE))?;
        Ok(socket)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) async fn accept(&self) -> io::Result<UnixStream> {
        Ok(self.listener.accept().await?.0)
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.path) {
            tracing::warn!(%error, path = %self.path.display(), "cannot remove a socket");
        }
    }
}

fn listen(path: &Path) -> io::Result<UnixListener> {
    let socket = net::UnixSocket::new_stream()?;
    socket.bind(path)?;
    socket.listen(BACKLOG)
}

/// Whether it is a socket that nobody listens on. Connecting to any other file is refused as well.
async fn is_dead(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let connected = UnixStream::connect(path).await;
    is_socket && connected.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn everybody_who_reaches_it_may_use_it_while_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lmtp");
        let socket = UnixSocket::bind(&path).await.unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
        let (connected, accepted) = tokio::join!(UnixStream::connect(&path), socket.accept());
        assert!(connected.is_ok() && accepted.is_ok());
        drop(socket);
        assert!(!path.exists());
    }

    #[tokio::test]
    async fn the_dead_make_room_and_the_living_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lmtp");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "as a server leaves it that was killed");
        let socket = UnixSocket::bind(&path).await.unwrap();
        let taken = UnixSocket::bind(&path).await.map(drop).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        assert!(UnixStream::connect(&path).await.is_ok(), "it has lost nothing");
        drop(socket);
    }

    #[tokio::test]
    async fn only_sockets_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "precious").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for path in [&file, &link] {
            assert!(UnixSocket::bind(path).await.is_err());
            assert_eq!(fs::read(path).unwrap(), b"precious");
        }
    }
}
