//! An async client for mymail and, where they allow, for any SMTP or POP3 server: connect, register, send, retrieve.
//!
//! The protocols are `proto`'s machines; a [`Connection`] (SMTP) or [`Pop3Connection`] pumps one over a stream, encrypts that,
//! and watches the clock. [`Accounts`] keeps the passwords of those that registered, [`KnownServers`] what servers showed to be
//! recognized by. Nothing here prints, asks, or knows an exit code.

mod accounts;
mod certificate;
mod connection;
mod error;
pub mod folder;
mod known_servers;
mod login;
mod options;
mod pop3_connection;
mod retrieval;
mod server_address;
mod server_url;
mod tcp;
mod tls;
mod transport;
mod user_file;
mod user_folder;

pub use accounts::{ACCOUNTS_OCTETS_MAX, Accounts, StoredAccount};
pub use certificate::{BadCertificate, Certificate, Fingerprint};
pub use connection::Connection;
pub use error::Error;
pub use known_servers::{CertificateChange, Identity, KNOWN_SERVERS_OCTETS_MAX, KnownServers};
pub use login::CREDENTIALS_OCTETS_MAX;
pub use options::{CONNECT_TIMEOUT, ConnectOptions, FirstUse, Peer, QUIT_TIMEOUT, REPLY_TIMEOUT, TlsMode, Trust};
pub use pop3_connection::{Pop3Connection, Pop3Mailbox};
pub use proto::pop3::{Response as Pop3Response, ResponseCode};
pub use proto::smtp::Reply;
pub use proto::smtp::client::{Breach, Delivery, Envelope, Extension, Line, Listener, Message, Outcome, Reports};
pub use proto::smtp::dsn::{EnvelopeId, Notify, Return};
pub use proto::{Address, ReversePath};
pub use retrieval::{IncomingMessage, Retrieval};
pub use server_address::{DEFAULT_PORT, Scheme, ServerAddress, ServerAddressError};
pub use server_url::ServerUrl;
pub use transport::Stream;
pub use user_file::{FileError, LOCK_WAIT_MAX};
pub use user_folder::user_folder;
