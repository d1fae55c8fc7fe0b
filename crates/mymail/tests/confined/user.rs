//! As whom a server runs that root has started.

use std::fs::{self, Permissions};
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::client::Client;
use crate::common::{Home, Server};
use crate::threads::{CONFINED, expect_of_all_threads};
use crate::until::until;

/// A user that every Debian has, and its numbers.
pub(crate) const USER: &str = "daemon";
const ID: u32 = 1;

/// A port that is root's, at an address that nobody else uses.
const PORT: &str = "127.0.0.77:25";

const CONFIG: i32 = 78;
const NO_PERMISSION: i32 = 77;

/// What a process has that runs as the user and can do nothing else.
pub(crate) const POWERLESS: [(&str, &str); 7] = [
    ("Uid", "1 1 1 1"),
    ("Gid", "1 1 1 1"),
    ("Groups", ""),
    ("CapInh", "0000000000000000"),
    ("CapPrm", "0000000000000000"),
    ("CapEff", "0000000000000000"),
    ("CapAmb", "0000000000000000"),
];

/// A home that others may go through.
pub(crate) fn open_home() -> Home {
    let home = Home::new();
    fs::set_permissions(home.path(""), Permissions::from_mode(0o755)).unwrap();
    home
}

/// A folder in it that is the user's.
fn folder_of_user(home: &Home, name: &str) -> PathBuf {
    let folder = home.path(name);
    fs::create_dir(&folder).unwrap();
    chown(&folder, Some(ID), Some(ID)).unwrap();
    folder
}

/// The owners of all that is in a folder, and of the folder itself.
fn expect_all_of_user(folder: &Path) {
    let metadata = fs::metadata(folder).unwrap();
    assert_eq!((metadata.uid(), metadata.gid()), (ID, ID), "{}", folder.display());
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        assert_eq!((metadata.uid(), metadata.gid()), (ID, ID), "{}", path.display());
        if metadata.is_dir() {
            expect_all_of_user(&path);
        }
    }
}

fn code_and_errors(output: &Output) -> (i32, String) {
    assert_eq!(output.stdout, b"");
    (output.status.code().unwrap(), String::from_utf8(output.stderr.clone()).unwrap())
}

#[test]
fn a_user_that_is_not_there_is_named() {
    let home = Home::new();
    let (code, errors) = code_and_errors(&home.command(&["serve", "--user", "no-such-user"]).output().unwrap());
    assert_eq!(code, CONFIG, "{errors}");
    assert!(errors.contains("there is no user no-such-user"), "{errors}");
}

#[tokio::test]
#[ignore = "it needs root; CI runs it"]
async fn root_listens_and_reads_the_key_and_is_root_no_more() -> io::Result<()> {
    let home = open_home();
    // A certificate that a server has made for itself; nobody but root can read the key.
    drop(Server::start(&mut home.command(&["serve", "--data", "tls", "--listen", "smtp=127.0.0.1:0"])));
    fs::set_permissions(home.path("tls"), Permissions::from_mode(0o755))?;
    fs::set_permissions(home.path("tls/tls"), Permissions::from_mode(0o755))?;
    let file = |name: &str| home.path("tls/tls").join(name).to_str().unwrap().to_owned();
    let tls = format!("[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n", file("certificate.pem"), file("key.pem"));
    fs::write(home.path("mymail.toml"), format!("user = \"{USER}\"\n{tls}"))?;
    let run = folder_of_user(&home, "run");

    let log = fs::File::create(home.path("log"))?;
    let mut command = home.command(&["serve", "--config", "mymail.toml", "--data", "new/data"]);
    let lmtp = format!("lmtp=unix:{}", run.join("lmtp").display());
    command.args(["--listen", &format!("smtp={PORT}"), "--listen", &lmtp]).env("RUST_LOG", "info").stderr(log);
    let mut server = Server::start(&mut command);
    let pid = Pid::from_child(&server.process);
    assert_eq!(server.address, PORT);
    let log = || fs::read_to_string(home.path("log")).unwrap();
    assert!(log().contains(&format!("gave up: root (it is {USER} now), ")), "{}", log());

    let mut client = Client::registered(PORT, "").await?;
    let own = client.address.clone();
    assert_eq!(client.send(&[&own], &b"A line\r\n".repeat(40_000)).await?, "250 OK");
    assert_eq!(client.retrieve().await?.len(), 1);
    // With the threads that all this has brought.
    expect_of_all_threads(pid, &CONFINED);
    expect_of_all_threads(pid, &POWERLESS);
    expect_all_of_user(&home.path("new"));

    let mut greeting = String::new();
    BufReader::new(UnixStream::connect(run.join("lmtp"))?).read_line(&mut greeting)?;
    assert!(greeting.starts_with("220 "), "{greeting}");
    // Root is the operator all the same; what it has copied is the user's.
    let listed = home.command(&["admin", "list", "--data", "new/data"]).output()?;
    assert!(listed.status.success() && !listed.stdout.is_empty(), "{listed:?}");
    let backups = folder_of_user(&home, "backups");
    let made = home.command(&["backup", "backups/first", "--data", "new/data"]).output()?;
    assert!(made.status.success(), "{made:?}");
    expect_all_of_user(&backups);
    let refused = home.command(&["backup", "elsewhere", "--data", "new/data"]).output()?;
    assert_eq!(refused.status.code(), Some(73), "{refused:?}");

    let told = "what the server gave up at its start it can't read any more";
    kill_process(pid, Signal::HUP).unwrap();
    until("it says why it can't read the key", async || Ok(log().contains(told))).await?;
    assert!(log().contains(&format!("cannot read {}", file("key.pem"))), "{}", log());
    client.expect("NOOP", "250 ").await?;
    chown(file("key.pem"), None, Some(ID))?;
    fs::set_permissions(file("key.pem"), Permissions::from_mode(0o640))?;
    kill_process(pid, Signal::HUP).unwrap();
    until("it reads it again", async || Ok(log().contains("configuration and certificate read again"))).await?;

    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(server.process.wait()?.code(), Some(0));
    assert!(!run.join("lmtp").exists());
    Ok(())
}

#[test]
#[ignore = "it needs root; CI runs it"]
fn a_data_folder_of_somebody_else_is_not_taken() {
    let home = open_home();
    fs::create_dir(home.path("data")).unwrap();
    let arguments = ["serve", "--data", "data", "--user", USER, "--listen", "smtp=127.0.0.1:0"];
    let (code, errors) = code_and_errors(&home.command(&arguments).output().unwrap());
    assert_eq!(code, CONFIG, "{errors}");
    let advice = format!("belongs to root, and the server is to run as {USER}: run `chown -R {USER}: ");
    assert!(errors.contains(&advice), "{errors}");
    assert_eq!(fs::read_dir(home.path("data")).unwrap().count(), 0);
    chown(home.path("data"), Some(ID), Some(ID)).unwrap();
    Server::start(&mut home.command(&arguments));
}

#[test]
#[ignore = "it needs root; CI runs it"]
fn without_a_user_root_goes_on_and_says_so() {
    let home = open_home();
    let log = fs::File::create(home.path("log")).unwrap();
    let server = Server::start(home.command(&["serve", "--data", "data", "--listen", "smtp=127.0.0.1:0"]).stderr(log));
    expect_of_all_threads(Pid::from_child(&server.process), &CONFINED);
    expect_of_all_threads(Pid::from_child(&server.process), &[("Uid", "0 0 0 0")]);
    // CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH and FOWNER.
    let over_files = "000000000000000f";
    expect_of_all_threads(Pid::from_child(&server.process), &[("CapEff", over_files), ("CapPrm", over_files)]);
    let log = fs::read_to_string(home.path("log")).unwrap();
    assert!(log.contains(" WARN ") && log.contains("could not give up: root (no other user is named"), "{log}");
}

/// The program, run by the user, with such options of setpriv.
fn as_user(home: &Home, options: &[&str], arguments: &[&str]) -> Command {
    // Where the user can reach it.
    fs::copy(env!("CARGO_BIN_EXE_mymail"), home.path("program")).unwrap();
    let program = home.command(&[]);
    let mut command = Command::new("/usr/bin/setpriv");
    command.args([&format!("--reuid={USER}"), &format!("--regid={USER}"), "--clear-groups"]).args(options);
    command.arg(home.path("program")).args(arguments).current_dir(home.path("")).stdin(Stdio::null());
    command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
}

#[test]
#[ignore = "it needs root; CI runs it"]
fn only_root_can_become_another() {
    let home = open_home();
    folder_of_user(&home, "data");
    let arguments = |user| ["serve", "--data", "data", "--listen", "smtp=127.0.0.1:0", "--user", user];
    let (code, errors) = code_and_errors(&as_user(&home, &[], &arguments("nobody")).output().unwrap());
    assert_eq!(code, NO_PERMISSION, "{errors}");
    assert!(errors.contains("only root can become nobody"), "{errors}");
    let server = Server::start(&mut as_user(&home, &[], &arguments(USER)));
    expect_of_all_threads(Pid::from_child(&server.process), &CONFINED);
}

/// As systemd starts it.
#[test]
#[ignore = "it needs root; CI runs it"]
fn the_right_to_low_ports_is_given_up_once_they_are_had() {
    const ADDRESS: &str = "127.0.0.78:25";
    let home = open_home();
    folder_of_user(&home, "data");
    let options = ["--inh-caps=+net_bind_service", "--ambient-caps=+net_bind_service"];
    let arguments = ["serve", "--data", "data", "--listen", &format!("smtp={ADDRESS}")];
    let server = Server::start(&mut as_user(&home, &options, &arguments));
    assert_eq!(server.address, ADDRESS);
    expect_of_all_threads(Pid::from_child(&server.process), &POWERLESS);
}
