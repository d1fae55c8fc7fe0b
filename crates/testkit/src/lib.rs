//! What the tests share. Nothing here is shipped.
//!
//! A [`Dialogue`] is a text file with `C:` and `S:` lines. It runs against a bare session in a [`World`] that exists in memory
//! only, at any size of input chunks, and against a real server over TCP. A [`client`] talks to a server in another process, with
//! mail made of [`noise`], or tries to pass it on ([`relay`]) or to hide it ([`smuggling`]); what happens there in its own time is
//! waited for by [`until`]. What [`power`] has is for cutting the power under it, and [`postgres`] has databases for it. The
//! [`properties`] hold of any input.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

pub mod client;
mod dialogue;
pub mod noise;
mod pop3_world;
pub mod postgres;
pub mod power;
pub mod properties;
pub mod relay;
mod script;
pub mod smuggling;
pub mod until;
mod world;

pub use dialogue::{Dialogue, Event, Over, Wire};
pub use pop3_world::Pop3World;
pub use script::Script;
pub use world::World;
