//! Several servers on one database, while all that they need fails: nodes, the primary, the link between them.
//!
//! The oracle is the same everywhere. A message that was answered with 250 comes to those whom it is for, octet for octet, and to
//! nobody else; one that was not may come, whole. What a reader was handed over and is not in its
//! mailbox any more does not come again. An account without a password
//! belongs to one session at a time, whichever node that is at. And mail flows again when what failed is mended, without a restart.
//!
//! PostgreSQL is wanted, and for one test root and iproute2, so they run when they are asked for:
//! `cargo test -p mymail --test cluster -- --ignored`.

#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

#[path = "../network/cable.rs"]
mod cable;
#[path = "../common/mod.rs"]
mod common;
mod crowd;
mod ledger;
mod limits;
mod link;
mod link_cut;
mod load;
mod node;
mod node_lost;
mod owners;
#[path = "../power/pop3.rs"]
mod pop3;
mod primary_lost;
mod waits_cancelled;
mod writer;
