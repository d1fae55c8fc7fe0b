//! Peers that flood the real server in every way that we know, while honest ones send and read mail.
//!
//! What must be so, whatever the others do: honest mail is taken, and each message that was taken comes to its reader once, octet
//! for octet, and to nobody else. The server neither dies nor grows, and afterwards it has no more connections than before.
//!
//! Each attack runs alone for `MYMAIL_FLOOD_SECONDS` (2 unless set), then all together for `MYMAIL_SOAK_SECONDS` (10). How long
//! honest mail took is printed, and is to be within a second at the 99th percentile; that is asserted only when
//! `MYMAIL_SOAK_SECONDS` is set, on a machine that does nothing else. `bench/soak` runs it so.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod attack;
#[path = "../common/mod.rs"]
mod common;
mod figures;
mod honest;
mod ledger;
mod peer;
mod stage;

use std::env;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use attack::{ATTACKS, Onslaught};
use figures::{Latencies, Minute};
use honest::Friends;
use stage::Stage;

/// What is asked of the server.
const LATENCY_MAX: Duration = Duration::from_secs(1);

fn seconds(variable: &str, otherwise: u64) -> Duration {
    Duration::from_secs(env::var(variable).map_or(otherwise, |text| text.parse().unwrap()))
}

fn expect_in_time(what: &str, latencies: &Latencies) {
    if env::var_os("MYMAIL_SOAK_SECONDS").is_some() {
        assert!(latencies.percentile(99) <= LATENCY_MAX, "{what}: {latencies}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it loads the machine; CI runs it"]
async fn each_attack_alone() -> io::Result<()> {
    let stage = Arc::new(Stage::new().await?);
    let friends = Friends::begin(&stage).await?;
    println!("{:<16} {:>9} {:>10} {}", "attack", "strikes", "cut short", Latencies::HEADING);
    for attack in ATTACKS {
        let onslaught = Onslaught::of(attack, &stage);
        friends.write_for(seconds("MYMAIL_FLOOD_SECONDS", 2)).await;
        let strikes = onslaught.end().await;
        let latencies = friends.take_latencies();
        println!("{:<16} {:>9} {:>10} {latencies}", attack.name, strikes.begun, strikes.cut_short);
        assert!(strikes.begun > 0, "{} does nothing", attack.name);
        expect_in_time(attack.name, &latencies);
    }
    friends.end().await?;
    stage.end().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "it loads the machine; CI runs it"]
async fn soak() -> io::Result<()> {
    let duration = seconds("MYMAIL_SOAK_SECONDS", 10);
    let stage = Arc::new(Stage::new().await?);
    let friends = Friends::begin(&stage).await?;
    let onslaught = Onslaught::of_all(&stage);
    let (begin, mut minutes) = (Instant::now(), Vec::new());
    println!("{}", Minute::HEADING);
    while begin.elapsed() < duration {
        friends.write_for(Duration::from_secs(60).min(duration - begin.elapsed())).await;
        let minute = Minute::now(begin.elapsed(), &stage, friends.take_latencies())?;
        println!("{minute}");
        minutes.push(minute);
    }
    let strikes = onslaught.end().await;
    println!("{} strikes, {} of them cut short", strikes.begun, strikes.cut_short);
    minutes.iter().for_each(|minute| expect_in_time("soak", &minute.latencies));
    figures::expect_no_growth(&minutes);
    friends.end().await?;
    stage.end().await
}
