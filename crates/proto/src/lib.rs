//! Mail protocols as state machines: bytes and time go in, bytes and questions come out.
//!
//! Nothing here sees a socket, a clock or a file, and nothing here decides: whether a peer may register, send or read is
//! asked of whoever drives the machine. That makes every dialogue testable as text, and every transport possible.

pub mod address;
pub mod carriable;
pub mod client;
pub mod data;
mod flow;
mod foreign;
pub mod header;
mod line;
pub mod path;
pub mod pop3;
pub mod report;
pub mod sasl;
pub mod smtp;

pub use address::{Address, AddressError, Domain, LocalPart};
pub use flow::INPUT_OCTETS_MAX;
pub use path::{ForwardPath, ReversePath};
