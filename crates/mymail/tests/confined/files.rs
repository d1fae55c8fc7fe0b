//! Files as a server sees and leaves them.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::{fs, io};

use rustix::process::{Pid, Signal, kill_process};

use crate::client::Client;
use crate::common::{Home, Server};
use crate::host::Host;
use crate::threads::{CONFINED, expect_of_all_threads};
use crate::until::until;

/// A message of so many octets has a file of its own.
const BIG_OCTETS: usize = 300_000;

/// The mode of everything beneath a folder.
fn modes(folder: &Path) -> BTreeMap<String, u32> {
    let mut modes = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let (path, metadata) = (entry.as_ref().unwrap().path(), entry.unwrap().metadata().unwrap());
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            modes.insert(name, metadata.permissions().mode() & 0o7777);
            if metadata.is_dir() {
                folders.push(path);
            }
        }
    }
    modes
}

/// A command that is started with a umask of nothing.
fn without_umask(home: &Home, arguments: &[&str]) -> Command {
    let command = home.command(arguments);
    let mut shell = Command::new("/bin/sh");
    shell.args(["-c", "umask 0; exec \"$0\" \"$@\""]).arg(command.get_program()).args(command.get_args());
    shell.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.current_dir(command.get_current_dir().unwrap()).stdin(Stdio::null());
    shell
}

#[tokio::test]
async fn whatever_the_umask_nobody_else_can_read_what_it_keeps() -> io::Result<()> {
    let home = Home::new();
    let listeners = ["--listen", "smtp=127.0.0.1:0", "--listen", "lmtp=unix:lmtp"];
    let arguments = [&["serve", "--data", "new/data"], &listeners[..]].concat();
    let server = Server::start(&mut without_umask(&home, &arguments));
    let mut client = Client::registered(&server.address, "").await?;
    client.password().await?;
    let own = client.address.clone();
    for text in [b"small\r\n".to_vec(), b"A line\r\n".repeat(BIG_OCTETS / 8)] {
        assert_eq!(client.send(&[&own], &text).await?, "250 OK");
    }
    for folder in ["new", "new/data"] {
        assert_eq!(fs::metadata(home.path(folder))?.permissions().mode() & 0o7777, 0o700, "{folder}");
    }
    let there = modes(&home.path("new/data"));
    for name in ["admin", "bodies/1", "journal/1", "lock", "mail.db", "mail.db-wal", "mail.db-shm", "tls/key.pem"] {
        assert_eq!(there.get(name), Some(&0o600), "{name} of {there:?}");
    }
    for (name, mode) in &there {
        // Who trusts the server has to have its certificate.
        let expected: &[u32] = if name == "tls/certificate.pem" { &[0o644] } else { &[0o600, 0o700] };
        assert!(expected.contains(mode), "{name} has the mode {mode:o}");
    }
    assert_eq!(fs::metadata(home.path("lmtp"))?.permissions().mode() & 0o7777, 0o666, "its folder decides");

    let made = without_umask(&home, &["backup", "backup", "--data", "new/data"]).output()?;
    assert!(made.status.success(), "{made:?}");
    let restored = without_umask(&home, &["restore", "backup", "--data", "restored"]).output()?;
    assert!(restored.status.success(), "{restored:?}");
    for copy in ["backup", "restored"] {
        for (name, mode) in modes(&home.path(copy)) {
            assert!(mode & 0o077 == 0 || name == "tls/certificate.pem", "{copy}: {name} has the mode {mode:o}");
        }
    }
    Ok(())
}

/// What a server is confined to is seen where it is asked to read something else.
#[tokio::test]
async fn it_reads_again_what_is_beside_its_configuration_and_nothing_else() -> io::Result<()> {
    let home = Home::new();
    fs::create_dir(home.path("etc"))?;
    let config = |folder: &str| {
        let file = |name| home.path(folder).join(name).to_str().unwrap().to_owned();
        format!("[tls]\ncertificate = \"{}\"\nkey = \"{}\"\n", file("certificate.pem"), file("key.pem"))
    };
    let write = |text: String| {
        // As editors do it: another file takes its name.
        fs::write(home.path("etc/new"), text).unwrap();
        fs::rename(home.path("etc/new"), home.path("etc/mymail.toml")).unwrap();
    };
    for folder in ["first", "second", "outside"] {
        // A certificate that a server makes for itself is as good as any other.
        drop(Server::start(&mut home.command(&["serve", "--data", folder, "--listen", "smtp=127.0.0.1:0"])));
        fs::create_dir(home.path("etc").join(folder))?;
        for name in ["certificate.pem", "key.pem"] {
            fs::copy(home.path(folder).join("tls").join(name), home.path("etc").join(folder).join(name))?;
        }
    }
    fs::rename(home.path("etc/outside"), home.path("away"))?;
    // As certbot does it: a link to the latest one, which is in another folder.
    fs::create_dir(home.path("archive"))?;
    let link_one = |name: &str, of: &str| {
        let (there, link) = (home.path("archive").join(of).with_extension(name), home.path("etc/first").join(name));
        fs::copy(home.path(of).join("tls").join(name), &there).unwrap();
        fs::remove_file(&link).unwrap();
        std::os::unix::fs::symlink(there, link).unwrap();
    };
    let link = |of: &str| ["certificate.pem", "key.pem"].iter().for_each(|name| link_one(name, of));
    link("first");
    write(config("etc/first"));
    let log = fs::File::create(home.path("log"))?;
    let mut command = home.command(&["serve", "--config", "etc/mymail.toml", "--data", "data"]);
    command.args(["--listen", "smtp=127.0.0.1:0"]).env("RUST_LOG", "info").stderr(log);
    let server = Server::start(&mut command);
    let pid = Pid::from_child(&server.process);
    expect_of_all_threads(pid, &CONFINED);
    let log = || fs::read_to_string(home.path("log")).unwrap();
    let given_up = format!("files outside {} (but reading beneath ", home.path("data").display());
    assert!(log().contains("gave up: ") && log().contains(&given_up), "{}", log());

    let reload = async |text: String, told: &str| {
        let before = log().matches(told).count();
        write(text);
        kill_process(pid, Signal::HUP).unwrap();
        until(told, async || Ok(log().matches(told).count() > before)).await
    };
    reload(config("etc/first"), "configuration and certificate read again").await?;
    reload(config("etc/second"), "configuration and certificate read again").await?;
    link("second");
    reload(config("etc/first"), "configuration and certificate read again").await?;
    reload(config("away"), "what the server gave up at its start it can't read any more").await?;
    assert!(log().contains(&format!("cannot read {}", home.path("away/certificate.pem").display())), "{}", log());
    reload(config("etc/first"), "configuration and certificate read again").await
}

#[tokio::test]
async fn all_that_was_given_up_is_in_one_line_of_the_log() -> io::Result<()> {
    let host = Host::new("");
    let client = host.registered("").await?;
    expect_of_all_threads(host.pid(), &CONFINED);
    let log = host.log();
    let lines: Vec<_> = log.lines().filter(|line| line.contains("gave up: ")).collect();
    let [line] = lines[..] else { panic!("{log}") };
    for part in ["new privileges", "files outside ", "other programs", "outgoing connections"] {
        assert!(line.contains(part), "{part} is missing in {line}");
    }
    client.quit().await
}
