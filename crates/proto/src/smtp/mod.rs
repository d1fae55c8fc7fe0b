//! SMTP (RFC 5321) and the extensions we speak, with XREGISTER and its kin (docs/registration.md).

pub mod client;
pub mod dsn;
pub mod replies;
mod reply;
pub mod server;
mod xtext;

pub use reply::{Enhanced, REPLY_LINE_OCTETS_MAX, REPLY_LINES_MAX, Reply, ReplyReader, ReplySyntax};
