//! The Debian package: what is in it, and what becomes of the machine that it is installed on.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::client::Client;
use crate::common::{Home, Server};
use crate::threads::{CONFINED, expect_of_all_threads};

const PROGRAM: &str = "/usr/bin/mymail";
const CONFIG: &str = "/etc/mymail/mymail.toml";
const DATA: &str = "/var/lib/mymail";

/// Runs a tool to its end; what it says.
fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().unwrap();
    let said = [output.stdout, output.stderr].map(|octets| String::from_utf8(octets).unwrap()).concat();
    assert!(output.status.success(), "{program} {arguments:?}: {said}");
    said
}

fn built(home: &Home) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/build-deb");
    run(script.to_str().unwrap(), &[env!("CARGO_BIN_EXE_mymail"), home.path("out").to_str().unwrap()]);
    let mut packages = fs::read_dir(home.path("out")).unwrap();
    packages.next().unwrap().unwrap().path()
}

/// Takes it off the machine again, however the test ends.
struct Installed;

impl Drop for Installed {
    fn drop(&mut self) {
        run("dpkg", &["--purge", "mymail"]);
    }
}

/// Starts the server as its unit does: as the user, in the folder that systemd makes for it.
fn start() -> Server {
    run("install", &["-d", "-m", "0700", "-o", "mymail", "-g", "mymail", DATA]);
    let mut command = Command::new("setpriv");
    command.args(["--reuid=mymail", "--regid=mymail", "--clear-groups", "--no-new-privs"]);
    command.args(["--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"]);
    command.args([PROGRAM, "serve", "--config", CONFIG]).env_clear().stdin(Stdio::null());
    Server::start(&mut command)
}

#[tokio::test]
#[ignore = "it installs a package, as root; CI runs it"]
async fn the_package_is_installed_runs_and_goes_and_leaves_the_mail() -> std::io::Result<()> {
    assert!(!Path::new(PROGRAM).exists() && !Path::new(DATA).exists(), "this machine has a mymail already");
    let home = Home::new();
    let package = built(&home);
    let package = package.to_str().unwrap();
    let contents = run("dpkg-deb", &["--contents", package]);
    for (mode, path) in [
        ("-rwxr-xr-x root/root", "./usr/bin/mymail"),
        ("-rw-r--r-- root/root", "./etc/mymail/mymail.toml"),
        ("-rw-r--r-- root/root", "./lib/systemd/system/mymail.service"),
        ("-rw-r--r-- root/root", "./lib/systemd/system/mymail.socket"),
        ("-rw-r--r-- root/root", "./usr/share/doc/mymail/running.md"),
        ("-rw-r--r-- root/root", "./usr/share/doc/mymail/copyright"),
    ] {
        let is_it = |line: &str| line.starts_with(mode) && line.ends_with(path);
        assert!(contents.lines().any(is_it), "{mode} {path} is missing in\n{contents}");
    }
    assert_eq!(run("dpkg-deb", &["--field", package, "Package"]), "mymail\n");

    run("dpkg", &["--install", package]);
    let installed = Installed;
    assert_eq!(
        run("dpkg-query", &["--show", "--showformat=${Conffiles}", "mymail"]).trim().split(' ').next(),
        Some(CONFIG)
    );
    let metadata = fs::metadata(CONFIG)?;
    let group: u32 = run("id", &["-g", "mymail"]).trim().parse().unwrap();
    assert_eq!((metadata.uid(), metadata.gid(), metadata.permissions().mode() & 0o7777), (0, group, 0o640));
    run(PROGRAM, &["check-config", CONFIG]);

    let mut server = start();
    assert_eq!([server.address.clone(), server.next_listener()], ["127.0.0.1:2525", "127.0.0.1:1110"]);
    let pid = Pid::from_child(&server.process);
    expect_of_all_threads(pid, &CONFINED);
    expect_of_all_threads(pid, &[("CapEff", "0000000000000000"), ("CapPrm", "0000000000000000")]);
    let mut client = Client::registered(&server.address, "alice").await?;
    client.password().await?;
    assert_eq!(client.send(&["alice@mymailserver"], b"hello\r\n").await?, "250 OK");
    assert!(run(PROGRAM, &["admin", "list", "--config", CONFIG]).contains("alice@mymailserver 1 message, "));
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(server.process.wait()?.code(), Some(0));

    drop(installed);
    assert!(!Path::new(PROGRAM).exists() && !Path::new(CONFIG).exists());
    assert!(Path::new(DATA).join("mail.db").exists(), "the mail is gone");
    fs::remove_dir_all(DATA)?;
    run("userdel", &["mymail"]);
    Ok(())
}
