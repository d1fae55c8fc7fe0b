//! An async client for mymail and, where they allow, for any SMTP server: connect, register, send, retrieve.
//!
//! The protocol is `proto`'s machine; a [`Connection`] pumps it over a stream and watches the clock. [`Accounts`] keeps the
//! passwords of those that registered. Nothing here prints, asks, or knows an exit code.

mod accounts;
mod connection;
mod error;
pub mod folder;
mod options;
mod retrieval;
mod server_address;
mod transport;
mod user_folder;

pub use accounts::{ACCOUNTS_OCTETS_MAX, Accounts, AccountsError, LOCK_WAIT_MAX, StoredAccount};
pub use connection::{CREDENTIALS_OCTETS_MAX, Connection};
pub use error::Error;
pub use options::{CONNECT_TIMEOUT, ConnectOptions, Peer, QUIT_TIMEOUT, REPLY_TIMEOUT, TlsMode};
pub use proto::smtp::Reply;
pub use proto::smtp::client::{Breach, Delivery, Envelope, Extension, Line, Listener, Outcome};
pub use proto::{Address, ReversePath};
pub use retrieval::{IncomingMessage, Retrieval};
pub use server_address::{DEFAULT_PORT, ServerAddress, ServerAddressError};
pub use transport::Stream;
pub use user_folder::user_folder;
