//! How little a running server can do: as whom it runs, which files it may use, what it leaves behind; and what systemd sees of
//! it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../../src/commands/serve/confine/mod.rs"]
#[allow(dead_code, reason = "what is told of it is read from the log of a server")]
mod confine;
mod database;
mod files;
#[path = "../serve/host.rs"]
mod host;
mod inside;
mod package;
mod supervised;
mod threads;
mod units;
mod user;

use testkit::{client, until};
