//! One PostgreSQL server.

use std::env;
use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use super::programs::{output_of, postgresql, unprivileged};
use crate::until::PATIENCE;

/// What all of them are configured with. Each has a few connections of every node, and of many tests at a time.
const SETTINGS: &str = "
unix_socket_directories = ''
max_connections = 400
shared_buffers = 32MB
jit = off
# Else it would outlive one that is killed.
dynamic_shared_memory_type = mmap
wal_retrieve_retry_interval = 100ms
log_line_prefix = '%m [%p] %a '
";

/// Who owns the databases of the tests, and may do nothing else.
pub(super) const OWNER: &str = "mymail";
/// Who may do all.
const SUPERUSER: &str = "postgres";
/// How often a port is tried that somebody else may take before PostgreSQL does.
const PORTS_MAX: u32 = 5;
const PAUSE: Duration = Duration::from_millis(10);

/// One PostgreSQL server, and the folder of its data. Both are gone afterwards, and if the process of the test is killed.
pub struct Server {
    /// The address that it listens on.
    pub host: String,
    /// The port that it listens on.
    pub port: u16,
    pub(super) password: String,
    folder: PathBuf,
    keeper: Child,
    orders: Option<ChildStdin>,
}

impl Server {
    /// A new one that runs, with these settings besides, and its folder in this one.
    pub(super) fn new(host: &str, parent: &Path, settings: &str) -> Self {
        let password = password();
        let server = Self::with_data(host, parent, &password, |data| {
            let passwords = data.with_file_name("password");
            fs::write(&passwords, &password).unwrap();
            let mut initdb = unprivileged(&postgresql("initdb"));
            initdb.args(["--no-sync", "--no-instructions", "--encoding=UTF8", "--locale=C", "--auth=password"]);
            initdb.args(["--username", SUPERUSER, "--pwfile"]).arg(&passwords).arg("-D").arg(data);
            output_of(&mut initdb);
            append(&data.join("postgresql.conf"), &format!("{SETTINGS}{settings}"));
            append(&data.join("pg_hba.conf"), "host all,replication all samenet password\n");
        });
        server.psql("postgres", &format!("CREATE ROLE {OWNER} LOGIN PASSWORD '{}'", server.password));
        server
    }

    /// A standby of another one, which goes by this name.
    pub(super) fn standby(primary: &Self, name: &str) -> Self {
        let server = Self::with_data(&primary.host, &env::temp_dir(), &primary.password, |data| {
            let mut backup = unprivileged(&postgresql("pg_basebackup"));
            backup.args(["--no-sync", "--checkpoint=fast", "--write-recovery-conf", "--dbname"]);
            output_of(backup.arg(primary.conninfo(name)).arg("-D").arg(data));
        });
        server.wait_for("it replicates", |server| server.psql("postgres", "SELECT 1 FROM pg_stat_wal_receiver") == "1");
        server
    }

    fn with_data(host: &str, parent: &Path, password: &str, fill: impl Fn(&Path)) -> Self {
        for _ in 0..PORTS_MAX {
            let port = TcpListener::bind((host, 0)).unwrap().local_addr().unwrap().port();
            let server = Self::keep(host, port, parent, password);
            fill(&server.data());
            if server.try_to_start() {
                return server;
            }
        }
        panic!("PostgreSQL does not start: {PORTS_MAX} ports were taken by others");
    }

    fn keep(host: &str, port: u16, parent: &Path, password: &str) -> Self {
        let mut keeper = unprivileged(Path::new("sh"));
        keeper.args(["-c", include_str!("keeper.sh"), "keeper"]).arg(parent).arg(postgresql("postgres"));
        keeper.args(["-D", "data", "-h", host, "-p", &port.to_string()]);
        let keeper = keeper.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut keeper = keeper.unwrap_or_else(|error| panic!("PostgreSQL needs sh and setpriv: {error}"));
        let mut folder = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut folder).unwrap();
        assert!(!folder.is_empty(), "PostgreSQL has no folder: its user can't make any in {}", parent.display());
        let (orders, password) = (keeper.stdin.take(), password.to_owned());
        Self { host: host.to_owned(), port, password, folder: folder.trim_end().into(), keeper, orders }
    }

    /// Starts it again, where it is not running.
    pub fn start(&self) {
        assert!(self.try_to_start(), "PostgreSQL does not start: {}", self.log());
    }

    /// Whether it does, unless somebody else has its port.
    fn try_to_start(&self) -> bool {
        let log_octets = self.log().len();
        self.orders.as_ref().unwrap().write_all(b"start\n").unwrap();
        let mut starts = true;
        self.wait_for("it starts", |server| {
            let log = &server.log()[log_octets..];
            starts = !log.contains("could not create any TCP/IP sockets");
            // Clients that come too early are told so.
            let mut fatal =
                log.lines().filter(|line| line.contains("FATAL") && !line.contains("the database system is"));
            assert!(!starts || fatal.next().is_none(), "PostgreSQL does not start: {log}");
            !starts || server.is_ready()
        });
        starts
    }

    /// What it says to a superuser, the columns parted by `|`.
    pub fn psql(&self, database: &str, sql: &str) -> String {
        output_of(&mut self.psql_command(database, sql))
    }

    /// The same as a program that is still to be run.
    pub(super) fn psql_command(&self, database: &str, sql: &str) -> Command {
        let mut psql = Command::new(postgresql("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", &self.host, "-p", &self.port.to_string()]);
        psql.args(["-U", SUPERUSER, "-d", database, "-c", sql]).env("PGPASSWORD", &self.password);
        psql
    }

    /// How a standby of this name connects to it.
    pub(super) fn conninfo(&self, name: &str) -> String {
        let Self { host, port, password, .. } = self;
        format!("host={host} port={port} user={SUPERUSER} password={password} application_name={name}")
    }

    /// Takes its whole process away, as the end of its machine would.
    pub fn kill(&self) {
        // Those that have been stopped, for who is gone tells no more of its children.
        let processes = self.signal(Signal::STOP);
        for process in &processes {
            kill_process(*process, Signal::KILL).ok();
        }
        self.wait_for("it is gone", |_| !processes.iter().any(|process| is_alive(*process)));
    }

    /// Stops all of it, so that its clients wait for it.
    pub fn freeze(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on after [`Server::freeze`].
    pub fn thaw(&self) {
        self.signal(Signal::CONT);
    }

    /// To the first process first, so that it makes no more of them.
    fn signal(&self, signal: Signal) -> Vec<Pid> {
        let (first, _) = self.status().unwrap_or_else(|| panic!("PostgreSQL is not running"));
        let mut processes = vec![first];
        kill_process(first, signal).unwrap();
        let children = fs::read_to_string(format!("/proc/{first}/task/{first}/children")).unwrap_or_default();
        processes.extend(children.split_whitespace().map(|child| Pid::from_raw(child.parse().unwrap()).unwrap()));
        for child in &processes[1..] {
            // It may have ended by itself.
            kill_process(*child, signal).ok();
        }
        processes
    }

    fn is_ready(&self) -> bool {
        self.status().is_some_and(|(first, status)| is_alive(first) && status == "ready")
    }

    /// What it says about itself in a file: its first process, and how far that has come. One that was killed has left its own.
    fn status(&self) -> Option<(Pid, String)> {
        let file = fs::read_to_string(self.data().join("postmaster.pid")).ok()?;
        let mut lines = file.lines();
        Some((Pid::from_raw(lines.next()?.parse().ok()?)?, lines.nth(6)?.trim().to_owned()))
    }

    /// The process that all of its own descend from.
    pub fn process(&self) -> u32 {
        self.keeper.id()
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        let log = fs::read(self.folder.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Where its data and its log are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Looks until it is so.
    pub(super) fn wait_for(&self, what: &str, mut is_so: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !is_so(self) {
            assert!(Instant::now() < deadline, "it never happens to PostgreSQL that {what}: {}", self.log());
            sleep(PAUSE);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("PostgreSQL on port {} has logged: {}", self.port, self.log());
        }
        // The keeper waits for the end of them.
        drop(self.orders.take());
        if let Err(error) = self.keeper.wait() {
            assert!(thread::panicking(), "{error}");
        }
    }
}

fn is_alive(process: Pid) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero())).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|rest| !rest.is_empty() && !rest.starts_with('Z'))
}

/// Who else is on this machine shall not get in.
fn password() -> String {
    let mut octets = [0; 16];
    fs::File::open("/dev/urandom").unwrap().read_exact(&mut octets).unwrap();
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

fn append(file: &Path, text: &str) {
    OpenOptions::new().append(true).open(file).unwrap().write_all(text.as_bytes()).unwrap();
}
