//! The engine on PostgreSQL: the contract, each rule in a database of its own, and what is its own.

#![allow(clippy::unwrap_used, reason = "a test that can't go on must fail")]

use store::postgres::{Options, Postgres};
use testkit::postgres::fresh_database;

mod common;
mod contract;

contract::suite!(
    #[ignore = "needs Debian's package postgresql"]
    fresh
);

async fn fresh() -> (Postgres, ()) {
    (connect(&fresh_database()).await, ())
}

async fn connect(url: &str) -> Postgres {
    Postgres::connect(&Options::new(url.parse().unwrap())).await.unwrap()
}
