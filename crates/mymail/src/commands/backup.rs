//! `mymail backup`: a copy of a store, whose server, if there is one, keeps all files meanwhile. The server itself does not write
//! to FOLDER: it can't, outside its data folder (`serve/confine`).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf, absolute};
use std::time::Instant;

use anyhow::Context;
use bytesize::ByteSize;
use nix::unistd::{Gid, Uid, geteuid};
use serde::Serialize;
use server::admin::{Admin, AdminError, Held};
use store::embedded::{back_up, check};
use store::{BackUpError, BackedUp, StoreError};
use tokio::task::spawn_blocking;

use super::export::export_database;
use super::opened;
use super::place::{Kept, Place};
use super::serve::user::become_ids;
use super::watched::watched;
use crate::exit::{Exit, Failure};
use crate::interrupt::unless_interrupted;
use crate::output::{Results, count_of, note};

/// Copy a whole store, while its server runs or not
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The copy is what the store was at one moment: all that was acknowledged before the command began is
in it, and nothing that was deleted before. The server goes on meanwhile. Root makes the copy as the
owner of the data folder, who has to be allowed to write to FOLDER. When the command says that it is done, the copy is on
stable storage and has been checked; before that there is only FOLDER.incomplete.

Of accounts and mail in a database it makes what `mymail export` makes, which need not be of one
moment: PostgreSQL's own tools make such backups.

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
    let folder = absolute(&folder).with_context(|| format!("cannot find {}", folder.display()))?;
    let data = match place.kept()? {
        Kept::Folder(data) => data,
        Kept::Database(options) => return export_database(&options, &folder, Results::new(json)).await,
    };
    become_owner(&data)?;
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

/// What a backup has.
#[derive(Debug, Clone, Copy, Serialize)]
struct BackupState {
    accounts: u64,
    messages: u64,
    octets: u64,
    problems: u64,
}

async fn make(data: &Path, folder: &Path) -> anyhow::Result<BackupState> {
    let backed_up = match Admin::new(data).hold().await {
        Ok(held) => make_beside_server(held, data, folder).await,
        Err(AdminError::NotRunning { .. }) => make_without_server(data, folder).await?,
        Err(error) => return Err(error.into()),
    };
    let BackedUp { accounts, messages, octets, problems } = backed_up.map_err(|error| failure(&error))?;
    Ok(BackupState { accounts, messages, octets, problems })
}

/// Copies files that a server keeps as long as it is there.
async fn make_beside_server(mut held: Held, data: &Path, folder: &Path) -> Result<BackedUp, BackUpError> {
    let (data, folder) = (data.to_owned(), folder.to_owned());
    let copied = watched(|mut tell| async {
        let copy = spawn_blocking(move || back_up(&data, &folder, &mut tell));
        copy.await.unwrap_or_else(|error| Err(StoreError::Failed(Box::new(error)).into()))
    });
    tokio::select! {
        copied = copied => copied,
        () = held.lost() => Err(BackUpError::Stopped),
    }
}

async fn make_without_server(data: &Path, folder: &Path) -> Result<Result<BackedUp, BackUpError>, Failure> {
    if !check::is_there(data) {
        return Err(Failure::new(Exit::Config, format!("there is no store in {}", data.display())));
    }
    let store = opened::open(data, "a server is starting or stopping there, or it is being checked: try again")?;
    Ok(watched(|tell| store.back_up(folder, tell)).await)
}

/// Root works as the owner of a store, who may read and write no more than the server may.
pub(super) fn become_owner(data: &Path) -> anyhow::Result<()> {
    let Ok(there) = fs::symlink_metadata(data.join(store::embedded::DATABASE)) else { return Ok(()) };
    if geteuid().is_root() && there.uid() != 0 {
        become_ids(Uid::from_raw(there.uid()), Gid::from_raw(there.gid()))
            .with_context(|| format!("cannot become the owner of the store in {}", data.display()))?;
    }
    Ok(())
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
