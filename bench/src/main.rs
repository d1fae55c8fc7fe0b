//! Measures `mymail serve` beside other mail servers, on this machine, and prints a table for each group of figures.
//!
//! `bench/run` installs what it needs, builds both programs and runs this one, as root.

mod document;
mod figures;
mod interrupt;
mod load;
mod machine;
mod peers;
mod picture;
mod processes;
mod runs;
mod table;
mod workshop;

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::figures::Report;
use crate::machine::Machine;
use crate::runs::{Name, Setting};
/// Measure the server beside other mail servers
#[derive(Debug, Parser)]
#[command(override_usage = "bench/run [OPTIONS]")]
struct Args {
    /// Measure only this group; may repeat
    #[arg(long, value_name = "GROUP")]
    only: Vec<Name>,

    /// Fewer cases and rounds, in about five minutes instead of forty-five
    #[arg(long)]
    quick: bool,

    /// The tables go to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    /// The figures go to this file too, as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write the tables into this page, between its two marks, and pictures into a folder beside it
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,

    /// Measure nothing, but take the figures of an earlier run from this file
    #[arg(long, value_name = "FILE", conflicts_with_all = ["only", "quick", "json"])]
    from: Option<PathBuf>,

    /// A folder on the disk to measure, instead of one beside the built programs
    #[arg(long, value_name = "DIR", overrides_with = "folder")]
    folder: PathBuf,

    /// Another mymail to measure than the one that was just built
    #[arg(long, value_name = "FILE", overrides_with = "program")]
    program: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let report = match &args.from {
        Some(file) => serde_json::from_slice(&fs::read(file)?).with_context(|| file.display().to_string())?,
        None => measure(&args)?,
    };
    if let Some(file) = &args.json {
        fs::write(file, serde_json::to_vec_pretty(&report)?)?;
    }
    if let Some(page) = &args.write {
        document::write(&report, page)?;
    }
    match &args.output {
        Some(file) => fs::write(file, document::text(&report))?,
        None => io::stdout().write_all(document::text(&report).as_bytes())?,
    }
    Ok(())
}

fn measure(args: &Args) -> anyhow::Result<Report> {
    interrupt::note()?;
    // For connections; the servers inherit it.
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })
        .context("cannot raise the limit of descriptors")?;
    let names = if args.only.is_empty() { Name::usual(args.quick) } else { args.only.clone() };
    let setting = Setting::new(args.program.canonicalize()?, &args.folder, &names, args.quick)?;
    let machine = Machine::here(setting.folder())?;
    let mut groups = Vec::new();
    for name in names {
        match name.run(&setting) {
            Ok(measured) => groups.extend(measured),
            Err(error) => return Err(error.context(setting.complaints()?)),
        }
    }
    Ok(Report { machine, quick: args.quick, groups })
}
