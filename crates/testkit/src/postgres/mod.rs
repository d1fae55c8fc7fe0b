//! Clusters of PostgreSQL that are made by a test and gone with it: own folders, own ports, own passwords, as an unprivileged user.
//!
//! A test that needs no more than an empty database asks for a [`fresh_database`]. One that lets servers fail has a [`Cluster`], of
//! one server or of several that replicate with a quorum; what an operator's tools would do in the place of the test, such as
//! promoting a standby, it does itself.
//!
//! The programs are those of Debian's package `postgresql`, of the newest version that is there. Linux only.

mod cluster;
mod programs;
mod server;

use std::sync::LazyLock;

pub use cluster::Cluster;
pub use server::Server;

/// A url to a new empty database, on a server that all tests of a process share. It loses data with the machine's power.
///
/// # Panics
///
/// If PostgreSQL is not installed.
pub fn fresh_database() -> String {
    // Never dropped: its server ends with this process.
    static SHARED: LazyLock<Cluster> = LazyLock::new(Cluster::quick);
    SHARED.fresh_database()
}
