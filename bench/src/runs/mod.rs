//! The groups of measurements.

mod delivery;
mod disk;
mod growth;
mod idle;
mod nodes;
mod retrieval;
mod start;

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use clap::ValueEnum;

use crate::figures::Group;
use crate::interrupt;
use crate::load::Load;
use crate::peers::{MailServer, Ours};
use crate::table;
use crate::workshop::Workshop;

const BIG_OCTETS: u64 = 10 << 30;
const BIG_OCTETS_QUICK: u64 = 100 << 20;
/// How a mailbox is filled.
const LOAD_TO_FILL: Load = Load { octets: 1 << 10, sessions: 100, keeps_connection: true, recipients: 1 };

/// How much room it takes at most, beside the big store.
const ROOM_OCTETS: u64 = 2 << 30;
const ROOM_OCTETS_DELIVERY: u64 = 22 << 30;

/// What all groups need to know.
pub(crate) struct Setting {
    /// Our program.
    program: PathBuf,
    workshop: Workshop,
    /// Less of everything, for a check.
    quick: bool,
    big_store: OnceCell<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    /// Mail that is sent to servers, and the disk
    Delivery,
    /// Mail that is read and deleted
    Retrieval,
    /// Mail that is sent to several servers on one database
    Nodes,
    /// Memory of idle connections
    Idle,
    /// Time to the first greeting
    Start,
    /// More accounts, more messages, more octets; not with --quick, unless it is asked for
    Growth,
}

impl Name {
    pub(crate) fn run(self, setting: &Setting) -> anyhow::Result<Vec<Group>> {
        match self {
            Self::Delivery => delivery::run(setting),
            Self::Retrieval => retrieval::run(setting),
            Self::Nodes => nodes::run(setting),
            Self::Idle => idle::run(setting),
            Self::Start => start::run(setting),
            Self::Growth => growth::run(setting),
        }
    }

    /// Those that are run if nobody says which.
    pub(crate) fn usual(quick: bool) -> Vec<Self> {
        Self::value_variants().iter().copied().filter(|name| !(quick && *name == Self::Growth)).collect()
    }
}

impl Setting {
    /// `folder` is on the disk to measure, which has to have room for these groups.
    pub(crate) fn new(program: PathBuf, folder: &Path, names: &[Name], quick: bool) -> anyhow::Result<Self> {
        let mut room = ROOM_OCTETS;
        if names.contains(&Name::Delivery) && !quick {
            room += ROOM_OCTETS_DELIVERY;
        }
        if names.contains(&Name::Start) || names.contains(&Name::Growth) {
            room += big_octets(quick) * 6 / 5;
        }
        Ok(Self { program, workshop: Workshop::new(folder, room)?, quick, big_store: OnceCell::new() })
    }

    pub(crate) fn folder(&self) -> &Path {
        self.workshop.path()
    }

    /// What the servers complain of, if something fails.
    pub(crate) fn complaints(&self) -> anyhow::Result<String> {
        Ok(format!("the servers' logs say:\n{}", self.workshop.complaints()?))
    }

    /// How often everything is measured.
    fn rounds(&self) -> u32 {
        if self.quick { 3 } else { 5 }
    }

    fn big_octets(&self) -> u64 {
        big_octets(self.quick)
    }

    /// The folder of a server, stopped, with so much mail. It is made once.
    fn big_store(&self) -> anyhow::Result<&Path> {
        if let Some(folder) = self.big_store.get() {
            return Ok(folder);
        }
        self.progress(&format!("filling a store with {}", size(self.big_octets())))?;
        let ours = Ours::start(&self.program, &self.workshop)?;
        fill(&ours, self.big_octets())?;
        Ok(self.big_store.get_or_init(|| ours.folder().to_owned()))
    }

    /// Says what goes on, and fails if somebody wants an end.
    fn progress(&self, what: &str) -> anyhow::Result<()> {
        eprintln!("{what}");
        interrupt::check()
    }
}

fn big_octets(quick: bool) -> u64 {
    if quick { BIG_OCTETS_QUICK } else { BIG_OCTETS }
}

/// Delivers so much into one mailbox.
fn fill(ours: &Ours, octets: u64) -> anyhow::Result<()> {
    let load = Load { octets: 100 << 10, sessions: 20, ..LOAD_TO_FILL };
    load.send(u32::try_from(octets / u64::from(load.octets))?, ours.smtp())
}

/// How many.
fn count(number: u32) -> String {
    table::number(number.into())
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
