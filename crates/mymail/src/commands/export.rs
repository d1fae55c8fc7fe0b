//! `mymail export`: a whole store as files that any engine and any version can import.

use std::path::{Path, PathBuf, absolute};
use std::time::Instant;

use anyhow::Context;
use bytesize::ByteSize;
use rustix::rand::{GetRandomFlags, getrandom};
use serde::Serialize;
use store::embedded::check;
use store::postgres::Options;
use store::transfer::{ExportError, FolderError, Moved, PART_OCTETS, export};
use store::{Store, StoreError};

use super::backup::{become_owner, seconds_since};
use super::opened::{self, exit_of};
use super::place::{Kept, Place};
use super::watched::watched;
use crate::exit::{Exit, Failure};
use crate::interrupt::unless_interrupted;
use crate::output::{Results, count_of, note};

/// Write a whole store to a folder, for `mymail import` into another engine or version
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It needs the store for itself: stop the server first, and start it again only when the new one has
taken its place. If it is broken off, the same command goes on where it was. Root makes the export as
the owner of the data folder, who has to be allowed to write to FOLDER.

The files have all mail in clear and what proves the passwords: nobody else may read them. Accounts
without a password are not in them, for they end with their connection.

Examples:
  mymail export /var/tmp/moving
  mymail export /var/tmp/moving --data /var/lib/mymail

Exit codes:
  0 done, 65 a message cannot be read, or FOLDER is damaged, 69 the store failed, 73 FOLDER is not
  free or cannot be written, 75 broken off or a server has the store open, 77 not permitted,
  78 there is no store")]
pub(crate) struct Args {
    /// Where to write: a folder that is not there, or is empty, or has a part of this store already
    folder: PathBuf,

    #[command(flatten)]
    place: Place,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

/// What is printed, by the import too.
#[derive(Serialize)]
struct Done<'a> {
    folder: &'a Path,
    #[serde(flatten)]
    moved: Moved,
    seconds: f64,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let Args { folder, place, json } = args;
    let folder = absolute(&folder).with_context(|| format!("cannot find {}", folder.display()))?;
    let data = match place.kept()? {
        Kept::Folder(data) => data,
        Kept::Database(options) => return export_database(&options, &folder, Results::new(json)).await,
    };
    if !check::is_there(&data) {
        return Err(Failure::new(Exit::Config, format!("there is no store in {}", data.display())).into());
    }
    become_owner(&data)?;
    export_to(&opened::open(&data, "stop its server first")?, &folder, Results::new(json)).await
}

/// Exports what is in a database; a backup of one is the same.
pub(super) async fn export_database(options: &Options, folder: &Path, results: Results) -> anyhow::Result<Exit> {
    let store = opened::connect(options).await?;
    let exported = export_to(&store, folder, results).await;
    opened::leave(&store).await;
    exported
}

/// Exports a store of any kind, as people can watch and break off.
async fn export_to<S: Store>(store: &S, folder: &Path, results: Results) -> anyhow::Result<Exit> {
    let begun = Instant::now();
    let mut secret = [0; 32];
    getrandom(&mut secret, GetRandomFlags::empty()).context("the system has no random numbers")?;
    let work = watched(|mut tell| async move { export(store, folder, &secret, PART_OCTETS, &mut *tell).await });
    let work = async { work.await.map_err(|error| failure(&error).into()) };
    let moved = unless_interrupted(work, "the same command goes on where this one was").await?;
    print(results, "exported", "to", folder, moved, begun)
}

/// Prints what has moved.
pub(super) fn print(
    results: Results,
    deed: &str,
    direction: &str,
    folder: &Path,
    moved: Moved,
    begun: Instant,
) -> anyhow::Result<Exit> {
    let seconds = seconds_since(begun);
    let Moved { accounts, holds, messages, octets, left_behind } = moved;
    let (accounts, messages) = (count_of(accounts, "account"), count_of(messages, "message"));
    let held = match holds {
        0 => String::new(),
        1 => ", 1 held address".to_owned(),
        _ => format!(", {holds} held addresses"),
    };
    let (size, folder_text) = (ByteSize::b(octets), folder.display());
    let text = format!("{deed} {accounts}{held}, {messages}, {size} in {seconds} s {direction} {folder_text}");
    results.print(&text, &Done { folder, moved, seconds })?;
    if left_behind > 0 {
        let accounts = count_of(left_behind, "account");
        note(&format!("{accounts} without a password stayed behind: they end with their connection"));
    }
    Ok(Exit::Done)
}

fn failure(error: &ExportError) -> Failure {
    let (exit, advice) = match error {
        ExportError::Folder(FolderError::Io { .. })
        | ExportError::Taken { .. }
        | ExportError::Whole { .. }
        | ExportError::OtherStore { .. } => (Exit::CantCreate, ""),
        ExportError::Folder(FolderError::Damaged { .. }) => (Exit::Data, ": remove the folder, and begin anew"),
        ExportError::Folder(FolderError::NoExport { .. } | FolderError::OtherVersion { .. }) => (Exit::Data, ""),
        ExportError::Folder(FolderError::InUse { .. }) | ExportError::Stopped => (Exit::TempFail, ""),
        ExportError::Folder(FolderError::Died(_)) => (Exit::Unavailable, ""),
        ExportError::Unreadable { error: StoreError::Failed(_), .. } => {
            (Exit::Data, ": `mymail check --mend` saves what is left of it")
        }
        ExportError::Unreadable { error, .. } | ExportError::Store(error) => (exit_of(error), ""),
    };
    Failure::new(exit, format!("cannot export: {error}{advice}"))
}
