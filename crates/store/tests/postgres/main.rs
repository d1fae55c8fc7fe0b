//! The engine on PostgreSQL: the contract, each rule in a database of its own, and what is its own: several servers on one
//! database, and what is known of a COMMIT that nobody has heard the answer to.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::time::Duration;

use store::StoreError;
use store::postgres::{Options, Postgres};
use testkit::postgres::{Cluster, fresh_database};
use tokio::time::timeout;

mod commits;
#[path = "../common/mod.rs"]
mod common;
#[path = "../contract/mod.rs"]
mod contract;
mod counts;
mod encryption;
mod moving;
#[path = "../moving/contents.rs"]
mod moving_contents;
mod outages;
mod relay;
mod servers;
mod tables;

contract::suite!(
    #[ignore = "needs Debian's package postgresql"]
    fresh
);

/// Only what never ends takes that long.
const PATIENCE: Duration = Duration::from_secs(120);

async fn fresh() -> (Postgres, ()) {
    (connect(&fresh_database()).await, ())
}

async fn connect(url: &str) -> Postgres {
    Postgres::connect(&options(url)).await.unwrap()
}

/// Time is what the tests say.
fn options(url: &str) -> Options {
    Options { difference_max: Duration::MAX, ..Options::new(url.parse().unwrap()) }
}

/// The name of the database that a url leads to.
fn database(url: &str) -> &str {
    url.rsplit_once('/').unwrap().1.split('?').next().unwrap()
}

/// Does it again until it does not fail because it can't be done now.
async fn until_done<T>(mut call: impl AsyncFnMut() -> Result<T, StoreError>) -> T {
    let done = async {
        loop {
            match call().await {
                Ok(done) => return done,
                Err(StoreError::TryAgain(_)) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    timeout(PATIENCE, done).await.unwrap()
}

/// A cluster of which one standby of so many has to have what is acknowledged, and a new database on it.
fn with_standbys(count: usize) -> (Cluster, String) {
    let cluster = Cluster::with_standbys(count);
    let url = cluster.fresh_database();
    (cluster, url)
}
