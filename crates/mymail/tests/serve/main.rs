//! `mymail serve` from outside: the real process, sockets, signals, and what `/proc` tells of it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod admin;
mod agreement;
mod backup;
mod big;
mod bombs;
mod check;
#[path = "../common/mod.rs"]
mod common;
mod crash;
mod crowd;
mod delivery;
mod descriptors;
mod handover;
mod host;
mod injection;
mod leases;
mod limits;
mod logs;
mod registration;
mod reload;
mod starting;
mod stopping;
mod waiting;

use testkit::{client, noise, until};
