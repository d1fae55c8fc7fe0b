//! What becomes of mail when the system fails the server: syncs and writes that end in errors, a disk that is full, a clock that
//! jumps. From outside: the real process.
//!
//! All of it wants programs that not every machine has, so it runs when it is asked for: `cargo test -p mymail --test faults --
//! --ignored`, as root, with strace, faketime and e2fsprogs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod calls;
mod clock;
#[path = "../common/mod.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod common;
mod disk;
#[path = "../serve/host.rs"]
mod host;
mod life;
mod starting;
mod strace;

use testkit::{client, noise, until};
