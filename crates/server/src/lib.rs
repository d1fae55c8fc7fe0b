//! The server: listeners, the one driver that pumps a protocol session over a connection, and the policy that answers the
//! session's questions.
//!
//! [`Server::bind`] takes a [`Config`] and an open [`store::Store`]; [`Server::run`] serves until it is told to stop. What is
//! parsed and said on the wire is `proto`'s; what is kept, `store`'s.

pub mod admin;
mod clock;
pub mod config;
mod connection;
mod derivations;
mod descriptors;
mod driver;
mod failures;
mod housekeeping;
mod listener;
mod peers;
mod policy;
mod presence;
mod proxied;
mod rarely;
mod room;
mod server;
mod shared;
mod sharing;
mod tally;
mod tls;
mod unix_socket;

pub use config::{Config, ConfigError};
pub use descriptors::raise_descriptor_limit;
pub use listener::Inherited;
pub use server::{BindError, Handle, PartDied, Prepared, ReloadError, Server};
pub use tls::TlsError;
