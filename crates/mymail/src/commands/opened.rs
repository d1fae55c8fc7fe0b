//! The store that an operator's command works on.

use std::path::Path;

use store::StoreError;
use store::embedded::{Embedded, OpenError};
use store::postgres::{ConnectError, Options, Postgres, SchemaError};

use crate::exit::{Exit, Failure};

/// Opens the store in a data folder. `in_use` says what to do where somebody has it open.
pub(super) fn open(data: &Path, in_use: &str) -> Result<Embedded, Failure> {
    Embedded::open(data).map_err(|error| match error {
        OpenError::InUse => Failure::new(Exit::TempFail, format!("{} is in use: {in_use}", data.display())),
        error => Failure::new(Exit::Config, format!("cannot open the store in {}: {error}", data.display())),
    })
}

/// Connects to a database, whose servers may run meanwhile.
pub(super) async fn connect(options: &Options) -> Result<Postgres, Failure> {
    Postgres::connect(options).await.map_err(|error| {
        let exit = match error {
            ConnectError::Schema(SchemaError::Newer { .. }) => Exit::Config,
            _ => Exit::Unavailable,
        };
        Failure::new(exit, format!("cannot use the database {}: {error}", options.url))
    })
}

/// The exit code of a command that a store has failed.
pub(super) fn exit_of(error: &StoreError) -> Exit {
    match error {
        StoreError::TryAgain(_) | StoreError::Unknown(_) => Exit::TempFail,
        StoreError::Full => Exit::CantCreate,
        StoreError::Failed(_) | StoreError::Poisoned => Exit::Unavailable,
    }
}
