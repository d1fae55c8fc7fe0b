//! The tables, and the steps that lead to them.
//!
//! Servers of two versions may use one database while it is upgraded, so a step only adds what the version before it can live with;
//! `usable_since` says from which version on. Whoever comes first makes the steps, in one transaction and with the table of
//! versions locked; the others wait for that.

use thiserror::Error;

use super::failure::Failure;
use super::pool::Pool;
use super::rows::first;

/// The steps, in order.
const STEPS: [&str; 1] = [include_str!("schema/1.sql")];
/// The first version of the schema whose servers can use what these steps lead to.
const USABLE_SINCE: i64 = 1;

const VERSIONS: &str =
    "CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL, usable_since BIGINT NOT NULL)";
const LOCK: &str = "BEGIN; SET LOCAL lock_timeout = 0; LOCK TABLE schema_version IN ACCESS EXCLUSIVE MODE";

/// Why the tables can't be used.
#[derive(Debug, Error)]
pub enum SchemaError {
    /// A newer version of the program has made them.
    #[error("its tables are those of a newer version of mymail ({found}, this one knows {known}): run that one")]
    Newer {
        /// Their version.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// Addresses in all scripts can't be kept in it.
    #[error(
        "its encoding is {0}, and has to be UTF8: make a new one, as with createdb --encoding=UTF8 --template=template0"
    )]
    Encoding(String),
    /// The database does not do it.
    #[error("{0}")]
    Database(String),
}

impl From<Failure> for SchemaError {
    fn from(failure: Failure) -> Self {
        Self::Database(failure.to_string())
    }
}

/// Makes the tables, or makes them newer.
pub(super) async fn migrate(pool: &Pool) -> Result<(), SchemaError> {
    let lent = pool.take().await?;
    let rows = lent.query("SELECT current_setting('server_encoding')", &[]).await?;
    let encoding: &str = rows.first().map(first).transpose()?.unwrap_or_default();
    if encoding != "UTF8" {
        return Err(SchemaError::Encoding(encoding.to_owned()));
    }
    // Two that make the table at one time are in each other's way once.
    if let Err(failure) = lent.batch(VERSIONS).await {
        tracing::debug!(%failure, "another server makes the tables: waiting for it");
        lent.batch(VERSIONS).await?;
    }
    lent.batch_long(LOCK).await?;
    let rows = lent.query("SELECT version, usable_since FROM schema_version", &[]).await?;
    let (version, usable_since): (i64, i64) = match rows.first() {
        Some(row) => (row.try_get(0).map_err(Failure::from)?, row.try_get(1).map_err(Failure::from)?),
        None => (0, 0),
    };
    let known = STEPS.len() as i64;
    if usable_since > known {
        return Err(SchemaError::Newer { found: version, known });
    }
    for (number, step) in (1..).zip(STEPS).filter(|(number, _)| *number > version) {
        lent.batch_long(step).await?;
        tracing::info!(version = number, "the database has its tables");
    }
    if version < known {
        let noted = format!("DELETE FROM schema_version; INSERT INTO schema_version VALUES ({known}, {USABLE_SINCE})");
        lent.batch(&noted).await?;
    }
    lent.batch_long("COMMIT").await?;
    lent.give_back();
    Ok(())
}
