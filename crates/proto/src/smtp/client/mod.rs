//! The client's side of SMTP (RFC 5321), with XREGISTER and its kin.
//!
//! A session is a chain of values, one type for each state. [`Opening`] becomes a [`Session`]; a session's methods make it an
//! [`Exchange`](crate::client::Exchange), which gives it back when the server has answered:
//!
//! ```text
//! Opening ──> Session ──> Ask ────────────────────────────> Session
//!                    ├──> Ask, TLS ──> Opening ──────────> Session
//!                    ├──> Login ─────────────────────────> Session
//!                    ├──> Transaction ──> Content ──> Ending ──> Session
//!                    │                       └──> (refused ahead of time)
//!                    └──> RetrievalRequest ──> Retrieval ──> Ask ──> Session
//! ```
//!
//! Whoever drives it carries octets between the [`Wire`] and a stream, both ways at once, and calls [`advance`](crate::client::Exchange::advance)
//! whenever some have come. What is queued for sending never grows beyond [`PIPELINED_COMMANDS_MAX`] commands or the piece of
//! content written last; what is kept of a server's words is limited too.

mod block;
mod chunk;
mod content;
mod dialogue;
mod envelope;
mod extensions;
mod failure;
mod login;
mod opening;
mod retrieval;
mod session;
mod transaction;
mod wire;

pub use block::{BLOCK_LINE_OCTETS_MAX, BLOCK_LINES_MAX, Block};
pub use content::{Content, Ending};
pub use dialogue::{DIALOGUE_LINE_OCTETS_MAX, Dialogue, Line, Listener};
pub use envelope::{Delivery, Envelope, Message, Outcome, Reports};
pub use extensions::{Extension, Extensions};
pub use failure::{Breach, Failure};
pub use login::{AUTH_COMMAND_OCTETS_MAX, Login};
pub use opening::Opening;
pub use retrieval::{Event, MESSAGES_MAX, Retrieval, RetrievalRequest};
pub use session::{Ask, BadToken, Session, TOKEN_OCTETS_MAX, Token};
pub use transaction::{Begun, ENVELOPE_REPLY_OCTETS_MAX, PIPELINED_COMMANDS_MAX, Transaction};
pub use wire::Wire;
