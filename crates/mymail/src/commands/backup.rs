//! `mymail backup`: a copy of a store, made by the server that has it open, if there is one.

use std::path::{Path, PathBuf, absolute};
use std::time::Instant;

use anyhow::Context;
use bytesize::ByteSize;
use serde::Serialize;
use server::admin::{Admin, AdminError, BackupState, ProgressState};
use store::embedded::{Embedded, OpenError, check};
use store::{BackUpError, BackedUp, Store};

use super::place::Place;
use super::watched::watched;
use crate::exit::{Exit, Failure};
use crate::interrupt::unless_interrupted;
use crate::output::{Results, count_of, note};
use crate::progress::Progress;

/// Copy a whole store, while its server runs or not
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The copy is what the store was at one moment: all that was acknowledged before the command began is
in it, and nothing that was deleted before. The server goes on meanwhile. It writes the copy itself,
so FOLDER is for the user that it runs as. When the command says that it is done, the copy is on
stable storage and has been checked; before that there is only FOLDER.incomplete.

Passwords are not in it, only what proves them; the key of the server's own certificate is.

Examples:
  mymail backup /backup/monday
  mymail backup /backup/$(date +%F) --data /var/lib/mymail

Exit codes:
  0 done, 65 the store is damaged, and the copy with it, 69 the store failed, 73 FOLDER is not free
  or cannot be written, 75 try again later, 77 not permitted, 78 there is no store")]
pub(crate) struct Args {
    /// Where to put the copy: a folder that is not there, or is empty
    folder: PathBuf,

    #[command(flatten)]
    place: Place,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// What is printed.
#[derive(Serialize)]
struct Made<'a> {
    folder: &'a Path,
    #[serde(flatten)]
    state: BackupState,
    seconds: f64,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let Args { folder, place, json } = args;
    let data = place.folder()?;
    let folder = absolute(&folder).with_context(|| format!("cannot find {}", folder.display()))?;
    let begun = Instant::now();
    let state = unless_interrupted(make(&data, &folder), "there is no backup").await?;
    let seconds = seconds_since(begun);
    let BackupState { accounts, messages, octets, problems } = state;
    let (accounts, messages) = (count_of(accounts, "account"), count_of(messages, "message"));
    let text =
        format!("backed up {accounts}, {messages}, {} in {seconds} s to {}", ByteSize::b(octets), folder.display());
    Results::new(json).print(&text, &Made { folder: &folder, state, seconds })?;
    if problems == 0 {
        return Ok(Exit::Done);
    }
    note(&format!("the store is damaged, and the backup with it: `mymail check --data {}` says how", folder.display()));
    Ok(Exit::Data)
}

/// How long it took, as people want to know it.
pub(super) fn seconds_since(begun: Instant) -> f64 {
    (begun.elapsed().as_secs_f64() * 10.0).round() / 10.0
}

async fn make(data: &Path, folder: &Path) -> anyhow::Result<BackupState> {
    let mut bar = Progress::unknown();
    let show = |ProgressState { octets, octets_total }| bar.follow(store::Progress { octets, octets_total });
    match Admin::new(data).back_up(folder.to_owned(), show).await {
        Err(AdminError::NotRunning { .. }) => make_without_server(data, folder).await,
        made => Ok(made?),
    }
}

async fn make_without_server(data: &Path, folder: &Path) -> anyhow::Result<BackupState> {
    if !check::is_there(data) {
        return Err(Failure::new(Exit::Config, format!("there is no store in {}", data.display())).into());
    }
    let store = Embedded::open(data).map_err(|error| match error {
        OpenError::InUse => {
            let advice = "a server is starting or stopping there, or it is being checked: try again";
            Failure::new(Exit::TempFail, format!("{} is in use: {advice}", data.display()))
        }
        error => Failure::new(Exit::Config, format!("cannot open the store in {}: {error}", data.display())),
    })?;
    let backed_up = watched(|tell| store.back_up(folder, tell)).await;
    let BackedUp { accounts, messages, octets, problems } = backed_up.map_err(|error| failure(&error))?;
    Ok(BackupState { accounts, messages, octets, problems })
}

fn failure(error: &BackUpError) -> Failure {
    let exit = match error {
        BackUpError::Taken { .. }
        | BackUpError::Unfinished { .. }
        | BackUpError::MountPoint { .. }
        | BackUpError::Io { .. } => Exit::CantCreate,
        BackUpError::Stopped => Exit::TempFail,
        BackUpError::NotOffered | BackUpError::Store(_) => Exit::Unavailable,
    };
    Failure::new(exit, format!("cannot back up: {error}"))
}
