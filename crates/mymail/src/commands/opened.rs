//! The store that an operator's command works on.

use std::path::Path;

use store::embedded::{Embedded, OpenError};
use store::postgres::{ConnectError, Options, Postgres, SchemaError};
use store::{Store, StoreError, Timestamp};

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
    Postgres::connect(options).await.map_err(|error| unusable(options, &error))
}

/// Lets the servers of a database know that this command is done. What it has begun and not ended leaves no hold.
pub(super) async fn leave(store: &Postgres) {
    if let Err(error) = store.leave(Timestamp(0)).await {
        tracing::debug!(%error, "the servers will find out that this command is done");
    }
}

/// Why a database can't be used, in a sentence for the operator.
pub(super) fn unusable(options: &Options, error: &ConnectError) -> Failure {
    Failure::new(exit_of_connecting(error), format!("cannot use the database {}: {error}", options.url))
}

/// The exit code of a command that can't use a database.
pub(super) fn exit_of_connecting(error: &ConnectError) -> Exit {
    match error {
        ConnectError::Schema(SchemaError::Newer { .. } | SchemaError::Encoding(_)) => Exit::Config,
        ConnectError::Database(_) | ConnectError::Schema(SchemaError::Database(_)) | ConnectError::Tls(_) => {
            Exit::Unavailable
        }
    }
}

/// The exit code of a command that a store has failed.
pub(super) fn exit_of(error: &StoreError) -> Exit {
    match error {
        StoreError::TryAgain(_) | StoreError::Unknown(_) => Exit::TempFail,
        StoreError::Full => Exit::CantCreate,
        StoreError::Failed(_) | StoreError::Poisoned => Exit::Unavailable,
    }
}
