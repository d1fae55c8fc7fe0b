//! The socket that the commands go through, and how it is found.

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

use super::*;

#[test]
fn the_socket_is_private_and_there_while_the_server_is() {
    let mut operated = Operated::new("");
    let socket = operated.data.join("admin");
    let metadata = fs::symlink_metadata(&socket).unwrap();
    assert!(metadata.file_type().is_socket());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);

    // A server that was killed leaves one behind, which the next one replaces.
    operated.server.process.kill().unwrap();
    operated.server.process.wait().unwrap();
    assert!(socket.exists());
    let outcome = operated.admin(&["list"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (UNAVAILABLE, ""), "{outcome:?}");
    (operated.server, operated.pop3) = start(&operated.home, &operated.data);
    operated.admin(&["list"]).done();

    kill_process(Pid::from_child(&operated.server.process), Signal::TERM).unwrap();
    operated.server.process.wait().unwrap();
    assert!(!socket.exists());
}

#[test]
fn the_server_is_found_by_its_data_folder() {
    let operated = Operated::new("");
    let wrong = operated.home.path("elsewhere");
    for folder in [&wrong, operated.home.path("config.toml").as_path()].map(Path::to_path_buf) {
        let outcome = admin(&operated.home, &folder, &["list"], "");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (UNAVAILABLE, ""), "{outcome:?}");
        for part in [folder.to_str().unwrap(), "mymail serve", "--data"] {
            assert!(outcome.stderr.contains(part), "{outcome:?}");
        }
    }
    assert!(!wrong.exists(), "looking makes nothing");

    let run = |arguments: &[&str]| operated.home.command(arguments).output().unwrap();
    assert_eq!(run(&["admin", "list"]).status.code(), Some(UNAVAILABLE), "the default folder has no server");
    fs::write(operated.home.path("named.toml"), "data = \"data\"").unwrap();
    let named = run(&["admin", "list", "--config", "named.toml", "--json"]);
    assert!(named.status.success(), "{named:?}");
}

#[test]
fn a_data_folder_may_have_a_long_path() {
    let operated = Operated::with_data("", &format!("{}/data", "long".repeat(50)));
    assert!(operated.data.as_os_str().len() > 200);
    operated.add("alice");
    assert_eq!(operated.object(&["show", "alice"])["address"], "alice@mymailserver");
}

#[test]
fn what_is_no_request_does_nothing() {
    let operated = Operated::new("");
    for request in ["\n", "hello\n", "\"show\"\n", "{\"remove\":{\"name\":\"postmaster\",\"force\":true}}\n"] {
        assert_eq!(operated.socket(request).unwrap(), "{\"refused\":\"bad_request\"}\n", "{request}");
    }
    // Nothing is done for one that is not whole, or too long.
    let mut cut = UnixStream::connect(operated.data.join("admin")).unwrap();
    cut.write_all(b"{\"add\":{\"name\":\"eve\",\"password\":null}}").unwrap();
    cut.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    cut.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "");
    let long = format!("{{\"add\":{{\"name\":\"eve\",\"password\":\"{}\"}}}}\n", "x".repeat(1 << 20));
    assert!(!operated.socket(&long).is_ok_and(|answer| answer.contains("eve")));
    assert_eq!(operated.admin(&["show", "eve"]).code, NO_USER);
}
