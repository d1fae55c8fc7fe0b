//! From inside: a thread that has given up what a server gives up, and what it can do then. Other threads of the test go on.

use std::fs::{self, File, Permissions};
use std::io::{self, ErrorKind, Read};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::Command;
use std::thread;

use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketType};
use rustix::thread::{capabilities, set_capabilities};
use tempfile::TempDir;

use crate::confine::{Files, GivenUp, Reach, confine};

/// Does something in a thread that is confined to the folder `data` of a home, and that may read in `read` and connect to these.
fn confined(home: &TempDir, reach: Option<&Reach>, work: impl FnOnce(&Path) + Send) {
    let path = |name| home.path().join(name);
    let files = Files { data: path("data"), read: vec![path("read")], sockets: vec![path("sockets")] };
    for folder in ["data", "read", "sockets", "outside"] {
        fs::create_dir(path(folder)).unwrap();
        fs::write(path(folder).join("file"), folder).unwrap();
        fs::set_permissions(path(folder).join("file"), Permissions::from_mode(0o666)).unwrap();
    }
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let mut given_up = GivenUp::default();
            confine(&files, reach, &mut given_up);
            assert!(!given_up.is_in_part(), "{given_up}");
            work(home.path());
        });
        thread.join().unwrap();
    });
}

fn is_denied<T>(result: io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied)
}

#[test]
fn the_data_folder_is_all_there_is_of_files() {
    let home = tempfile::tempdir().unwrap();
    confined(&home, None, |home| {
        let [data, read, sockets, outside] = ["data", "read", "sockets", "outside"].map(|name| home.join(name));
        assert_eq!(fs::read(data.join("file")).unwrap(), b"data");
        fs::create_dir(data.join("new")).unwrap();
        fs::write(data.join("new/file"), "new").unwrap();
        fs::rename(data.join("new/file"), data.join("moved")).unwrap();
        File::options().write(true).open(data.join("moved")).unwrap().set_len(1).unwrap();
        UnixListener::bind(data.join("socket")).unwrap();
        fs::remove_dir(data.join("new")).unwrap();
        assert_eq!(fs::read_dir(&data).unwrap().count(), 3);

        assert_eq!(fs::read(read.join("file")).unwrap(), b"read");
        assert!(is_denied(fs::write(read.join("file"), "")) && is_denied(fs::write(read.join("new"), "")));
        fs::remove_file(sockets.join("file")).unwrap();
        assert!(is_denied(fs::write(sockets.join("file"), "")));

        for file in [&outside.join("file"), Path::new("/etc/passwd"), Path::new("/proc/self/environ")] {
            assert!(is_denied(fs::read(file)), "{} can be read", file.display());
        }
        assert!(is_denied(fs::read_dir(&outside)) && is_denied(fs::read_dir("/")));
        assert!(is_denied(fs::write(outside.join("file"), "")) && is_denied(fs::write(outside.join("new"), "")));
        assert!(is_denied(fs::remove_file(outside.join("file"))) && is_denied(fs::create_dir(outside.join("new"))));
        // A link leads no further, nor does a way back.
        fs::hard_link(data.join("file"), data.join("again")).unwrap();
        assert!(fs::hard_link(outside.join("file"), data.join("stolen")).is_err());
        assert!(fs::rename(outside.join("file"), data.join("stolen")).is_err());
        assert!(is_denied(fs::read(data.join("../outside/file"))));

        let mut random = [0; 16];
        File::open("/dev/urandom").unwrap().read_exact(&mut random).unwrap();
        assert!(is_denied(File::open("/dev/zero")));
    });
    assert_eq!(fs::read(home.path().join("outside/file")).unwrap(), b"outside", "only that thread is confined");
}

#[test]
fn it_can_neither_run_programs_nor_connect_nor_gain_rights() {
    let home = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    confined(&home, None, |_| {
        assert!(is_denied(TcpStream::connect(address)));
        assert!(is_denied(TcpListener::bind("127.0.0.1:0")));
        assert!(is_denied(UdpSocket::bind("127.0.0.1:0")));
        assert!(is_denied(Command::new("/bin/true").status()));
        // What it has it may always keep, but for the filter.
        let capabilities = capabilities(None).unwrap();
        assert_eq!(set_capabilities(None, capabilities), Err(Errno::PERM));
        // Threads it can start.
        thread::spawn(|| assert!(is_denied(fs::read("/etc/passwd")))).join().unwrap();
        // What was there before works on.
        listener.set_nonblocking(true).unwrap();
        assert!(listener.accept().is_err_and(|error| error.kind() == ErrorKind::WouldBlock));
    });
    TcpStream::connect(address).unwrap();
    assert!(Command::new("/bin/true").status().unwrap().success());
}

#[test]
fn a_database_can_be_connected_to_and_nothing_else() {
    let [database, other] = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [address, elsewhere] = [&database, &other].map(|listener| listener.local_addr().unwrap());
    for names in [false, true] {
        let home = tempfile::tempdir().unwrap();
        let socket = UnixListener::bind(home.path().join("socket")).unwrap();
        let reach = Reach { ports: vec![address.port()], names };
        confined(&home, Some(&reach), |home| {
            TcpStream::connect(address).unwrap();
            assert!(is_denied(TcpStream::connect(elsewhere)));
            let dns = SocketAddr::from(([127, 0, 0, 1], 53));
            assert_eq!(is_denied(TcpStream::connect(dns)), !names, "it may be refused by whoever is there, or is not");
            assert_eq!(is_denied(UdpSocket::bind("127.0.0.1:0")), !names);
            assert!(is_denied(TcpListener::bind("127.0.0.1:0")));
            let (raw, internet) = (SocketType::RAW, AddressFamily::INET);
            assert_eq!(rustix::net::socket(internet, raw, None).unwrap_err(), Errno::PERM);
            assert_eq!(rustix::net::socket(AddressFamily::NETLINK, raw, None).unwrap_err(), Errno::PERM);
            UnixStream::connect(home.join("socket")).unwrap();
            assert!(is_denied(fs::read("/etc/passwd")) && is_denied(Command::new("/bin/true").status()));
        });
        drop(socket);
    }
}

#[test]
fn a_database_on_this_machine_needs_no_network() {
    let home = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let _socket = UnixListener::bind(home.path().join("socket")).unwrap();
    confined(&home, Some(&Reach::default()), |home| {
        UnixStream::connect(home.join("socket")).unwrap();
        assert!(is_denied(TcpStream::connect(listener.local_addr().unwrap())));
        assert!(is_denied(UdpSocket::bind("127.0.0.1:0")));
    });
}
