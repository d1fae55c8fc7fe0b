//! Many clients at work at once: they send, read, register and go, until the server is gone.

use std::convert::Infallible;
use std::io;

use testkit::client::{Client, is_wrong_reply};
use testkit::noise::noise;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::clients::{Manner, pop, register, retrieve, send, unregister};
use crate::ledger::Notes;
use crate::letter::DOMAIN;
use crate::machine::Machine;

/// Many numbers, whose leases are short.
pub(crate) const CONFIG: &str = "[registration]\nlease = \"2s\"\nper_peer_per_hour = 10000000\n";

const SENDERS: u64 = 6;
/// Their mailboxes are read by XRETRIEVE all the time.
const RETRIEVERS: [&str; 2] = ["rachel", "ralph"];
/// Theirs by POP3.
const POPPERS: [&str; 2] = ["paula", "peter"];
/// Theirs by nobody.
pub(crate) const KEEPERS: [&str; 2] = ["kate", "kurt"];
/// They send, and get reports.
const REPORTED: [&str; 2] = ["sam", "susan"];
/// How the names begin that come and go.
pub(crate) const NEWCOMER: &str = "newcomer-";
/// One message in so many stays when POP3 deletes.
const SPARED: Option<usize> = Some(5);
/// A retriever waits for mail so many seconds.
const WAIT_SECONDS: u32 = 60;

/// Clients at work.
pub(crate) struct Load {
    clients: JoinSet<io::Result<Infallible>>,
    accepted: mpsc::UnboundedReceiver<()>,
}

/// What each client has in common with the others of its round.
#[derive(Clone)]
struct Common {
    smtp: String,
    pop3: String,
    notes: Notes,
    round: u64,
    accepted: mpsc::UnboundedSender<()>,
}

/// Registers those who stay.
pub(crate) async fn populate(machine: &Machine, notes: &Notes) -> io::Result<()> {
    notes.told().leases_run_out();
    for name in RETRIEVERS.iter().chain(&POPPERS).chain(&KEEPERS).chain(&REPORTED) {
        register(&machine.smtp, name, notes).await?.quit().await?;
    }
    Ok(())
}

impl Load {
    /// Lets clients work. The messages of each round are others.
    pub(crate) fn start(machine: &Machine, notes: &Notes, round: u64) -> Self {
        let (accepted, receiver) = mpsc::unbounded_channel();
        let (smtp, pop3) = (machine.smtp.clone(), machine.pop3.clone());
        let common = Common { smtp, pop3, notes: notes.clone(), round, accepted };
        let mut clients = JoinSet::new();
        for number in 0..SENDERS {
            clients.spawn(common.clone().deliver(number));
        }
        for name in RETRIEVERS {
            clients.spawn(common.clone().read_by_xretrieve(name));
        }
        for name in POPPERS {
            clients.spawn(common.clone().read_by_pop3(name));
        }
        clients.spawn(common.clone().come_and_go(SENDERS));
        clients.spawn(common.come_and_be_forgotten(SENDERS + 1));
        Self { clients, accepted: receiver }
    }

    /// Waits until so many messages have been accepted since.
    pub(crate) async fn accepted(&mut self, messages: u64) {
        for _ in 0..messages {
            self.accepted.recv().await.unwrap_or_else(|| panic!("all senders have ended"));
        }
    }

    /// Waits for the clients to see that the server is gone. Before that they may have seen it fail if it had the time.
    pub(crate) async fn end(mut self, may_have_failed: bool) {
        while let Some(result) = self.clients.join_next().await {
            let Err(error) = result.unwrap();
            assert!(may_have_failed || !is_wrong_reply(&error), "{error}");
        }
    }
}

impl Common {
    /// Sends messages of all sizes to one or several who stay.
    async fn deliver(self, number: u64) -> io::Result<Infallible> {
        let report = REPORTED.get(number as usize);
        let mut client = match report {
            Some(name) => self.logged_in(name).await?,
            None => Client::registered(&self.smtp, "").await?,
        };
        for seed in self.seeds(number) {
            let chance = noise(!seed);
            let all = RETRIEVERS.iter().chain(&POPPERS).chain(&KEEPERS).chain(&REPORTED);
            let chosen = all.enumerate().filter(|(at, _)| chance >> (8 + at) & 3 == 0);
            let mut to: Vec<_> = chosen.map(|(_, name)| address(name)).collect();
            if to.is_empty() {
                to.push(address(RETRIEVERS[number as usize % RETRIEVERS.len()]));
            }
            let manner = Manner { pipelined: chance & 1 == 0, report: report.is_some() && chance & 6 == 0 };
            self.send(&mut client, &to, seed, manner).await?;
            if report.is_some() && chance & 24 == 0 {
                retrieve(&mut client, 0, &self.notes).await?;
            }
        }
        unreachable!("there is no end of seeds")
    }

    async fn read_by_xretrieve(self, name: &str) -> io::Result<Infallible> {
        let mut client = self.logged_in(name).await?;
        loop {
            retrieve(&mut client, WAIT_SECONDS, &self.notes).await?;
        }
    }

    async fn read_by_pop3(self, name: &str) -> io::Result<Infallible> {
        let login = self.login(name);
        loop {
            pop(&self.pop3, &login, SPARED, &self.notes).await?;
        }
    }

    /// Registers one name after the other, sends to itself and another one, and gives two of three up.
    async fn come_and_go(self, number: u64) -> io::Result<Infallible> {
        for seed in self.seeds(number) {
            let mut client = register(&self.smtp, &format!("{NEWCOMER}{seed}"), &self.notes).await?;
            let to = [client.address.clone(), address(KEEPERS[0])];
            self.send(&mut client, &to, seed, Manner::default()).await?;
            if noise(seed).is_multiple_of(3) {
                client.quit().await?;
            } else {
                unregister(client, &self.notes).await?;
            }
        }
        unreachable!("there is no end of seeds")
    }

    /// Gets one number after the other, sends to itself and another one, and is not seen again.
    async fn come_and_be_forgotten(self, number: u64) -> io::Result<Infallible> {
        for seed in self.seeds(number) {
            let mut client = register(&self.smtp, "", &self.notes).await?;
            let to = [client.address.clone(), address(KEEPERS[1])];
            self.send(&mut client, &to, seed, Manner { pipelined: true, report: false }).await?;
            client.quit().await?;
        }
        unreachable!("there is no end of seeds")
    }

    async fn send(&self, client: &mut Client, to: &[String], seed: u64, manner: Manner) -> io::Result<()> {
        let to: Vec<_> = to.iter().map(String::as_str).collect();
        send(client, &to, seed, manner, &self.notes).await?;
        // Nobody counts any more when the test ends.
        self.accepted.send(()).map_err(io::Error::other)
    }

    async fn logged_in(&self, name: &str) -> io::Result<Client> {
        let (address, password) = self.login(name);
        Client::logged_in(&self.smtp, &address, &password).await
    }

    fn login(&self, name: &str) -> (String, String) {
        self.notes.told().login(&address(name))
    }

    /// Numbers that no other client has, in this round or another one.
    fn seeds(&self, number: u64) -> impl Iterator<Item = u64> + use<> {
        let first = self.round << 24;
        (0..).map(move |message| first + message * (SENDERS + 2) + number)
    }
}

pub(crate) fn address(name: &str) -> String {
    format!("{name}@{DOMAIN}")
}
