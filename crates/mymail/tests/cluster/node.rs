//! A running `mymail serve` on the database that others are on, too.

use std::process::Command;
use std::{fs, thread};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, setrlimit};

use crate::common::{Home, Server};

/// How long things last: an account and its address, and a node that gives no sign of life.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Leases {
    pub(crate) registration: &'static str,
    pub(crate) node: &'static str,
}

/// As they are by themselves: longer than any test.
pub(crate) const LONG: Leases = Leases { registration: "24h", node: "30s" };

/// One of several servers. What it says goes to a log in its home.
pub(crate) struct Node {
    server: Server,
    home: Home,
    /// Where it listens.
    pub(crate) smtp: String,
    pub(crate) pop3: String,
}

impl Node {
    /// One that listens on this machine.
    pub(crate) fn start(url: &str, leases: Leases) -> Self {
        Self::start_at("127.0.0.1", url, leases, |command| command)
    }

    /// One that listens at this address, whose command is changed like this before.
    pub(crate) fn start_at(host: &str, url: &str, leases: Leases, change: impl FnOnce(Command) -> Command) -> Self {
        let home = Home::new();
        fs::write(home.path("config.toml"), config(host, url, leases)).unwrap();
        let mut command = change(home.command(&["serve", "--config", "config.toml"]));
        let log = fs::File::create(home.path("log")).unwrap();
        let mut server = Server::start(command.env("RUST_LOG", "info").stderr(log));
        let (smtp, pop3) = (server.address.clone(), server.next_listener());
        Self { server, home, smtp, pop3 }
    }

    /// As many as there are to be.
    pub(crate) fn start_all(count: usize, url: &str, leases: Leases) -> Vec<Self> {
        (0..count).map(|_| Self::start(url, leases)).collect()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.server.process), signal).unwrap();
    }

    /// Ends it on the spot.
    pub(crate) fn kill(&mut self) {
        self.server.process.kill().unwrap();
        self.server.process.wait().unwrap();
    }

    /// Whether it has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        self.server.process.try_wait().unwrap().is_none()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = fs::read_to_string(self.home.path("log")).unwrap_or_default();
            let last: Vec<_> = log.lines().rev().take(10).collect();
            let last: Vec<_> = last.into_iter().rev().collect();
            eprintln!("the node at {} has logged:\n{}", self.smtp, last.join("\n"));
        }
    }
}

/// Lets this process have as many connections as the system allows it.
pub(crate) fn raise_descriptor_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}

fn config(host: &str, url: &str, leases: Leases) -> String {
    let Leases { registration, node } = leases;
    format!(
        r#"
registration = {{ lease = "{registration}", per_peer_per_hour = 1000000 }}
limits = {{ connections_per_peer = 10000 }}
store = {{ engine = "postgres", url = "{url}", node_lease = "{node}" }}

[[listen]]
protocol = "smtp"
address = "{host}:0"

[[listen]]
protocol = "pop3"
address = "{host}:0"
"#
    )
}
