//! A Unix domain socket that listens: it takes the place of one whose server is dead, and goes when it is dropped.

use std::fs::{self, Permissions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags, fstat};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with};
use rustix::process::geteuid;

use crate::listener::BACKLOG;

/// Who can reach it may use it: the folder that it is in decides who that is.
const MODE: u32 = 0o666;

/// The file of a socket that listens.
pub(crate) struct SocketFile(PathBuf);

/// Listens. Fails if another server does, or if there is something else than a socket.
pub(crate) fn bind_unix(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let listener = match listen_on(path) {
        Err(Errno::ADDRINUSE) if is_dead(path)? => {
            fs::remove_file(path)?;
            listen_on(path)?
        }
        listener => listener?,
    };
    let file = SocketFile(path.to_owned());
    open_to_all(path)?;
    Ok((listener, file))
}

/// By what was just made, and not by its path: whoever else may write in the folder could put a link there meanwhile.
fn open_to_all(path: &Path) -> io::Result<()> {
    let file = rustix::fs::open(path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())?;
    let found = fstat(&file)?;
    let is_socket = FileType::from_raw_mode(found.st_mode) == FileType::Socket;
    if !is_socket || found.st_uid != geteuid().as_raw() || found.st_nlink != 1 {
        return Err(io::Error::other("somebody else has put another file in the socket's place"));
    }
    fs::set_permissions(format!("/proc/self/fd/{}", file.as_raw_fd()), Permissions::from_mode(MODE))
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0) {
            tracing::warn!(%error, path = %self.0.display(), "cannot remove a socket");
        }
    }
}

const FLAGS: SocketFlags = SocketFlags::NONBLOCK.union(SocketFlags::CLOEXEC);

fn listen_on(path: &Path) -> rustix::io::Result<UnixListener> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    listen(&socket, BACKLOG)?;
    Ok(socket.into())
}

/// Whether it is a socket that nobody listens on. Connecting to any other file is refused as well.
fn is_dead(path: &Path) -> io::Result<bool> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, FLAGS, None)?;
    let connected = connect(&socket, &SocketAddrUnix::new(path)?);
    Ok(is_socket && connected == Err(Errno::CONNREFUSED))
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::os::unix::net::UnixStream;

    use super::*;

    #[test]
    fn everybody_who_reaches_it_may_use_it_while_it_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lmtp");
        let (listener, file) = bind_unix(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o666);
        let connected = UnixStream::connect(&path);
        assert!(connected.is_ok() && listener.accept().is_ok());
        drop(file);
        assert!(!path.exists());
    }

    #[test]
    fn the_dead_make_room_and_the_living_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lmtp");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists(), "as a server leaves it that was killed");
        let bound = bind_unix(&path).unwrap();
        let taken = bind_unix(&path).map(drop).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AddrInUse);
        assert!(UnixStream::connect(&path).is_ok(), "it has lost nothing");
        drop(bound);
    }

    #[test]
    fn only_sockets_are_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "precious").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        for path in [&file, &link] {
            assert!(bind_unix(path).is_err());
            assert_eq!(fs::read(path).unwrap(), b"precious");
        }
    }

    #[test]
    fn what_somebody_puts_in_the_place_of_a_socket_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let [file, link, to_socket, socket] =
            ["file", "link", "to-socket", "socket"].map(|name| folder.path().join(name));
        fs::write(&file, "precious").unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let _listener = UnixListener::bind(&socket).unwrap();
        fs::set_permissions(&socket, Permissions::from_mode(0o600)).unwrap();
        fs::hard_link(&socket, &to_socket).unwrap();
        for path in [&file, &link, &to_socket, &socket] {
            assert!(open_to_all(path).is_err(), "{}", path.display());
        }
        for path in [&file, &socket] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600, "{}", path.display());
        }
    }
}
