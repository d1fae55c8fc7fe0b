//! A clock on the wall that jumps, while the server runs and while it does not; that of the kernel's which never jumps goes on.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use crate::client::auth_plain;
use crate::common::Home;
use crate::host::Host;
use crate::until::until;

/// Longer than some rounds of housekeeping, which then come every ten seconds.
const CONFIG: &str = "registration = { lease = \"40s\", per_peer_per_hour = 100000 }";
/// What is logged when a round has ended no account.
const ROUND: &str = "no lease ran out";
const YEAR_DAYS: i64 = 366;

/// The clock on a server's wall.
struct Wall(PathBuf);

impl Wall {
    /// Puts it to so many days from now. It goes on from there.
    fn put(&self, days: i64) {
        // Whole or not at all: it is read at every look.
        let new = self.0.with_extension("new");
        fs::write(&new, format!("{days:+}d\n")).unwrap();
        fs::rename(new, &self.0).unwrap();
    }
}

/// A server with a clock on its wall.
fn start(days: i64) -> (Host, Wall) {
    // Where Debian has it.
    let library = format!("/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1", env::consts::ARCH);
    assert!(Path::new(&library).exists(), "install faketime: there is no {library}");
    let home = Home::new();
    let wall = Wall(home.path("clock"));
    wall.put(days);
    let path = wall.0.clone();
    let host = Host::prepared(home, CONFIG, move |command| {
        command
            .env("LD_PRELOAD", &library)
            .env("FAKETIME_TIMESTAMP_FILE", &path)
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("RUST_LOG", "debug");
    });
    (host, wall)
}

/// Waits for whole rounds of housekeeping.
async fn rounds(host: &Host) -> io::Result<()> {
    let before = host.log().matches(ROUND).count();
    until("house is kept twice", async || Ok(host.log().matches(ROUND).count() >= before + 2)).await
}

/// An account with a number and a password, and nobody who uses it.
async fn numbered(host: &Host) -> io::Result<(String, String)> {
    let mut client = host.registered("").await?;
    let login = (client.address.clone(), client.password().await?);
    client.quit().await?;
    Ok(login)
}

/// Whether a login succeeds; it makes the lease begin anew.
async fn is_there(host: &Host, (address, password): &(String, String)) -> io::Result<bool> {
    let reply = host.client().await?.say(&auth_plain(address, password)).await?;
    assert!(["235 ", "535 "].iter().any(|begin| reply.starts_with(begin)), "{reply}");
    Ok(reply.starts_with("235 "))
}

/// Makes an address be held, for it was somebody's.
async fn leave(host: &Host, name: &str) -> io::Result<()> {
    host.registered(name).await?.quit().await
}

/// Whether an address is nobody's. From then on it is held.
async fn is_free(host: &Host, name: &str) -> io::Result<bool> {
    let mut client = host.client().await?;
    let is_free = client.say(&format!("XREGISTER {name}")).await?.starts_with("250 ");
    client.quit().await?;
    Ok(is_free)
}

#[tokio::test]
#[ignore = "it needs faketime; CI runs it"]
async fn leases_do_not_care_for_the_wall_while_the_server_runs() -> io::Result<()> {
    for days in [50 * YEAR_DAYS, -10 * YEAR_DAYS] {
        let (host, wall) = start(0);
        let (idle, mut in_use) = (numbered(&host).await?, host.registered("").await?);
        in_use.password().await?;
        leave(&host, "alice").await?;
        wall.put(days);
        assert!(!is_free(&host, "alice").await?, "its hold has just begun");
        rounds(&host).await?;
        assert!(is_there(&host, &idle).await?, "its lease has just begun");
        in_use.expect("NOOP", "250 ").await?;
        assert!(in_use.recipient(&in_use.address.clone()).await?.starts_with("250 "));
        // A hold ends in its time, however far back the wall clock is.
        until("the hold ends", async || is_free(&host, "alice").await).await?;
    }
    Ok(())
}

/// A machine without a clock of its own starts in 1970, until the network tells it the time.
#[tokio::test]
#[ignore = "it needs faketime; CI runs it"]
async fn a_start_at_another_time_ends_nothing() -> io::Result<()> {
    let (mut host, wall) = start(0);
    let idle = numbered(&host).await?;
    for days in [50 * YEAR_DAYS, -10 * YEAR_DAYS, 0, -50 * YEAR_DAYS] {
        let name = format!("alice-on-day{days}");
        leave(&host, &name).await?;
        host.kill();
        wall.put(days);
        host.start_again();
        assert!(!is_free(&host, &name).await?, "its hold has just begun");
        rounds(&host).await?;
        assert!(is_there(&host, &idle).await?, "its lease has just begun");
        if days < 0 {
            until("the hold ends", async || is_free(&host, &name).await).await?;
            // The next round of this test takes nearly a lease as well.
            assert!(is_there(&host, &idle).await?, "its lease began when it was used");
        }
    }
    assert_eq!(host.log().matches("leases go on as if no time had passed").count(), 4, "{}", host.log());
    Ok(())
}

/// By which clock dates are.
#[tokio::test]
#[ignore = "it needs faketime; CI runs it"]
async fn the_wall_clock_can_be_put_right_in_the_midst_of_mail() -> io::Result<()> {
    let (host, wall) = start(0);
    let mut client = host.registered("").await?;
    let own = client.address.clone();
    for days in [0, 50 * YEAR_DAYS, -10 * YEAR_DAYS] {
        client.begin(&[&own]).await?;
        wall.put(days);
        client.write("sent at some time").await?;
        assert_eq!(client.say(".").await?, "250 OK");
    }
    assert_eq!(client.retrieve().await?.len(), 3);
    Ok(())
}
