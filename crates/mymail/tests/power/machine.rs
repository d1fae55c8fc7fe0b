//! A computer with our server on it: a disk, a server whose data are there, and an operator.

use std::fmt::{self, Display, Formatter};
use std::path::PathBuf;
use std::process::Command;
use std::{fs, io, thread};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use testkit::noise::noise;
use testkit::power::{Disk, Image, Loss, Point, Tracing};
use testkit::until::until;

use crate::common::{Home, Server};

/// A computer. What is not on the disk, such as the configuration and the log, a cut does not touch.
pub(crate) struct Machine {
    /// `None` while it is down.
    server: Option<Server>,
    disk: Disk,
    /// Where it listens.
    pub(crate) smtp: String,
    pub(crate) pop3: String,
    home: Home,
}

/// How the power goes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cut {
    loss: Loss,
    /// Whether the server lives on for a moment, and sees its disk fail.
    sees_it: bool,
    /// What the kernel had written in its own time.
    written_back: u64,
}

/// An account as the operator sees it.
#[derive(Debug)]
pub(crate) struct Listed {
    pub(crate) address: String,
    pub(crate) messages: u64,
    pub(crate) octets: u64,
    pub(crate) has_password: bool,
}

impl Cut {
    /// One of all that there are, and whether the server sees it.
    pub(crate) fn random(chance: u64, may_be_seen: bool) -> Self {
        let loss = if chance & 1 == 0 { Loss::Memory } else { Loss::Cache };
        Self { loss, sees_it: may_be_seen && chance & 2 == 0, written_back: noise(chance) }
    }

    pub(crate) fn is_seen(self) -> bool {
        self.sees_it
    }
}

impl Display for Cut {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let lost = match self.loss {
            Loss::Memory => "memory",
            Loss::Cache => "memory and the drive's cache",
        };
        write!(f, "losing {lost}{}", if self.sees_it { ", seen by the server" } else { "" })
    }
}

impl Machine {
    /// A computer that is down.
    pub(crate) fn new(disk: Disk, config: &str) -> Self {
        let home = Home::new();
        let listeners = "[[listen]]\nprotocol = \"smtp\"\naddress = \"127.0.0.1:0\"\n\
                         [[listen]]\nprotocol = \"pop3\"\naddress = \"127.0.0.1:0\"\n";
        fs::write(home.path("config.toml"), format!("{listeners}{config}")).unwrap();
        Self { server: None, disk, smtp: String::new(), pop3: String::new(), home }
    }

    /// Starts the server, and waits until it is ready.
    pub(crate) fn start(&mut self) {
        let mut server = Server::start(&mut self.logged(self.command()));
        self.smtp = server.address.clone();
        self.pop3 = server.next_listener();
        self.server = Some(server);
    }

    /// Starts it on its way to this point, and waits until it is ready or dead. Whether it is ready.
    pub(crate) fn start_traced(&mut self, point: Point) -> (Tracing, bool) {
        let log = self.home.path("trace");
        let command = Tracing::command(&self.command(), point, &log);
        let mut server = Server::spawn(&mut self.logged(command));
        let tracing = Tracing::follow(&server.process, point, &log);
        let listeners = server.listener().and_then(|smtp| Ok((smtp, server.listener()?)));
        self.server = Some(server);
        match listeners {
            Ok((smtp, pop3)) => {
                (self.smtp, self.pop3) = (smtp, pop3);
                (tracing, true)
            }
            Err(said) => {
                assert_eq!(said, "", "the server does not start");
                (tracing, false)
            }
        }
    }

    /// Sends the running server on its way to this point.
    pub(crate) fn trace(&self, point: Point) -> Tracing {
        Tracing::attach(&self.server.as_ref().unwrap().process, point, &self.home.path("trace"))
    }

    /// Ends the server on the spot, if it still lives.
    pub(crate) fn kill(&mut self) {
        // Dropped, it is killed.
        self.server = None;
    }

    /// Cuts the power, and switches it on again. The server is down then.
    pub(crate) fn cut(&mut self, cut: Cut) {
        let Cut { loss, sees_it, written_back } = cut;
        if sees_it {
            self.disk.cut(loss);
            self.kill();
        } else {
            self.kill();
            self.disk.write_back(written_back);
            self.disk.cut(loss);
        }
        self.disk.power_on(loss);
    }

    /// What is on the disk at this instant, and what is true then of those who talk to the server, which stands still.
    pub(crate) async fn frozen<T>(&self, look: impl FnOnce() -> T) -> io::Result<(Image, T)> {
        let pid = Pid::from_child(&self.server.as_ref().unwrap().process);
        kill_process(pid, Signal::STOP)?;
        until("the server stands still", async || Ok(self.stands_still())).await?;
        let seen = look();
        let image = self.disk.image();
        kill_process(pid, Signal::CONT)?;
        Ok((image, seen))
    }

    /// Ends it, with everything written that the server has written.
    pub(crate) fn turned_off(mut self) -> Image {
        self.kill();
        self.disk.turn_off()
    }

    /// The folder of the server's data.
    pub(crate) fn data(&self) -> PathBuf {
        self.disk.folder().join("data")
    }

    /// All accounts.
    pub(crate) fn list(&self) -> io::Result<Vec<Listed>> {
        let mut command = self.home.command(&["admin", "list", "--json", "--data"]);
        let output = command.arg(self.data()).output()?;
        if !output.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&output.stderr)));
        }
        let text = String::from_utf8(output.stdout).unwrap();
        Ok(text.lines().map(|line| listed(&serde_json::from_str(line).unwrap())).collect())
    }

    /// Whether the server has been started and has not ended.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.server.as_mut().is_some_and(|server| server.process.try_wait().unwrap().is_none())
    }

    fn command(&self) -> Command {
        let mut command = self.home.command(&["serve", "--config"]);
        command.arg(self.home.path("config.toml")).arg("--data").arg(self.data());
        command
    }

    fn logged(&self, mut command: Command) -> Command {
        let log = fs::File::options().append(true).create(true).open(self.home.path("log")).unwrap();
        command.stderr(log);
        command
    }

    fn stands_still(&self) -> bool {
        let pid = self.server.as_ref().unwrap().process.id();
        let threads = fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        threads.flatten().all(|thread| {
            let status = fs::read_to_string(thread.path().join("status"));
            status.is_ok_and(|status| status.contains("State:\tT"))
        })
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        if thread::panicking() {
            let log = fs::read_to_string(self.home.path("log")).unwrap_or_default();
            let lines: Vec<_> = log.lines().collect();
            eprintln!("the last that the server said:\n{}", lines[lines.len().saturating_sub(20)..].join("\n"));
        }
        self.kill();
    }
}

fn listed(account: &Value) -> Listed {
    Listed {
        address: account["address"].as_str().unwrap().to_owned(),
        messages: account["messages"].as_u64().unwrap(),
        octets: account["octets"].as_u64().unwrap(),
        has_password: account["password"].as_bool().unwrap(),
    }
}
