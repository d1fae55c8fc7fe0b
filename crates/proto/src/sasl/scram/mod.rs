//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677): the password is proved, by both sides, and not said.
//!
//! ```text
//! client-first ──> server-first ──> client-final ──> server-final
//! who, nonce       nonce, salt      proof            the server's own proof
//! ```

pub(super) mod client;
mod messages;
pub(super) mod server;
mod verifier;

pub use client::SERVER_ITERATIONS_MAX;
pub use messages::{MESSAGE_OCTETS_MAX, NONCE_OCTETS_MAX};
pub use verifier::{BadVerifier, ITERATIONS, ITERATIONS_MAX, SALT_OCTETS, SALT_OCTETS_MAX, Verifier};

#[cfg(test)]
mod tests;
