//! The groups of measurements.

mod delivery;
mod disk;

use std::path::PathBuf;

use clap::ValueEnum;

use crate::figures::Group;
use crate::interrupt;
use crate::workshop::Workshop;

/// What all groups need to know.
pub(crate) struct Setting {
    /// Our program.
    pub(crate) program: PathBuf,
    pub(crate) workshop: Workshop,
    /// Less of everything, for a check.
    pub(crate) quick: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    /// Mail that is sent to servers
    Delivery,
}

impl Name {
    pub(crate) fn run(self, setting: &Setting) -> anyhow::Result<Vec<Group>> {
        match self {
            Self::Delivery => delivery::run(setting),
        }
    }
}

impl Setting {
    /// How often everything is measured.
    fn rounds(&self) -> u32 {
        if self.quick { 3 } else { 5 }
    }

    /// Says what goes on, and fails if somebody wants an end.
    fn progress(&self, what: &str) -> anyhow::Result<()> {
        eprintln!("{what}");
        interrupt::check()
    }
}

/// A number of octets, in words.
fn size(octets: u64) -> String {
    for (unit, name) in [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")] {
        if octets >= unit {
            return format!("{} {name}", octets / unit);
        }
    }
    format!("{octets} B")
}
