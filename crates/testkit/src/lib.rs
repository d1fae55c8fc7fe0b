//! What the tests share. Nothing here is shipped.
//!
//! A [`Dialogue`] is a text file with `C:` and `S:` lines. It runs against a bare session in a [`World`] that exists in memory
//! only, at any size of input chunks, and against a real server over TCP.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod dialogue;
mod pop3_world;
mod script;
mod world;

pub use dialogue::{Dialogue, Event, Over, Wire};
pub use pop3_world::Pop3World;
pub use script::Script;
pub use world::World;
