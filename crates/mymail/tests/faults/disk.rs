//! A disk that really fills up: a small one, of its own, in a file.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use rustix::fs::statvfs;

use crate::common::Home;
use crate::life::{BIG_OCTETS, Life, SMALL_OCTETS};
use crate::until::until;

const DISK_OCTETS: u64 = 64 << 20;
const FULL: &str = "452 Out of storage, try again later";
/// So many messages do not fit.
const MESSAGES_MAX: usize = 10_000;
/// Small enough for the tables or the journal.
const MEDIUM_OCTETS: usize = 50_000;

/// A disk in a file, mounted until this is dropped.
struct Disk {
    folder: PathBuf,
}

impl Disk {
    fn mount(home: &Home) -> Self {
        let (image, folder) = (home.path("disk"), home.path("data"));
        fs::File::create(&image).unwrap().set_len(DISK_OCTETS).unwrap();
        fs::create_dir(&folder).unwrap();
        // Without room that only root may use, as which this runs.
        run(Command::new("mkfs.ext4").args(["-q", "-m", "0"]).arg(&image));
        run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&folder));
        Self { folder }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Lazily, for the server may still be there.
        run(Command::new("umount").arg("--lazy").arg(&self.folder));
    }
}

fn run(command: &mut Command) {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
}

fn free_octets(folder: &Path) -> u64 {
    let system = statvfs(folder).unwrap();
    system.f_bavail * system.f_frsize
}

/// Fills the disk until a message is refused. The reply.
async fn fill(life: &mut Life, octets: usize) -> io::Result<String> {
    for _ in 0..MESSAGES_MAX {
        let reply = life.send(octets).await?;
        if reply != "250 OK" {
            return Ok(reply);
        }
    }
    panic!("the disk does not fill up")
}

/// A server whose data is on a disk of its own. That goes first: then the folder it is mounted on can go too.
struct OnDisk {
    disk: Disk,
    life: Life,
}

impl OnDisk {
    async fn begin(config: &str) -> io::Result<Self> {
        let home = Home::new();
        let disk = Disk::mount(&home);
        Ok(Self { disk, life: Life::in_home(home, config).await? })
    }
}

/// With a reserve the disk never fills up: mail waits until some is deleted, and all else goes on.
#[tokio::test]
#[ignore = "it needs root and a loop device; CI runs it"]
async fn the_reserve_stays_free() -> io::Result<()> {
    for octets in [MEDIUM_OCTETS, BIG_OCTETS] {
        let OnDisk { disk, life } = &mut OnDisk::begin("limits.reserve = \"32 MiB\"").await?;
        assert_eq!(fill(life, octets).await?, FULL);
        let free = free_octets(&disk.folder);
        assert!(free >= 16 << 20, "{free} octets are free");
        life.expect_refusal_of_mail_alone().await?;

        life.remove_all().await?;
        until("mail is taken again", async || Ok(life.send(octets).await? == "250 OK")).await?;
        // Mail is taken as soon as the reserve is there, and the log says so when there is somewhat more.
        until("that is said", async || {
            life.send(SMALL_OCTETS).await?;
            Ok(life.host.log().contains("there is room on the disk again"))
        })
        .await?;
        let log = life.host.log();
        assert_eq!(log.matches("the disk is almost full").count(), 1, "{log}");
        assert_eq!(log.matches("there is room on the disk again").count(), 1, "{log}");
        life.start_again(true).await?;
    }
    Ok(())
}

/// Without one a write fails, and nothing that was acknowledged is lost.
#[tokio::test]
#[ignore = "it needs root and a loop device; CI runs it"]
async fn a_disk_without_a_reserve_fills_up() -> io::Result<()> {
    for octets in [MEDIUM_OCTETS, BIG_OCTETS] {
        let OnDisk { disk, life } = &mut OnDisk::begin("limits.reserve = 0").await?;
        // What is in the way of the mail, and goes away afterwards.
        let other = disk.folder.join("other");
        fs::write(&other, vec![0; 16 << 20])?;
        println!("the message that is too much gets {}", fill(life, octets).await?);
        // A big one that found no room has left some for others.
        fill(life, MEDIUM_OCTETS).await?;
        life.expect_end_of_writing().await?;
        fs::remove_file(&other)?;
        life.start_again(true).await?;
    }
    Ok(())
}
