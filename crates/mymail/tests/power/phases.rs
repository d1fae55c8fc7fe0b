//! What a server does in its life, one thing after the other and one client at a time, so that it comes out the same each time.

use std::future::Future;
use std::io;
use std::ops::Range;
use std::pin::Pin;

use testkit::client::Client;
use testkit::until::until;

use crate::clients::{Manner, pop, register, retrieve, send, unregister};
use crate::ledger::Notes;
use crate::letter::Size;
use crate::load::address;
use crate::machine::Machine;

/// Leases that do not run out while a test lasts.
pub(crate) const CONFIG: &str = "[registration]\nlease = \"24h\"\nper_peer_per_hour = 10000000\n";
/// And one that has run out when the server starts, or a moment later.
const SHORT_LEASES: &str = "[registration]\nlease = \"1s\"\nper_peer_per_hour = 10000000\n";

/// Messages that make the store move its log, which is due at 16 MiB; most of them come before the phase.
const MIDDLES_BEFORE: u64 = 175;
const MIDDLES: u64 = 60;

/// Something that the server does.
pub(crate) struct Phase {
    pub(crate) name: &'static str,
    pub(crate) config: &'static str,
    pub(crate) base: Base,
    /// Whether the server's start belongs to it.
    pub(crate) starts: bool,
    /// What comes before: while the server is down if it is to start, else while it runs.
    pub(crate) prepare: Act,
    pub(crate) act: Act,
}

/// What is on the disk when the server starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base {
    Nothing,
    /// Three accounts with names, `alice`, `bob` and `carol`, and one with a number, with mail. The server was killed.
    Populated,
    /// A store of this version of the tables.
    Old(usize),
}

pub(crate) type Act = for<'a> fn(Scene<'a>) -> Acting<'a>;
pub(crate) type Acting<'a> = Pin<Box<dyn Future<Output = io::Result<()>> + 'a>>;

/// Where a phase is played.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub(crate) machine: &'a Machine,
    pub(crate) notes: &'a Notes,
}

/// All phases.
pub(crate) fn phases() -> Vec<Phase> {
    let started = |name, base, act| Phase { name, config: CONFIG, base, starts: true, prepare: nothing, act };
    let running =
        |name, act| Phase { name, config: CONFIG, base: Base::Populated, starts: false, prepare: nothing, act };
    vec![
        started("start", Base::Nothing, nothing),
        started("start behind a kill", Base::Populated, nothing),
        started("migration from version 1", Base::Old(1), nothing),
        started("migration from version 2", Base::Old(2), nothing),
        started("start of version 3", Base::Old(3), nothing),
        Phase {
            config: SHORT_LEASES,
            prepare: leases_run_out,
            ..started("sweep", Base::Populated, |scene| Box::pin(sweep(scene)))
        },
        running("registration", |scene| Box::pin(registration(scene))),
        running("small messages", |scene| Box::pin(small(scene))),
        running("big messages", |scene| Box::pin(big(scene))),
        running("several recipients", |scene| Box::pin(several(scene))),
        running("reports", |scene| Box::pin(reports(scene))),
        running("flush by XRETRIEVE", |scene| Box::pin(xretrieve(scene))),
        running("flush by POP3", |scene| Box::pin(pop3(scene))),
        running("end of an account", |scene| Box::pin(end(scene))),
        Phase {
            prepare: |scene| Box::pin(middles(scene, 0..MIDDLES_BEFORE)),
            ..running("checkpoint", |scene| Box::pin(middles(scene, MIDDLES_BEFORE..MIDDLES_BEFORE + MIDDLES)))
        },
    ]
}

/// Makes accounts and mail on a new disk.
pub(crate) async fn populate(scene: Scene<'_>) -> io::Result<()> {
    for (number, name) in (11..).zip(["alice", "bob", "carol", ""]) {
        let mut client = register(&scene.machine.smtp, name, scene.notes).await?;
        let own = client.address.clone();
        scene.send(&mut client, &[&own], Size::Small.seed(number), Manner::default()).await?;
        client.quit().await?;
    }
    let mut alice = scene.client("alice").await?;
    let all = ["alice", "bob", "carol"].map(address);
    let all = all.each_ref().map(String::as_str);
    for (number, size) in (1..).zip([Size::Small, Size::Middle, Size::Big, Size::Huge, Size::Small]) {
        scene.send(&mut alice, &all, size.seed(number), Manner::default()).await?;
    }
    Ok(())
}

fn nothing(_: Scene<'_>) -> Acting<'_> {
    Box::pin(async { Ok(()) })
}

fn leases_run_out(scene: Scene<'_>) -> Acting<'_> {
    scene.notes.told().leases_run_out();
    nothing(scene)
}

/// Waits for the account with a number to end.
async fn sweep(scene: Scene<'_>) -> io::Result<()> {
    let numbers = scene.notes.told().numbers();
    let is_over = async || {
        let listed = scene.machine.list()?;
        Ok(!listed.iter().any(|account| numbers.contains(&account.address)))
    };
    until("the lease runs out", is_over).await?;
    for number in &numbers {
        scene.notes.told().ended(number);
    }
    Ok(())
}

async fn registration(scene: Scene<'_>) -> io::Result<()> {
    for name in ["erin", ""] {
        register(&scene.machine.smtp, name, scene.notes).await?.quit().await?;
    }
    Ok(())
}

async fn small(scene: Scene<'_>) -> io::Result<()> {
    let mut alice = scene.client("alice").await?;
    for number in [101, 102] {
        scene.send(&mut alice, &[&address("bob")], Size::Small.seed(number), Manner::default()).await?;
    }
    Ok(())
}

async fn big(scene: Scene<'_>) -> io::Result<()> {
    let mut alice = scene.client("alice").await?;
    for size in [Size::Big, Size::Huge] {
        scene.send(&mut alice, &[&address("bob")], size.seed(101), Manner::default()).await?;
    }
    Ok(())
}

async fn several(scene: Scene<'_>) -> io::Result<()> {
    let mut alice = scene.client("alice").await?;
    let manner = Manner { pipelined: true, report: false };
    for size in [Size::Small, Size::Big] {
        scene.send(&mut alice, &[&address("bob"), &address("carol")], size.seed(101), manner).await?;
    }
    Ok(())
}

async fn reports(scene: Scene<'_>) -> io::Result<()> {
    let mut alice = scene.client("alice").await?;
    let manner = Manner { pipelined: false, report: true };
    for size in [Size::Small, Size::Huge] {
        scene.send(&mut alice, &[&address("bob"), &address("carol")], size.seed(101), manner).await?;
    }
    Ok(())
}

/// Alice flushes what others have too, and Carol what is left to her alone.
async fn xretrieve(scene: Scene<'_>) -> io::Result<()> {
    for name in ["alice", "bob", "carol"] {
        retrieve(&mut scene.client(name).await?, 0, scene.notes).await?;
    }
    Ok(())
}

async fn pop3(scene: Scene<'_>) -> io::Result<()> {
    for name in ["alice", "bob", "carol"] {
        let login = scene.notes.told().login(&address(name));
        pop(&scene.machine.pop3, &login, Some(3), scene.notes).await?;
    }
    Ok(())
}

async fn end(scene: Scene<'_>) -> io::Result<()> {
    for name in ["alice", "bob", "carol"] {
        unregister(scene.client(name).await?, scene.notes).await?;
    }
    Ok(())
}

async fn middles(scene: Scene<'_>, numbers: Range<u64>) -> io::Result<()> {
    let mut alice = scene.client("alice").await?;
    for number in numbers {
        let manner = Manner { pipelined: true, report: false };
        scene.send(&mut alice, &[&address("carol")], Size::Middle.seed(10_000 + number), manner).await?;
    }
    Ok(())
}

impl Scene<'_> {
    async fn client(self, name: &str) -> io::Result<Client> {
        let (address, password) = self.notes.told().login(&address(name));
        Client::logged_in(&self.machine.smtp, &address, &password).await
    }

    async fn send(self, client: &mut Client, to: &[&str], seed: u64, manner: Manner) -> io::Result<()> {
        send(client, to, seed, manner, self.notes).await
    }
}
