//! One PostgreSQL server or several, of which one is the primary.

use std::env;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use super::server::{OWNER, Server};

/// The loopback.
const HOST: &str = "127.0.0.1";
/// Nothing outlives the machine's power, which no test of such a server cuts.
const QUICK: &str = "fsync = off\nfull_page_writes = off\nsynchronous_commit = off\n";
/// What the tests' settings change of it.
const AS_INSTALLED: &str = "shared_buffers = 128MB\njit = on\n";

/// PostgreSQL servers that are one for their clients. Gone afterwards.
pub struct Cluster {
    servers: Vec<Server>,
    primary: usize,
    databases: AtomicU64,
}

impl Cluster {
    /// One server that keeps what it has acknowledged.
    ///
    /// # Panics
    ///
    /// If PostgreSQL is not installed, as everything here does.
    pub fn start() -> Self {
        Self::listening(HOST)
    }

    /// The same, at an address of this machine that others may be connected to.
    pub fn listening(host: &str) -> Self {
        Self::of(Server::new(host, &env::temp_dir(), ""))
    }

    /// The same as Debian has it, with its folder in this one, where PostgreSQL's user can make it.
    pub fn as_installed(parent: &Path) -> Self {
        Self::of(Server::new(HOST, parent, AS_INSTALLED))
    }

    /// One server that forgets all when the machine loses its power.
    pub fn quick() -> Self {
        Self::of(Server::new(HOST, &env::temp_dir(), QUICK))
    }

    /// A primary, number 0, and so many standbys. What is acknowledged is on at least one of them as well.
    pub fn with_standbys(count: usize) -> Self {
        let mut cluster = Self::start();
        for number in 1..=count {
            cluster.servers.push(Server::standby(cluster.primary(), &name(number)));
        }
        let names: Vec<_> = (0..=count).map(name).collect();
        cluster.set(0, "synchronous_standby_names", &format!("ANY 1 ({})", names.join(", ")));
        for number in 1..=count {
            // They have it from now on, too, for when they are promoted.
            cluster.set(number, "synchronous_standby_names", &format!("ANY 1 ({})", names.join(", ")));
        }
        cluster
    }

    fn of(server: Server) -> Self {
        Self { servers: vec![server], primary: 0, databases: AtomicU64::new(0) }
    }

    /// Makes an empty database. A url to it that leads to the primary, whichever server that is.
    pub fn fresh_database(&self) -> String {
        let name = format!("test{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.psql("postgres", &format!("CREATE DATABASE {name} OWNER {OWNER}"));
        self.url(&name)
    }

    /// A url to a database that leads to the primary, whichever server that is.
    pub fn url(&self, database: &str) -> String {
        let hosts: Vec<_> = self.servers.iter().map(|server| format!("{}:{}", server.host, server.port)).collect();
        let (hosts, password) = (hosts.join(","), &self.primary().password);
        format!("postgres://{OWNER}:{password}@{hosts}/{database}?target_session_attrs=read-write")
    }

    /// What the primary says to a superuser, the columns parted by `|`.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        self.primary().psql(database, sql)
    }

    /// The server that takes writes.
    pub fn primary(&self) -> &Server {
        &self.servers[self.primary]
    }

    /// The server of this number.
    pub fn server(&self, number: usize) -> &Server {
        &self.servers[number]
    }

    /// Starts the primary again after its end.
    pub fn restart(&mut self) {
        self.servers[self.primary].start();
    }

    /// Makes a primary of the standby that has most, and lets the others follow it. The old primary is left alone: it has
    /// ended, or can't go on without them. The number of the new one.
    pub fn promote(&mut self) -> usize {
        let old = self.primary;
        let standbys: Vec<_> = (0..self.servers.len()).filter(|number| *number != old).collect();
        // First nobody hears the old one any more, so that nothing is acknowledged to it that is not compared.
        for number in &standbys {
            self.set(*number, "primary_conninfo", "");
            let receivers = "SELECT count(*) FROM pg_stat_wal_receiver";
            self.servers[*number].wait_for("it is cut off", |server| server.psql("postgres", receivers) == "0");
        }
        let received = |number: &usize| {
            let position = "SELECT pg_wal_lsn_diff(pg_last_wal_receive_lsn(), '0/0')";
            self.servers[*number].psql("postgres", position).parse::<u64>().unwrap()
        };
        self.primary = standbys.iter().copied().max_by_key(received).unwrap();
        assert_eq!(self.psql("postgres", "SELECT pg_promote()"), "t");
        for number in standbys.iter().filter(|number| **number != self.primary) {
            self.set(*number, "primary_conninfo", &self.primary().conninfo(&name(*number)));
        }
        self.primary
    }

    fn set(&self, number: usize, setting: &str, value: &str) {
        let server = &self.servers[number];
        // In a transaction, which two statements at once are, it can't be done.
        server.psql("postgres", &format!("ALTER SYSTEM SET {setting} = '{value}'"));
        server.psql("postgres", "SELECT pg_reload_conf()");
    }
}

fn name(number: usize) -> String {
    format!("server{number}")
}
