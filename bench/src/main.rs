//! Measures `mymail serve` beside other mail servers, on this machine, and prints a table for each group of figures.
//!
//! `bench/run` installs what it needs, builds both programs and runs this one, as root.

mod figures;
mod interrupt;
mod load;
mod machine;
mod peers;
mod processes;
mod runs;
mod table;
mod workshop;

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::{Parser, ValueEnum};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::figures::Report;
use crate::machine::Machine;
use crate::runs::{Name, Setting};
use crate::workshop::Workshop;

/// How much room the measurements take at most.
const OCTETS: u64 = 60 << 30;
const OCTETS_QUICK: u64 = 6 << 30;

/// Measure the server beside other mail servers
#[derive(Debug, Parser)]
#[command(name = "bench/run", disable_help_subcommand = true)]
struct Args {
    /// Measure only this group; may repeat
    #[arg(long, value_name = "GROUP")]
    only: Vec<Name>,

    /// Fewer cases and rounds, in two or three minutes instead of forty
    #[arg(long)]
    quick: bool,

    /// The tables go to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The figures go to this file too, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// A folder on the disk to measure
    #[arg(long, value_name = "DIR")]
    folder: PathBuf,

    /// The program to measure
    #[arg(long, value_name = "FILE", hide = true)]
    program: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    interrupt::note()?;
    // For connections; the servers inherit it.
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .context("cannot raise the limit of descriptors")?;
    let report = measure(&args)?;
    if let Some(file) = &args.json {
        fs::write(file, serde_json::to_vec_pretty(&report)?)?;
    }
    let tables: Vec<String> = report.groups.iter().map(table::markdown).collect();
    let text = format!("{}\n\n{}", report.machine.describe(), tables.join("\n"));
    match &args.output {
        Some(file) => fs::write(file, text)?,
        None => io::stdout().write_all(text.as_bytes())?,
    }
    Ok(())
}

fn measure(args: &Args) -> anyhow::Result<Report> {
    let octets = if args.quick { OCTETS_QUICK } else { OCTETS };
    let workshop = Workshop::new(&args.folder, octets)?;
    let machine = Machine::here(workshop.path())?;
    let setting = Setting { program: args.program.canonicalize()?, workshop, quick: args.quick };
    let names = if args.only.is_empty() { Name::value_variants() } else { &args.only };
    let mut groups = Vec::new();
    for name in names {
        groups.extend(name.run(&setting)?);
    }
    let command: Vec<String> = std::env::args().skip(1).collect();
    Ok(Report { machine, command: command.join(" "), groups })
}
