//! The client's side of POP3 (RFC 1939), with what its extensions make better where the server has them.
//!
//! A session is a chain of values, one type for each state; an [`Exchange`](crate::client::Exchange) leads from one to the next:
//!
//! ```text
//! Opening ──> Authorization ──> StartTls ──> BeforeTls ──> Opening
//!                          ├──> Login ──> Transaction ──> Survey ──> Maildrop ──> Retrieval ──> Confirmation
//!                          └──> Quit                 └──> Quit
//! ```
//!
//! Nothing is deleted but by a [`Confirmation`], and that is done only when the server has said so. What is queued for sending
//! never grows beyond [`PIPELINED_COMMANDS_MAX`] commands, and what is kept of a server's words is limited too.

mod authorization;
mod capabilities;
mod confirmation;
mod failure;
mod login;
mod maildrop;
mod opening;
mod retrieval;
mod starttls;
mod transaction;
mod wire;

pub use authorization::{Authorization, Unsayable};
pub use capabilities::{CAPABILITIES_MAX, Capabilities, Capability};
pub use confirmation::Confirmation;
pub use failure::{Breach, Failure};
pub use login::Login;
pub use maildrop::{Entry, MESSAGES_MAX, Maildrop, Survey};
pub use opening::Opening;
pub use retrieval::{Event, PIPELINED_COMMANDS_MAX, Retrieval};
pub use starttls::{BeforeTls, StartTls};
pub use transaction::{Quit, Transaction};
pub use wire::{LINE_OCTETS_MAX, Wire};
