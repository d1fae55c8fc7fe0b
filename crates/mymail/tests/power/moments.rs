//! Cuts at any moment, with many clients at work.

use std::io;

use testkit::noise::noise;
use testkit::power::Disk;

use crate::compare::{compare, empty};
use crate::ledger::Notes;
use crate::load::{CONFIG, KEEPERS, Load, address, populate};
use crate::machine::{Cut, Machine};
use crate::settings::{cuts, drive, seed};

/// The power is cut after at most so many accepted messages.
const ACCEPTED_MAX: u64 = 150;
/// Each so many rounds the mailboxes that nobody reads are emptied.
const ROUNDS_KEPT: u64 = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it needs root and loop devices; CI runs it"]
async fn what_clients_were_told_is_true_after_a_power_cut() -> io::Result<()> {
    let (seed, notes) = (seed(), Notes::default());
    let mut machine = populated(&notes).await?;
    for round in 0..cuts().at_moments {
        let chance = noise(seed.wrapping_add(round));
        let messages = chance % ACCEPTED_MAX;
        let cut = Cut::random(chance >> 32, true);
        let mut load = Load::start(&machine, &notes, round);
        load.accepted(messages).await;
        if cut.is_seen() {
            notes.told().power_fails();
        }
        machine.cut(cut);
        load.end(cut.is_seen()).await;

        machine.start();
        let mut ledger = notes.told().clone();
        let counts = compare(&machine, &mut ledger).await?;
        println!("cut {round} behind {messages} messages, {cut}: {counts}");
        if round % ROUNDS_KEPT == ROUNDS_KEPT - 1 {
            for name in KEEPERS {
                empty(&machine, &mut ledger, &address(name)).await?;
            }
        }
        *notes.told() = ledger;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it needs root and loop devices; CI runs it"]
async fn what_clients_were_told_is_true_on_a_copy_of_the_disk() -> io::Result<()> {
    let (seed, notes) = (seed(), Notes::default());
    let mut machine = populated(&notes).await?;
    let mut load = Load::start(&machine, &notes, 0);
    for number in 0..cuts().copies {
        let messages = noise(seed.wrapping_add(number)) % ACCEPTED_MAX;
        load.accepted(messages).await;
        // Who stands still has said what can be noted, and has taken nothing that is not noted as begun.
        let (image, mut ledger) = machine.frozen(|| notes.told().clone());
        let mut copy = Machine::new(image.disk(), CONFIG);
        copy.start();
        let counts = compare(&copy, &mut ledger).await?;
        println!("copy {number} behind {messages} messages: {counts}");
    }
    machine.cut(Cut::random(seed, false));
    load.end(false).await;
    machine.start();
    let mut ledger = notes.told().clone();
    let counts = compare(&machine, &mut ledger).await?;
    println!("the disk itself: {counts}");
    Ok(())
}

/// A computer with a server, and with accounts on it.
async fn populated(notes: &Notes) -> io::Result<Machine> {
    let mut machine = Machine::new(Disk::new(&drive()), CONFIG);
    machine.start();
    populate(&machine, notes).await?;
    Ok(machine)
}
