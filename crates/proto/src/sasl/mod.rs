//! SASL (RFC 4422): how a client shows who it is. The same mechanisms serve SMTP (RFC 4954) and POP3 (RFC 5034).

mod channel;
pub mod client;
mod end_point;
mod mechanism;
pub mod plain;
pub mod scram;
pub mod server;

pub use channel::{Bindings, Channel};
pub use end_point::server_end_point;
pub use mechanism::Mechanism;

/// Longest line of a login in SMTP and in POP3, in octets, its end included (RFC 4954 §4, RFC 5034 §4).
pub const AUTH_OCTETS_MAX: usize = 12_288;
