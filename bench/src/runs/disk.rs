//! What the disk can do at best, for whoever wants mail to be safe on it.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::time::{Duration, Instant};

use crate::figures::Group;
use crate::workshop::Workshop;

const DISK: &str = "disk";

/// How long syncs are counted.
const PERIOD: Duration = Duration::from_millis(700);
const RECORD: [u8; 1024] = [b'x'; 1024];
const CHUNK_OCTETS: usize = 1 << 20;
/// How much is written to see how fast it goes.
const SEQUENTIAL_OCTETS: usize = 256 << 20;
/// How much of a file there is before it is overwritten.
const PREALLOCATED_OCTETS: usize = 16 << 20;

const SYNCS: &str = "per second";
const THROUGHPUT: &str = "MB/s";
const APPENDS: &str = "append 1 KiB, fdatasync";
const OVERWRITES: &str = "write 1 KiB over what is there, fdatasync";
const SEQUENTIAL: &str = "write 256 MiB, fdatasync";

pub(super) fn group() -> Group {
    let explanation = "The disk by itself, measured in turn with the servers: one process that writes to one file.";
    Group::new("disk", "Disk", explanation, &["again and again"])
}

/// Counts how often a second 1 KiB can be made safe.
pub(super) fn measure_syncs(workshop: &Workshop, group: &mut Group) -> anyhow::Result<()> {
    let appends = with_file(workshop, |file| syncs_per_second(file, |_, _| Ok(())))?;
    group.add(&[APPENDS.to_owned()], DISK, SYNCS, appends);
    let overwrites = with_file(workshop, |file| {
        write(file, PREALLOCATED_OCTETS)?;
        syncs_per_second(file, |file, count| {
            if (count * RECORD.len()).is_multiple_of(PREALLOCATED_OCTETS) {
                file.seek(SeekFrom::Start(0))?;
            }
            Ok(())
        })
    })?;
    group.add(&[OVERWRITES.to_owned()], DISK, SYNCS, overwrites);
    Ok(())
}

/// Looks how fast much can be written.
pub(super) fn measure_throughput(workshop: &Workshop, group: &mut Group) -> anyhow::Result<()> {
    let megabytes_per_second = with_file(workshop, |file| {
        let since = Instant::now();
        write(file, SEQUENTIAL_OCTETS)?;
        Ok(SEQUENTIAL_OCTETS as f64 / 1e6 / since.elapsed().as_secs_f64())
    })?;
    group.add(&[SEQUENTIAL.to_owned()], DISK, THROUGHPUT, megabytes_per_second);
    Ok(())
}

pub(super) fn appends_per_second(group: &Group) -> Option<f64> {
    group.median(&[APPENDS.to_owned()], DISK, SYNCS)
}

pub(super) fn megabytes_per_second(group: &Group) -> Option<f64> {
    group.median(&[SEQUENTIAL.to_owned()], DISK, THROUGHPUT)
}

fn with_file(workshop: &Workshop, measure: impl Fn(&mut File) -> anyhow::Result<f64>) -> anyhow::Result<f64> {
    let path = workshop.path().join("disk");
    let result = measure(&mut File::create_new(&path)?)?;
    workshop.bury(&path)?;
    Ok(result)
}

fn syncs_per_second(file: &mut File, before: impl Fn(&mut File, usize) -> anyhow::Result<()>) -> anyhow::Result<f64> {
    let (since, mut count) = (Instant::now(), 0);
    while since.elapsed() < PERIOD {
        before(file, count)?;
        file.write_all(&RECORD)?;
        file.sync_data()?;
        count += 1;
    }
    Ok(count as f64 / since.elapsed().as_secs_f64())
}

fn write(file: &mut File, octets: usize) -> anyhow::Result<()> {
    let chunk = vec![b'x'; CHUNK_OCTETS];
    for _ in 0..octets / CHUNK_OCTETS {
        file.write_all(&chunk)?;
    }
    Ok(file.sync_data()?)
}
