//! Cuts at any moment, with many clients at work, and copies of a disk in use.

use std::io;

use testkit::client::Client;
use testkit::noise::noise;
use testkit::power::Disk;

use crate::clients::{pop, unregister};
use crate::compare::compare;
use crate::ledger::Notes;
use crate::load::{CONFIG, KEEPERS, Load, NEWCOMER, address, populate};
use crate::machine::{Cut, Machine};
use crate::settings::{cuts, drive, seed};

/// The power is cut after at most so many accepted messages.
const ACCEPTED_MAX: u64 = 150;
/// Each so many rounds the mailboxes that nobody reads are emptied, and the newcomers sent away.
const ROUNDS_KEPT: u64 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it needs root and loop devices; CI runs it"]
async fn what_clients_were_told_is_true_after_a_power_cut() -> io::Result<()> {
    let mut life = Life::begin().await?;
    for _ in 0..cuts().at_moments {
        let load = life.load().await;
        life.cut(load, true).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it needs root and loop devices; CI runs it"]
async fn what_clients_were_told_is_true_on_a_copy_of_the_disk() -> io::Result<()> {
    let mut life = Life::begin().await?;
    for _ in 0..cuts().copies {
        let load = life.load().await;
        life.copy().await?;
        life.cut(load, false).await?;
    }
    Ok(())
}

/// The life of a computer, from round to round.
struct Life {
    machine: Machine,
    notes: Notes,
    seed: u64,
    round: u64,
}

impl Life {
    async fn begin() -> io::Result<Self> {
        let mut machine = Machine::new(Disk::new(&drive()), CONFIG);
        let notes = Notes::default();
        machine.start();
        populate(&machine, &notes).await?;
        Ok(Self { machine, notes, seed: seed(), round: 0 })
    }

    /// Lets clients work until it is time.
    async fn load(&mut self) -> Load {
        let mut load = Load::start(&self.machine, &self.notes, self.round);
        load.accepted(self.chance() % ACCEPTED_MAX).await;
        load
    }

    /// Compares a copy of the disk, while clients go on.
    async fn copy(&self) -> io::Result<()> {
        // A server that stands still has said what can be noted, and has taken nothing that is not noted as begun.
        let (image, mut ledger) = self.machine.frozen(|| self.notes.told().clone()).await?;
        let mut copy = Machine::new(image.disk(), CONFIG);
        copy.start();
        let counts = compare(&copy, &mut ledger).await?;
        println!("round {}, a copy: {counts}", self.round);
        Ok(())
    }

    /// Cuts the power under them, and compares.
    async fn cut(&mut self, load: Load, may_be_seen: bool) -> io::Result<()> {
        let cut = Cut::random(self.chance() >> 32, may_be_seen);
        if cut.is_seen() {
            self.notes.told().power_fails();
        }
        self.machine.cut(cut);
        load.end(cut.is_seen()).await;

        self.machine.start();
        let mut ledger = self.notes.told().clone();
        let counts = compare(&self.machine, &mut ledger).await?;
        println!("round {}, {cut}: {counts}", self.round);
        *self.notes.told() = ledger;
        self.round += 1;
        if self.round.is_multiple_of(ROUNDS_KEPT) { self.make_room().await } else { Ok(()) }
    }

    /// Lets go what would grow from round to round.
    async fn make_room(&self) -> io::Result<()> {
        let Self { machine, notes, .. } = self;
        let logins = notes.told().logins();
        for login in logins {
            if KEEPERS.map(address).contains(&login.0) {
                pop(&machine.pop3, &login, None, notes).await?;
            } else if login.0.starts_with(NEWCOMER) {
                unregister(Client::logged_in(&machine.smtp, &login.0, &login.1).await?, notes).await?;
            }
        }
        Ok(())
    }

    fn chance(&self) -> u64 {
        noise(self.seed.wrapping_add(self.round))
    }
}
