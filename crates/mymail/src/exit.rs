//! Exit codes, after `sysexits.h`: the one place that says which reply and which error earns which.

use std::borrow::Cow;
use std::fmt;
use std::process::ExitCode;

use client::{Delivery, Error, Extension, FileError, Outcome, Reply, ResponseCode, ServerAddress};
use proto::smtp::Enhanced;
use server::admin::{AdminError, Refusal};

/// How a command ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// All done.
    Done = 0,
    /// The command line makes no sense.
    Usage = 64,
    /// What was given to it is wrong.
    Data = 65,
    /// A recipient was refused, and the others got the mail; or there is no such account.
    NoUser = 67,
    /// The server can't be reached, or doesn't offer what is asked for.
    Unavailable = 69,
    /// Output can't be written.
    CantCreate = 73,
    /// It may work later.
    TempFail = 75,
    /// The server broke the protocol.
    Protocol = 76,
    /// Not permitted, or the login failed.
    NoPermission = 77,
    /// The configuration or the accounts file is wrong.
    Config = 78,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What this program itself found wrong: a sentence for the user, and the exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl Exit {
    /// The exit code of a command that failed.
    pub(crate) fn of_error(error: &anyhow::Error) -> Self {
        if let Some(failure) = error.downcast_ref::<Failure>() {
            failure.exit
        } else if let Some(error) = error.downcast_ref::<Error>() {
            Self::of_client_error(error)
        } else if let Some(error) = error.downcast_ref::<FileError>() {
            Self::of_file_error(error)
        } else if let Some(error) = error.downcast_ref::<AdminError>() {
            Self::of_admin_error(error)
        } else {
            Self::Unavailable
        }
    }

    fn of_client_error(error: &Error) -> Self {
        match error {
            Error::Connect { .. } | Error::Tls { .. } | Error::NotOffered(_) => Self::Unavailable,
            Error::NoService(reply) if !reply.is_transient() => Self::Unavailable,
            Error::NoService(_) | Error::SentInDoubt(_) | Error::FlushInDoubt(_) => Self::TempFail,
            Error::NotPrivate
            | Error::NoTls
            | Error::Downgrade { .. }
            | Error::CertificateChanged(_)
            | Error::CertificateRefused { .. }
            | Error::Unproved(_) => Self::NoPermission,
            Error::KnownServers(error) => Self::of_file_error(error),
            Error::Timeout { .. } | Error::Io(_) | Error::Closed(_) => Self::TempFail,
            Error::Refused(reply) => Self::of_refusal(reply),
            Error::Pop3NoService(_) => Self::TempFail,
            Error::Pop3Refused(response) => Self::of_pop3_refusal(response.code()),
            Error::Protocol(_) | Error::Pop3Protocol(_) | Error::Unread => Self::Protocol,
            Error::Body(_) | Error::BadInput(_) | Error::Authority { .. } => Self::Data,
        }
    }

    fn of_file_error(error: &FileError) -> Self {
        match error {
            FileError::Io { action: "read", .. } => Self::Config,
            FileError::Io { .. } => Self::CantCreate,
            FileError::Locked { .. } => Self::TempFail,
            FileError::NoHome | FileError::Exposed { .. } | FileError::Malformed { .. } | FileError::TooLong { .. } => {
                Self::Config
            }
        }
    }

    fn of_admin_error(error: &AdminError) -> Self {
        match error {
            AdminError::NotRunning { .. }
            | AdminError::Io { .. }
            | AdminError::Refused(Refusal::Failed | Refusal::NoBackup { .. }) => Self::Unavailable,
            AdminError::BrokenOff | AdminError::Refused(Refusal::Busy | Refusal::Full | Refusal::Unknown) => {
                Self::TempFail
            }
            AdminError::Protocol | AdminError::Refused(Refusal::BadRequest) => Self::Protocol,
            AdminError::NotPermitted { .. }
            | AdminError::Refused(Refusal::NotPermitted | Refusal::Postmaster { .. }) => Self::NoPermission,
            AdminError::Refused(Refusal::NoSuchAccount { .. }) => Self::NoUser,
            AdminError::TooLong | AdminError::Refused(_) => Self::Data,
        }
    }

    /// The exit code of a refused command.
    fn of_refusal(reply: &Reply) -> Self {
        match (reply.code(), reply.enhanced()) {
            (400..=499, _) => Self::TempFail,
            // Security status (RFC 3463 §3.8), and the replies of RFC 4954 §6.
            (_, Some(Enhanced(_, 7, _))) | (530 | 534 | 535 | 538, _) => Self::NoPermission,
            // The server doesn't know the command, or not here (RFC 5321 §4.2.2).
            (500 | 502 | 503 | 504 | 555, _) => Self::Protocol,
            _ => Self::Data,
        }
    }

    /// The exit code of a command that a POP3 server refused. It says why by a code (RFC 2449 §8, RFC 3206), or not at all.
    fn of_pop3_refusal(code: Option<ResponseCode>) -> Self {
        match code {
            Some(ResponseCode::InUse | ResponseCode::LoginDelay | ResponseCode::SysTemp) => Self::TempFail,
            Some(ResponseCode::SysPerm | ResponseCode::Utf8) => Self::Unavailable,
            Some(ResponseCode::Auth) | None => Self::NoPermission,
        }
    }

    /// The exit code of a mail that was sent, or not, and of what broke off its last transaction.
    pub(crate) fn of_sent(delivery: &Delivery, failure: Option<&anyhow::Error>) -> Self {
        match (Self::of_delivery(delivery), failure) {
            (Self::Done, Some(error)) => Self::of_error(error),
            (exit, _) => exit,
        }
    }

    fn of_delivery(delivery: &Delivery) -> Self {
        if let Outcome::Refused(reply) | Outcome::SenderRefused(reply) = &delivery.outcome {
            return Self::of_refusal(reply);
        }
        let replies = || delivery.recipients.iter().filter_map(|(_, reply)| reply.as_ref());
        let refusals = || replies().filter(|reply| !reply.is_positive());
        match refusals().find(|reply| !reply.is_transient()).or(refusals().next()) {
            None => Self::Done,
            Some(reply) if reply.is_transient() => Self::TempFail,
            Some(_) => Self::NoUser,
        }
    }
}

/// Whether the same may go well at another time, and nothing was done yet: the server can't be reached, or has no time.
pub(crate) fn may_pass(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<Error>() {
        Some(Error::SentInDoubt(_) | Error::FlushInDoubt(_)) | None => false,
        Some(Error::Connect { .. }) => true,
        Some(error) => Exit::of_client_error(error) == Exit::TempFail,
    }
}

/// What the user may do about an error, when its message doesn't say so itself.
pub(crate) fn advice(error: &anyhow::Error) -> Option<Cow<'static, str>> {
    Some(match error.downcast_ref::<Error>()? {
        Error::Connect { server, .. } if server.scheme().is_pop3() => "is a server running there?".into(),
        Error::Connect { .. } => {
            "is a server running there? `mymail serve` starts one, `--server HOST:PORT` names another".into()
        }
        Error::CertificateChanged(change) => accept_anew(&change.server),
        Error::Downgrade { server, .. } => accept_anew(server),
        Error::Tls { .. } => "is that the right port? smtps:// and pop3s:// are for those where TLS comes first".into(),
        Error::NotOffered(keyword) if *keyword == Extension::SmtpUtf8.keyword() => {
            "the sender's address needs that: it is not ASCII".into()
        }
        Error::NotOffered(_) => "is it a mymail server? `--server HOST:PORT` names another".into(),
        Error::Timeout { .. } | Error::Io(_) | Error::Closed(_) => "try again later".into(),
        Error::Refused(reply) | Error::NoService(reply) if reply.is_transient() => "try again later".into(),
        Error::Refused(reply) if is_refused_name(reply) => "choose another name".into(),
        Error::Protocol(_) | Error::Pop3Protocol(_) => "is it a mail server? `--verbose` shows the dialogue".into(),
        // Nothing to do: to send again could double the mail.
        Error::SentInDoubt(_) | Error::FlushInDoubt(_) => return None,
        Error::Pop3NoService(_) | Error::Pop3Refused(_) => return None,
        Error::NotPrivate | Error::CertificateRefused { .. } => return None,
        Error::NoTls | Error::KnownServers(_) | Error::Authority { .. } | Error::Unproved(_) => return None,
        Error::Refused(_) | Error::NoService(_) | Error::Body(_) | Error::BadInput(_) | Error::Unread => return None,
    })
}

fn accept_anew(server: &ServerAddress) -> Cow<'static, str> {
    format!("ask whoever runs the server; to accept what it shows now: mymail accounts --forget-server {server}").into()
}

/// Whether XREGISTER was refused because of the name: it is taken, or not allowed (docs/wire.md).
fn is_refused_name(reply: &Reply) -> bool {
    matches!((reply.code(), reply.enhanced()), (550, Some(Enhanced(5, 1, _))) | (553, _))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn reply(code: u16, enhanced: Option<Enhanced>) -> Reply {
        Reply::new(code, enhanced, "text")
    }

    fn delivery(recipients: &[Reply], outcome: Outcome) -> Exit {
        let address: client::Address = "10@mymailserver".parse().unwrap();
        let recipients = recipients.iter().map(|reply| (address.clone(), Some(reply.clone()))).collect();
        Exit::of_delivery(&Delivery { recipients, outcome })
    }

    #[test]
    fn refusals_have_the_code_of_their_reason() {
        for (code, enhanced, exit) in [
            (450, Some(Enhanced(4, 7, 1)), Exit::TempFail),
            (452, None, Exit::TempFail),
            (530, None, Exit::NoPermission),
            (535, Some(Enhanced(5, 7, 8)), Exit::NoPermission),
            (550, Some(Enhanced(5, 7, 1)), Exit::NoPermission),
            (550, Some(Enhanced(5, 1, 1)), Exit::Data),
            (553, None, Exit::Data),
            (500, Some(Enhanced(5, 5, 1)), Exit::Protocol),
            (554, None, Exit::Data),
        ] {
            let error = anyhow::Error::new(Error::Refused(reply(code, enhanced))).context("registering");
            assert_eq!(Exit::of_error(&error), exit, "{code} {enhanced:?}");
        }
    }

    #[test]
    fn errors_have_the_code_of_their_kind() {
        let io_error = || io::Error::other("x");
        let server = client::ServerAddress::default();
        for (error, exit) in [
            (Error::Connect { server, source: io_error() }, Exit::Unavailable),
            (Error::Io(io_error()), Exit::TempFail),
            (Error::Closed(None), Exit::TempFail),
            (Error::NotOffered("XREGISTER"), Exit::Unavailable),
            (Error::NoTls, Exit::NoPermission),
            (Error::NoService(reply(554, None)), Exit::Unavailable),
            (Error::NoService(reply(450, None)), Exit::TempFail),
            (Error::NotPrivate, Exit::NoPermission),
            (Error::SentInDoubt(Error::Closed(None).into()), Exit::TempFail),
            (Error::FlushInDoubt(Error::Closed(None).into()), Exit::TempFail),
        ] {
            assert_eq!(Exit::of_error(&error.into()), exit);
        }
        assert_eq!(Exit::of_error(&FileError::NoHome.into()), Exit::Config);
        let unwritable = anyhow::Error::new(io_error()).context(Failure::new(Exit::CantCreate, "can't write"));
        assert_eq!(Exit::of_error(&unwritable), Exit::CantCreate);
    }

    #[test]
    fn a_delivery_is_done_when_everybody_got_it() {
        let ok = || reply(250, None);
        let no_user = || reply(550, Some(Enhanced(5, 1, 1)));
        let busy = || reply(452, Some(Enhanced(4, 3, 1)));
        let too_large = reply(552, Some(Enhanced(5, 3, 4)));
        assert_eq!(delivery(&[ok(), ok()], Outcome::Accepted(ok())), Exit::Done);
        assert_eq!(delivery(&[ok(), no_user(), ok()], Outcome::Accepted(ok())), Exit::NoUser);
        assert_eq!(delivery(&[busy(), no_user()], Outcome::NoRecipients), Exit::NoUser);
        assert_eq!(delivery(&[busy(), ok()], Outcome::Accepted(ok())), Exit::TempFail);
        assert_eq!(delivery(std::slice::from_ref(&too_large), Outcome::SenderRefused(too_large.clone())), Exit::Data);
        let not_yours = || reply(550, Some(Enhanced(5, 7, 1)));
        assert_eq!(delivery(&[not_yours()], Outcome::SenderRefused(not_yours())), Exit::NoPermission);
        assert_eq!(delivery(&[not_yours()], Outcome::NoRecipients), Exit::NoUser);
        assert_eq!(delivery(&[busy()], Outcome::SenderRefused(busy())), Exit::TempFail);
        assert_eq!(delivery(&[ok()], Outcome::Refused(too_large)), Exit::Data);
        assert_eq!(delivery(&[ok()], Outcome::Refused(busy())), Exit::TempFail);
        assert_eq!(delivery(&[ok()], Outcome::Refused(reply(554, None))), Exit::Data);
        assert_eq!(delivery(&[no_user()], Outcome::SenderRefused(reply(530, None))), Exit::NoPermission);
    }

    #[test]
    fn advice_fits_the_error() {
        let advised = |error: Error| advice(&error.into()).unwrap_or_default().into_owned();
        assert_eq!(advised(Error::SentInDoubt(Error::Closed(None).into())), "");
        assert_eq!(advised(Error::FlushInDoubt(Error::Closed(None).into())), "");
        assert!(advised(Error::Closed(None)).contains("again"));
        for (code, enhanced) in [(550, Some(Enhanced(5, 1, 1))), (553, None)] {
            assert!(advised(Error::Refused(reply(code, enhanced))).contains("another name"));
        }
        assert_eq!(advised(Error::Refused(reply(550, Some(Enhanced(5, 7, 1))))), "");
    }
}
