//! `mymail import`: what `mymail export` has written, into a store that is empty.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Instant;

use store::Store;
use store::postgres::Options;
use store::transfer::{FolderError, ImportError, import};

use super::backup::become_owner;
use super::export::print;
use super::opened::{self, exit_of};
use super::place::{Kept, Place};
use super::watched::watched;
use crate::exit::{Exit, Failure};
use crate::interrupt::unless_interrupted;
use crate::output::Results;

/// Bring what `mymail export` has written into a store that is new
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Run it as the user that the server runs as, while no server runs. The store must have nothing yet but
the postmaster that a server makes at its first start. If it is broken off, the same command goes on
where it was. At the end everything is read from the store again and compared with the export, which
stays as it is: remove it when the new server runs well, for it has all mail in clear.

Examples:
  mymail import /var/tmp/moving --data /var/lib/mymail
  mymail import /var/tmp/moving --config /etc/mymail/mymail.toml

Exit codes:
  0 done, 65 there is no whole export, it is damaged, or the store has not got all of it, 69 the store
  failed, 73 the store has something else in it, or is full, 75 broken off or a server has the store
  open, 77 not permitted, 78 configuration, or the store cannot be opened")]
pub(crate) struct Args {
    /// The export
    folder: PathBuf,

    #[command(flatten)]
    place: Place,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let Args { folder, place, json } = args;
    // Before there is a store where there was none.
    if !folder.is_dir() {
        return Err(Failure::new(Exit::Data, format!("cannot import: {} is no folder", folder.display())).into());
    }
    let data = match place.kept()? {
        Kept::Folder(data) => data,
        Kept::Database(options) => return import_to_database(&options, &folder, Results::new(json)).await,
    };
    become_owner(&data)?;
    import_from(&opened::open(&data, "stop its server first")?, &folder, Results::new(json)).await
}

/// Imports into a database; a backup of one comes back the same way.
pub(super) async fn import_to_database(options: &Options, folder: &Path, results: Results) -> anyhow::Result<Exit> {
    let store = opened::connect(options).await?;
    let imported = import_from(&store, folder, results).await;
    opened::leave(&store).await;
    imported
}

/// Imports into a store of any kind, as people can watch and break off.
async fn import_from<S: Store>(store: &S, folder: &Path, results: Results) -> anyhow::Result<Exit> {
    let begun = Instant::now();
    let work = watched(|mut tell| async move { import(store, folder, &mut *tell).await });
    let work = async { work.await.map_err(|error| failure(&error).into()) };
    let moved = unless_interrupted(work, "the same command goes on where this one was").await?;
    print(results, "imported", "from", folder, moved, begun)
}

fn failure(error: &ImportError) -> Failure {
    let exit = match error {
        ImportError::Folder(FolderError::Io { error, .. }) if error.kind() == ErrorKind::PermissionDenied => {
            Exit::NoPermission
        }
        ImportError::Folder(FolderError::InUse { .. }) | ImportError::Stopped => Exit::TempFail,
        ImportError::Folder(_) | ImportError::Unfinished { .. } | ImportError::Differs { .. } => Exit::Data,
        ImportError::InUse { .. } => Exit::CantCreate,
        ImportError::Store(error) => exit_of(error),
    };
    Failure::new(exit, format!("cannot import: {error}"))
}
