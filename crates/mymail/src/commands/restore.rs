//! `mymail restore`: brings a backup back.

use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use serde::Serialize;
use store::embedded::check::{CheckError, Report};
use store::embedded::{OpenError, RestoreError, restore};
use tokio::task;

use super::backup::seconds_since;
use super::check::{exit_of, line_of, size_of};
use super::import::import_to_database;
use super::place::{Kept, Place};
use super::watched::watched;
use crate::exit::{Exit, Failure};
use crate::interrupt::unless_interrupted;
use crate::output::Results;

/// Bring a backup back, into a data folder that is not there or empty
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Run it as the user that the server runs as, while no server runs. If there is a store already, move
its folder aside first. The backup stays as it is, and can be brought back as often as is liked.
What is brought back is checked, as by `mymail check`. A backup of a database is brought back into an
empty one, as by `mymail import`.

Examples:
  mv /var/lib/mymail /var/lib/mymail.old
  mymail restore /backup/monday --data /var/lib/mymail

Exit codes:
  0 done, 65 there is no backup, or something is wrong with it, 73 the data folder is not empty or
  cannot be written, 75 try again later, 77 not permitted, 78 configuration")]
pub(crate) struct Args {
    /// The backup
    backup: PathBuf,

    #[command(flatten)]
    place: Place,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// What is printed.
#[derive(Serialize)]
struct Restored<'a> {
    folder: &'a Path,
    #[serde(flatten)]
    report: &'a Report,
    seconds: f64,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let Args { backup, place, json } = args;
    let data = match place.kept()? {
        Kept::Folder(data) => data,
        Kept::Database(options) => return import_to_database(&options, &backup, Results::new(json)).await,
    };
    let begun = Instant::now();
    let into = data.clone();
    let work = watched(|mut tell| task::spawn_blocking(move || restore(&backup, &into, &mut tell)));
    let work = async { work.await.context("cannot copy")?.map_err(|error| failure(&error).into()) };
    let report = unless_interrupted(work, "nothing is brought back").await?;
    let seconds = seconds_since(begun);
    let mut lines: Vec<String> = report.findings.iter().map(line_of).collect();
    lines.push(format!("restored {} in {seconds} s to {}", size_of(&report), data.display()));
    Results::new(json).print(&lines.join("\n"), &Restored { folder: &data, report: &report, seconds })?;
    Ok(exit_of(&report))
}

fn failure(error: &RestoreError) -> Failure {
    let exit = match error {
        RestoreError::NoBackup { error: CheckError::Open(OpenError::InUse), .. } | RestoreError::Stopped => {
            Exit::TempFail
        }
        RestoreError::Taken { .. } | RestoreError::Io { .. } => Exit::CantCreate,
        RestoreError::NoBackup { .. }
        | RestoreError::NotClosed { .. }
        | RestoreError::Database(_)
        | RestoreError::Check(_) => Exit::Data,
    };
    Failure::new(exit, format!("cannot restore: {error}"))
}
