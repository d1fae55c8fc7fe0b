//! The server that is attacked, and what `/proc` tells of it.

use std::process::Command;
use std::sync::Mutex;
use std::{fs, io};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};
use testkit::client::Client;
use testkit::until::until;

use crate::common::{Home, Server};
use crate::peer::Peer;

/// Listeners for clients, for other mail servers and for readers by POP3; and two for this machine, where passwords are taken in
/// clear. Limits are low, so that they are met.
const CONFIG: &str = r#"
registration = { lease = "30s", per_peer_per_hour = 200 }
limits = { connections = 2000, connections_per_peer = 300, mailbox_size = "16 MiB", mailbox_messages = 20000 }

[[listen]]
protocol = "smtp"
address = "127.0.0.1:0"
proxied_by = ["127.0.0.1/32"]

[[listen]]
protocol = "smtp"
address = "127.0.0.1:0"
from_outside = true
proxied_by = ["127.0.0.1/32"]

[[listen]]
protocol = "pop3"
address = "127.0.0.1:0"
proxied_by = ["127.0.0.1/32"]

[[listen]]
protocol = "smtp"
address = "127.0.0.1:0"

[[listen]]
protocol = "pop3"
address = "127.0.0.1:0"
"#;

/// Whose mailbox is filled.
pub(crate) const VICTIM: &str = "victim";
/// Who reads whatever comes and forgets it.
pub(crate) const SINK: &str = "sink";

/// A running server.
pub(crate) struct Stage {
    server: Mutex<Server>,
    home: Home,
    pub(crate) smtp: String,
    pub(crate) outside: String,
    pub(crate) pop3: String,
    pub(crate) local_smtp: String,
    pub(crate) local_pop3: String,
    /// Its account would end with its connection.
    _victim: Client,
    sockets_before: usize,
}

impl Stage {
    pub(crate) async fn new() -> io::Result<Self> {
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
        let home = Home::new();
        fs::write(home.path("config.toml"), CONFIG)?;
        let mut server = Server::start(&mut command(&home));
        let smtp = server.address.clone();
        let (outside, pop3) = (server.next_listener(), server.next_listener());
        let (local_smtp, local_pop3) = (server.next_listener(), server.next_listener());
        let victim = Peer::honest(999).registered(&smtp, VICTIM).await?;
        let sockets_before = sockets(&server)?;
        let server = Mutex::new(server);
        Ok(Self { server, home, smtp, outside, pop3, local_smtp, local_pop3, _victim: victim, sockets_before })
    }

    /// The memory that it has now, in KiB.
    pub(crate) fn memory_kib(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.server.lock().unwrap().process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        Ok(line.trim().strip_suffix(" kB").unwrap().parse().unwrap())
    }

    /// How many sockets it has: the most of its descriptors, and those that strangers can make.
    pub(crate) fn sockets(&self) -> io::Result<usize> {
        sockets(&self.server.lock().unwrap())
    }

    /// All who attacked and all friends are gone: nothing is left of them, and it ends as it should.
    pub(crate) async fn end(&self) -> io::Result<()> {
        until("all connections are closed", async || Ok(self.sockets()? <= self.sockets_before)).await?;
        kill_process(Pid::from_child(&self.server.lock().unwrap().process), Signal::TERM).unwrap();
        until("the server ends", async || Ok(self.server.lock().unwrap().process.try_wait()?.is_some())).await?;
        assert!(self.server.lock().unwrap().process.wait()?.success());
        let log = fs::read_to_string(self.home.path("log"))?;
        let bad = log.lines().find(|line| line.contains("ERROR") || line.contains("panicked"));
        assert_eq!(bad, None);
        Ok(())
    }
}

fn command(home: &Home) -> Command {
    let path = |name| home.path(name).to_str().unwrap().to_owned();
    let mut command = home.command(&["serve", "--config", &path("config.toml"), "--data", &path("data")]);
    command.stderr(fs::File::create(path("log")).unwrap());
    command
}

fn sockets(server: &Server) -> io::Result<usize> {
    let entries = fs::read_dir(format!("/proc/{}/fd", server.process.id()))?;
    // One that has been closed since is none.
    let targets = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    Ok(targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count())
}
