//! How long a run is, and by which chances.

use std::env;
use std::path::Path;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use testkit::power::Drive;

/// Cuts in all tests together, about.
const CUTS: u64 = 150;

/// How many cuts there shall be.
pub(crate) struct Cuts {
    /// At any moment.
    pub(crate) at_moments: u64,
    /// Copies of a disk in use.
    pub(crate) copies: u64,
    /// At syncs and writes.
    pub(crate) at_syncs: u64,
}

pub(crate) fn cuts() -> Cuts {
    let cuts = number("MYMAIL_POWER_CUTS").unwrap_or(CUTS);
    let (at_moments, copies) = (cuts / 4, cuts / 20);
    Cuts { at_moments, copies, at_syncs: cuts - at_moments - copies }
}

/// What all chances follow from. It is told, so that a run can be had again, but for what the system does in between.
pub(crate) fn seed() -> u64 {
    let seed = number("MYMAIL_POWER_SEED").unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        u64::from(now.subsec_nanos())
    });
    println!("MYMAIL_POWER_SEED={seed}");
    seed
}

/// A drive for a test.
pub(crate) fn drive() -> Rc<Drive> {
    Drive::new(Path::new(env!("CARGO_TARGET_TMPDIR")))
}

fn number(variable: &str) -> Option<u64> {
    env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable} is no number: {text:?}")))
}
