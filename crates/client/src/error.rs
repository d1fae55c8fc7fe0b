//! Why a session failed, told apart by what its user may do next.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use proto::pop3;
use proto::sasl::client::Unproved;
use proto::smtp::Reply;
use proto::smtp::client::{Breach, Failure};
use thiserror::Error;

use crate::{CertificateChange, FileError, ServerAddress};

/// Why an operation failed. After anything but [`Error::Refused`], [`Error::Pop3Refused`], [`Error::NotOffered`],
/// [`Error::NotPrivate`] and [`Error::BadInput`] the connection is of no use any more.
#[derive(Debug, Error)]
pub enum Error {
    /// No connection could be made.
    #[error("cannot connect to {server}: {source}")]
    Connect {
        /// To which server.
        server: ServerAddress,
        /// What the system said.
        source: io::Error,
    },
    /// The server was silent for too long.
    #[error("the server did not answer within {} seconds", after.as_secs())]
    Timeout {
        /// For how long.
        after: Duration,
    },
    /// The connection broke.
    #[error("the connection to the server broke: {0}")]
    Io(#[source] io::Error),
    /// The message to send could not be read, has line ends other than CRLF, or is not as long as was said; nothing was
    /// delivered.
    #[error("cannot read the message to send: {0}")]
    Body(#[source] io::Error),
    /// The server closed the connection, perhaps with last words: mostly a 421.
    #[error("the server closed the connection{}", .0.as_ref().map(|reply| format!(": {reply}")).unwrap_or_default())]
    Closed(Option<Reply>),
    /// The server greeted with a refusal.
    #[error("the server gives no service: {0}")]
    NoService(Reply),
    /// The connection ended between the end of a message and its reply.
    #[error("it is not known whether the server took the mail: {0}")]
    SentInDoubt(#[source] Box<Error>),
    /// The server has not answered, or not with yes, that it let go of the mail that is kept here.
    #[error("the mail is kept here, but may come again: {0}")]
    FlushInDoubt(#[source] Box<Error>),
    /// A POP3 server greeted with a refusal, or ended the session with one.
    #[error("the server gives no service: {0}")]
    Pop3NoService(pop3::Response),
    /// A POP3 server said no; its code may tell why.
    #[error("the server refused: {0}")]
    Pop3Refused(pop3::Response),
    /// A POP3 server broke the protocol.
    #[error("the server broke the protocol: {0}")]
    Pop3Protocol(#[source] pop3::client::Breach),
    /// The server said no. 4yz: it may work later. 5yz: it won't.
    #[error("the server refused: {0}")]
    Refused(Reply),
    /// The server broke the protocol.
    #[error("the server broke the protocol: {0}")]
    Protocol(#[source] Breach),
    /// A password was to be said, or asked for, where others can overhear it. Nothing was.
    #[error(
        "a password must not go over a network in clear, and this connection is not encrypted: connect with TLS, by STARTTLS or \
         to a server of smtps:// or pop3s://"
    )]
    NotPrivate,
    /// TLS is required, and the server does not offer it.
    #[error(
        "TLS is required, but the server does not offer it on this port; one that is encrypted from the start is named \
         smtps://HOST or pop3s://HOST"
    )]
    NoTls,
    /// The server had TLS when it was seen before, and does not offer it now.
    #[error(
        "{server} had TLS before and does not offer it now: somebody may be in between; that it had it stands in {}",
        path.display()
    )]
    Downgrade {
        /// Which server.
        server: ServerAddress,
        /// The file that knows it. [`KnownServers::forget`](crate::KnownServers::forget) takes it out.
        path: PathBuf,
    },
    /// No encrypted connection could be made, for another reason than the server's certificate.
    #[error("cannot encrypt the connection to {server}: {source}")]
    Tls {
        /// To which server.
        server: ServerAddress,
        /// What went wrong.
        source: io::Error,
    },
    /// The server's certificate is not the one that it had.
    #[error(transparent)]
    CertificateChanged(#[from] Box<CertificateChange>),
    /// The authorities that alone are trusted do not vouch for the server.
    #[error("the certificate of {server} is not trusted: {flaw}")]
    CertificateRefused {
        /// Which server.
        server: ServerAddress,
        /// What is wrong with it: a sentence of its own.
        flaw: String,
    },
    /// The file of the authorities that alone are trusted is of no use.
    #[error("cannot take certificates from {}: {source}", path.display())]
    Authority {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: io::Error,
    },
    /// What is known of servers can't be read or kept.
    #[error(transparent)]
    KnownServers(#[from] FileError),
    /// The server said that the login succeeded, but not in a way that shows that it knows the password.
    #[error("{0}; it may be another server than the account's")]
    Unproved(#[from] Unproved),
    /// The server lacks this extension, named by its EHLO keyword.
    #[error("the server does not offer {0}")]
    NotOffered(&'static str),
    /// What the caller asked for can't be said in SMTP; nothing was sent.
    #[error("{0}")]
    BadInput(&'static str),
    /// A retrieval was to be confirmed before all its messages were read; nothing was confirmed.
    #[error("not all messages were read, so none was confirmed")]
    Unread,
}

impl Error {
    /// Whether the connection ended without a word about what was asked last.
    pub(crate) fn leaves_doubt(&self) -> bool {
        matches!(self, Self::Timeout { .. } | Self::Io(_) | Self::Closed(None))
    }
}

impl From<Breach> for Error {
    fn from(breach: Breach) -> Self {
        match breach {
            Breach::Unproved(unproved) => Self::Unproved(unproved),
            breach => Self::Protocol(breach),
        }
    }
}

impl From<pop3::client::Failure> for Error {
    fn from(failure: pop3::client::Failure) -> Self {
        match failure {
            pop3::client::Failure::Closing(response) => Self::Pop3NoService(response),
            pop3::client::Failure::Breach(breach) => Self::Pop3Protocol(breach),
            pop3::client::Failure::Unproved(unproved) => Self::Unproved(unproved),
        }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Closing(reply) => Self::Closed(Some(reply)),
            Failure::Breach(breach) => breach.into(),
            Failure::BareLineEnd | Failure::TooLong { .. } => {
                Self::Body(io::Error::new(io::ErrorKind::InvalidData, failure))
            }
            Failure::TooShort { .. } => Self::Body(io::Error::new(io::ErrorKind::UnexpectedEof, failure)),
        }
    }
}
