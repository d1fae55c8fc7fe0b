//! A server with a home of its own, its configuration, its signals, and what `/proc` tells of it.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::{fs, io};

use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, kill_process, prlimit, setrlimit};

use crate::client::Client;
use crate::common::{Home, Server};
use crate::until::until;

/// A running server. What it says goes to a log in its home.
pub(crate) struct Host {
    server: Server,
    home: Home,
    prepare: Prepare,
}

/// What else the server's command is given, at each start.
type Prepare = Box<dyn Fn(&mut Command)>;

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Host {
    /// A server with this configuration, on a free port.
    pub(crate) fn new(config: &str) -> Self {
        Self::logging(config, "info")
    }

    /// A server that logs as `RUST_LOG` says.
    pub(crate) fn logging(config: &str, filter: &'static str) -> Self {
        Self::prepared(Home::new(), config, move |command| {
            command.env("RUST_LOG", filter);
        })
    }

    /// A server in this home, whose command is prepared like this.
    pub(crate) fn prepared(home: Home, config: &str, prepare: impl Fn(&mut Command) + 'static) -> Self {
        fs::write(home.path("config.toml"), config).unwrap();
        let prepare: Prepare = Box::new(prepare);
        Self { server: start(&home, &prepare), home, prepare }
    }

    pub(crate) fn address(&self) -> &str {
        &self.server.address
    }

    /// A client that has been greeted.
    pub(crate) async fn client(&self) -> io::Result<Client> {
        Client::greeted(self.address()).await
    }

    /// A client with an address: a number unless there is a name.
    pub(crate) async fn registered(&self, name: &str) -> io::Result<Client> {
        Client::registered(self.address(), name).await
    }

    pub(crate) async fn logged_in(&self, address: &str, password: &str) -> io::Result<Client> {
        Client::logged_in(self.address(), address, password).await
    }

    /// Lets a client say good-bye, and waits until its descriptor can be used again.
    pub(crate) async fn dismiss(&self, client: Client) -> io::Result<()> {
        let socket = self.socket_of(&client);
        client.quit().await?;
        self.closed(&socket).await
    }

    /// Waits until the server has closed this socket.
    pub(crate) async fn closed(&self, socket: &str) -> io::Result<()> {
        until("the socket is closed", async || Ok(self.descriptors_of(socket).is_empty())).await
    }

    /// Runs a command in its home.
    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        let output = self.command(arguments).output().unwrap();
        let [stdout, stderr] = [output.stdout, output.stderr].map(|octets| String::from_utf8(octets).unwrap());
        Outcome { code: output.status.code().unwrap(), stdout, stderr }
    }

    /// A command in its home that is still to be run.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.home.command(arguments)
    }

    /// Where something in its home is, such as `data`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path(name)
    }

    /// Writes another configuration, for the next SIGHUP or start.
    pub(crate) fn configure(&self, config: &str) {
        fs::write(self.home.path("config.toml"), config).unwrap();
    }

    /// What it has logged so far, in all its lives.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.home.path("log")).unwrap()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Ends it on the spot (`kill -9`).
    pub(crate) fn kill(&mut self) {
        self.server.process.kill().unwrap();
        self.server.process.wait().unwrap();
    }

    /// The command that starts it.
    pub(crate) fn start_command(&self) -> Command {
        command(&self.home, &self.prepare)
    }

    /// Starts it again after its end, with the same data.
    pub(crate) fn start_again(&mut self) {
        self.server = start(&self.home, &self.prepare);
    }

    /// The address of a listener that its command has been given beside the first one, in their order.
    pub(crate) fn next_listener(&mut self) -> String {
        self.server.next_listener()
    }

    /// Waits for its end; its exit code.
    pub(crate) async fn exit(&mut self) -> io::Result<Option<i32>> {
        let mut status = None;
        until("the server ends", async || {
            status = self.server.process.try_wait()?;
            Ok(status.is_some())
        })
        .await?;
        Ok(status.unwrap().code())
    }

    /// Everything that it wrote to standard output behind its first line. Only after its end.
    pub(crate) fn rest_of_output(&mut self) -> String {
        io::read_to_string(&mut self.server.stdout).unwrap()
    }

    /// Lets it have so many descriptors.
    pub(crate) fn limit_descriptors(&self, descriptors: u64) {
        // The hard limit, which it has from us, stays: so it can have more again.
        let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
        prlimit(Some(self.pid()), Resource::Nofile, Rlimit { current: Some(descriptors), maximum }).unwrap();
    }

    /// Lets its files have so many octets.
    pub(crate) fn limit_files(&self, octets: u64) {
        let Rlimit { maximum, .. } = getrlimit(Resource::Fsize);
        prlimit(Some(self.pid()), Resource::Fsize, Rlimit { current: Some(octets), maximum }).unwrap();
    }

    /// Its descriptors, and what they are.
    pub(crate) fn descriptors(&self) -> BTreeMap<u32, String> {
        let folder = format!("/proc/{}/fd", self.server.process.id());
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        // One that has been closed since is none.
        let targets = entries.filter_map(|entry| Some((entry.file_name(), fs::read_link(entry.path()).ok()?)));
        targets
            .map(|(number, target)| (number.to_str().unwrap().parse().unwrap(), target.to_str().unwrap().to_owned()))
            .collect()
    }

    /// The numbers of the descriptors that are this socket.
    pub(crate) fn descriptors_of(&self, socket: &str) -> Vec<u32> {
        self.descriptors().into_iter().filter(|(_, target)| target == socket).map(|(number, _)| number).collect()
    }

    /// The server's socket of this client's connection, as `/proc/PID/fd` has it.
    pub(crate) fn socket_of(&self, client: &Client) -> String {
        let server: SocketAddr = self.address().parse().unwrap();
        let (local, remote) = (hexadecimal(server), hexadecimal(client.local_address()));
        let table = fs::read_to_string(format!("/proc/{}/net/tcp", self.server.process.id())).unwrap();
        let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let row = rows.into_iter().find(|row| row[1] == local && row[2] == remote).unwrap();
        format!("socket:[{}]", row[9])
    }

    /// The most memory that it has had in its life.
    pub(crate) fn peak_memory_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.server.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse().unwrap()
    }

    pub(crate) fn pid(&self) -> Pid {
        Pid::from_child(&self.server.process)
    }
}

/// Lets the test have as many descriptors as the system allows it.
pub(crate) fn raise_descriptor_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }).unwrap();
}

fn start(home: &Home, prepare: &Prepare) -> Server {
    Server::start(&mut command(home, prepare))
}

fn command(home: &Home, prepare: &Prepare) -> Command {
    let path = |name| home.path(name).to_str().unwrap().to_owned();
    let arguments =
        ["serve", "--config", &path("config.toml"), "--listen", "smtp=127.0.0.1:0", "--data", &path("data")];
    let log = fs::File::options().append(true).create(true).open(path("log")).unwrap();
    let mut command = home.command(&arguments);
    prepare(command.env("RUST_LOG", "info").stderr(log));
    command
}

/// As `/proc/net/tcp` writes an address.
fn hexadecimal(address: SocketAddr) -> String {
    let SocketAddr::V4(address) = address else { panic!("{address} is not of IPv4") };
    format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port())
}
