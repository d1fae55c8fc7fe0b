//! A server's life with clients that send, read, delete and register, one after the other; and what they were told, which must be
//! true afterwards.

use std::collections::BTreeSet;
use std::io;

use rustix::process::Signal;

use crate::client::{Client, Mail, stuffed};
use crate::common::Home;
use crate::host::Host;
use crate::noise::{message, seed_of};
use crate::until::until;

const SENDER: &str = "sender@mymailserver";
/// Whose mail nobody deletes.
const KEPT: &str = "kept@mymailserver";
/// Whose mail is deleted over POP3.
const READ: &str = "read@mymailserver";

/// Small ones are in the store's memory until they are kept.
pub(crate) const SMALL_OCTETS: usize = 3000;
/// Big ones have a file of their own.
pub(crate) const BIG_OCTETS: usize = 300_000;

/// What fails is told once or twice; what is refused after it, not at all.
const ERRORS_MAX: usize = 3;
/// What the log says when the store takes no more writes.
const POISONED: &str = "a write failed, so no more are tried";
/// What it says when it can't be known whether something was kept.
const UNKNOWN: &str = "the store failed while it was committing";

/// What a client wanted written, and whether it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Write {
    is_big: bool,
    is_done: bool,
}

/// A server, its clients, and what they have been told.
pub(crate) struct Life {
    pub(crate) host: Host,
    pop3: String,
    sender: Client,
    sender_password: String,
    kept_password: String,
    read_password: String,
    /// Of each message that was sent; its place is its seed.
    octets: Vec<usize>,
    writes: Vec<Write>,
    accepted: BTreeSet<u64>,
    /// Refused after their data. Their sender will send them again, if they were kept or not.
    refused: BTreeSet<u64>,
    removed: BTreeSet<u64>,
    /// Marked as deleted by a reader who then heard of an error.
    perhaps_removed: BTreeSet<u64>,
    logins: Vec<(String, String)>,
}

impl Life {
    /// A server with the three accounts.
    pub(crate) async fn begin() -> io::Result<Self> {
        Self::in_home(Home::new(), "").await
    }

    pub(crate) async fn in_home(home: Home, config: &str) -> io::Result<Self> {
        let mut host = Host::prepared(home, config, |command| {
            command.args(["--listen", "pop3=127.0.0.1:0"]);
        });
        let pop3 = host.next_listener();
        let mut sender = host.registered("sender").await?;
        let sender_password = sender.password().await?;
        let kept_password = host.registered("kept").await?.password().await?;
        let read_password = host.registered("read").await?.password().await?;
        Ok(Self {
            host,
            pop3,
            sender,
            sender_password,
            kept_password,
            read_password,
            octets: Vec::new(),
            writes: Vec::new(),
            accepted: BTreeSet::new(),
            refused: BTreeSet::new(),
            removed: BTreeSet::new(),
            perhaps_removed: BTreeSet::new(),
            logins: Vec::new(),
        })
    }

    /// Some rounds of everything that is written.
    pub(crate) async fn go_on(&mut self, rounds: usize) -> io::Result<()> {
        for round in 0..rounds {
            self.send(SMALL_OCTETS).await?;
            self.send(BIG_OCTETS).await?;
            self.register(&format!("newcomer-{round}")).await?;
            self.remove_first().await?;
        }
        Ok(())
    }

    /// A message for both mailboxes; the reply that decided.
    pub(crate) async fn send(&mut self, octets: usize) -> io::Result<String> {
        let seed = self.octets.len() as u64;
        self.octets.push(octets);
        let begun = self.sender.say(&format!("MAIL FROM:<{SENDER}>")).await?;
        let reply = if begun.starts_with("250 ") {
            self.sender.expect(&format!("RCPT TO:<{KEPT}>"), "250 ").await?;
            self.sender.expect(&format!("RCPT TO:<{READ}>"), "250 ").await?;
            self.sender.expect("DATA", "354 ").await?;
            let mut data = stuffed(&message(seed, octets));
            data.extend(b".\r\n");
            self.sender.write_octets(&data).await?;
            let reply = self.sender.reply().await?;
            if reply == "250 OK" { &mut self.accepted } else { &mut self.refused }.insert(seed);
            reply
        } else {
            begun
        };
        let is_done = reply == "250 OK";
        assert!(is_done || reply.starts_with('4'), "a message gets {reply:?}");
        self.writes.push(Write { is_big: octets >= BIG_OCTETS, is_done });
        Ok(reply)
    }

    /// A new account with a password.
    async fn register(&mut self, name: &str) -> io::Result<()> {
        let mut client = self.host.client().await?;
        let reply = client.say(&format!("XREGISTER {name}")).await?;
        self.note(&reply);
        if reply.starts_with('2') {
            let reply = client.say("XPASSWD").await?;
            self.note(&reply);
            if let Some(password) = reply.strip_prefix("250 ") {
                self.logins.push((name.to_owned(), password.rsplit(' ').next().unwrap().to_owned()));
            }
        }
        client.quit().await
    }

    /// The owner of a mailbox comes and goes.
    pub(crate) async fn log_in(&self) -> io::Result<()> {
        self.host.logged_in(KEPT, &self.kept_password).await?.quit().await
    }

    /// Deletes the oldest message of one mailbox, if there is one.
    pub(crate) async fn remove_first(&mut self) -> io::Result<()> {
        let mut client = Client::connect(&self.pop3).await?;
        assert!(pop3_line(&mut client).await?.starts_with("+OK"));
        for command in ["USER read", &format!("PASS {}", self.read_password)] {
            assert!(pop3(&mut client, command).await?.starts_with("+OK"));
        }
        if pop3(&mut client, "RETR 1").await?.starts_with("-ERR") {
            return Ok(());
        }
        let mut lines = Vec::new();
        while lines.last().is_none_or(|line| line != b".") {
            lines.push(client.line().await?);
        }
        let text = lines.iter().skip_while(|line| !line.is_empty()).nth(1).unwrap();
        let seed = seed_of(text);
        assert!(pop3(&mut client, "DELE 1").await?.starts_with("+OK"));
        let reply = pop3(&mut client, "QUIT").await?;
        let is_done = reply.starts_with("+OK");
        if is_done { &mut self.removed } else { &mut self.perhaps_removed }.insert(seed);
        self.writes.push(Write { is_big: false, is_done });
        client.closed().await
    }

    fn note(&mut self, reply: &str) {
        let is_done = reply.starts_with('2');
        assert!(is_done || reply.starts_with('4'), "a registration gets {reply:?}");
        self.writes.push(Write { is_big: false, is_done });
    }

    /// Nothing has failed.
    pub(crate) async fn expect_no_failure(&mut self) -> io::Result<()> {
        assert!(self.writes.iter().all(|write| write.is_done), "{:?}\n{}", self.writes, self.host.log());
        assert!(!self.host.log().contains(" ERROR "), "{}", self.host.log());
        self.compare(&self.accepted).await
    }

    /// Some big messages were refused, and nothing else.
    pub(crate) async fn expect_failure_of_big_ones(&mut self) -> io::Result<()> {
        assert!(
            self.writes.iter().all(|write| write.is_done || write.is_big),
            "{:?}\n{}",
            self.writes,
            self.host.log()
        );
        assert!(!self.host.log().contains(POISONED), "{}", self.host.log());
        self.compare(&self.accepted).await
    }

    /// The last messages were refused before their data, and nothing else.
    pub(crate) async fn expect_refusal_of_mail_alone(&mut self) -> io::Result<()> {
        assert!(self.refused.is_empty(), "the data of {} messages was taken in vain", self.refused.len());
        self.register("latecomer").await?;
        self.remove_first().await?;
        assert!(self.writes.iter().rev().take(3).all(|write| write.is_done), "{:?}", self.writes);
        assert!(!self.host.log().contains(" ERROR "), "{}", self.host.log());
        self.compare(&self.accepted).await
    }

    /// Empties both mailboxes.
    pub(crate) async fn remove_all(&mut self) -> io::Result<()> {
        for (address, password) in [(KEPT, &self.kept_password), (READ, &self.read_password)] {
            let mut client = self.host.logged_in(address, password).await?;
            assert!(!client.retrieve().await?.is_empty());
            client.expect("NOOP", "250 ").await?;
            assert!(client.retrieve().await?.is_empty());
        }
        self.removed.append(&mut self.accepted);
        Ok(())
    }

    /// From the first refusal on, but for that of a big message alone, all is refused, and at once. The log says so, and says it
    /// once. What is there can be read.
    pub(crate) async fn expect_end_of_writing(&mut self) -> io::Result<()> {
        until("the log says that a write failed", async || Ok(self.host.log().contains(POISONED))).await?;
        let first = self.writes.iter().position(|write| !write.is_done && !write.is_big);
        let rest = &self.writes[first.unwrap_or(self.writes.len())..];
        assert!(rest.iter().all(|write| !write.is_done), "something was written after a failure: {:?}", self.writes);

        assert_eq!(self.send(SMALL_OCTETS).await?, "451 Local error, try again later");
        assert!(!self.refused.contains(&(self.octets.len() as u64 - 1)), "its data was taken in vain");
        self.register("latecomer").await?;
        self.remove_first().await?;
        assert!(self.writes.iter().rev().take(2).all(|write| !write.is_done), "{:?}", self.writes);

        let log = self.host.log();
        assert_eq!(log.matches(POISONED).count(), 1, "{log}");
        let errors = log.lines().filter(|line| line.contains(" ERROR ")).count();
        assert!(errors <= ERRORS_MAX, "{log}");
        // What was accepted last may be in the journal alone, which is read at the next start.
        self.compare(&BTreeSet::new()).await
    }

    /// Ends the server, by force or in order, and starts it again.
    pub(crate) async fn start_again(&mut self, by_force: bool) -> io::Result<()> {
        if by_force {
            self.host.kill();
        } else {
            self.host.signal(Signal::TERM);
            assert_eq!(self.host.exit().await?, Some(0), "{}", self.host.log());
        }
        self.come_back().await
    }

    /// Starts the server again after its end. All that clients were told is true, and it takes mail.
    pub(crate) async fn come_back(&mut self) -> io::Result<()> {
        self.host.start_again();
        self.pop3 = self.host.next_listener();
        self.sender = self.host.logged_in(SENDER, &self.sender_password).await?;
        self.compare(&self.accepted).await?;
        for (name, password) in &self.logins {
            self.host.logged_in(&format!("{name}@mymailserver"), password).await?.quit().await?;
        }
        assert_eq!(self.send(SMALL_OCTETS).await?, "250 OK");
        self.remove_first().await?;
        assert!(self.writes.last().unwrap().is_done);
        Ok(())
    }

    /// How many messages were kept though their senders were told to come again.
    pub(crate) async fn doubles(&self) -> io::Result<usize> {
        Ok(self.read(KEPT).await?.intersection(&self.refused).count())
    }

    /// Looks whether what clients were told is true, and these messages are there.
    async fn compare(&self, there: &BTreeSet<u64>) -> io::Result<()> {
        let (kept, read) = (self.read(KEPT).await?, self.read(READ).await?);
        let sent: BTreeSet<u64> = self.accepted.union(&self.refused).copied().collect();
        assert!(there.is_subset(&kept), "accepted and lost: {:?}", there.difference(&kept));
        assert!(kept.is_subset(&sent) && read.is_subset(&kept));
        assert!(read.is_disjoint(&self.removed), "deleted and back: {:?}", read.intersection(&self.removed));
        for seed in kept.difference(&read) {
            let may_be_gone = self.removed.contains(seed) || self.perhaps_removed.contains(seed);
            assert!(may_be_gone, "message {seed} was delivered to one of two mailboxes, or left by itself");
        }
        let removed_though_refused = self.perhaps_removed.difference(&read).filter(|seed| !self.removed.contains(seed));
        let unknown = kept.intersection(&self.refused).count() + removed_though_refused.count();
        assert!(unknown == 0 || self.host.log().contains(UNKNOWN), "refused, but done: {unknown}");
        Ok(())
    }

    /// The seeds of a mailbox's messages, each of which must be whole. They stay.
    async fn read(&self, address: &str) -> io::Result<BTreeSet<u64>> {
        let password = if address == KEPT { &self.kept_password } else { &self.read_password };
        let mails = self.host.logged_in(address, password).await?.retrieve().await?;
        let mut seeds = BTreeSet::new();
        for Mail { text, .. } in mails {
            let seed = seed_of(&text);
            assert!(text == message(seed, self.octets[seed as usize]), "message {seed} is torn");
            assert!(seeds.insert(seed), "message {seed} is there twice");
        }
        Ok(seeds)
    }
}

/// Says a line of POP3, and takes the first one of the answer.
async fn pop3(client: &mut Client, command: &str) -> io::Result<String> {
    client.write(command).await?;
    pop3_line(client).await
}

async fn pop3_line(client: &mut Client) -> io::Result<String> {
    Ok(String::from_utf8(client.line().await?).unwrap())
}
