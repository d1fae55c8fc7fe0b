//! `mymail sendmail`: takes a message as programs hand it to `/usr/sbin/sendmail`, and gives it to the server at once.
//!
//! Nothing is queued: the exit code tells the program whether the mail went.

mod args;
mod body;
mod message;
mod recipients;

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use anyhow::bail;
use client::{Address, Envelope, Outcome, Reply, Reports, ReversePath, StoredAccount};
use proto::Domain;

use super::send::{Sent, submit};
use crate::client_options::{ClientOptions, hang_up};
use crate::compose::Composed;
use crate::exit::{Exit, Failure, may_pass};
use crate::output::note;
pub(crate) use args::Args;
use message::{Author, Submission};

/// Whether the program was started under the name `sendmail`, as it is through a symbolic link.
pub(crate) fn is_name_of(program: &OsStr) -> bool {
    Path::new(program).file_name() == Some(OsStr::new("sendmail"))
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let account = args.client.account_of_sender(args.sender.as_deref())?;
    let from = sender(args.sender.as_deref(), &account)?;
    let message = Submission::read(io::stdin().lock(), !args.ignores_dots())?;
    let recipients = args.addressees(&message, account.address.domain())?;
    let reports = Reports { notify: args.notify, ret: args.ret, envelope_id: args.envelope_id.clone() };
    let address = from.address().unwrap_or(&account.address);
    let composed = message.compose(&Author { address, name: args.name.as_deref() })?;
    let envelope = Envelope { reverse_path: from.clone(), recipients, reports };
    let sent = send(&args.client, &account, envelope, &composed).await;
    let sent = sent.map_err(nothing_queued)?;
    Ok(tell_refusals(&sent, &from, &account.address))
}

impl Args {
    /// Those of the command line first, each of them once.
    fn addressees<R>(&self, message: &Submission<R>, domain: &Domain) -> anyhow::Result<Vec<Address>> {
        let mut given = self.recipients.clone();
        if self.recipients_from_header {
            given.extend(message.addressed_to());
        }
        let to = recipients::addresses(&given, domain)?;
        if to.is_empty() {
            let problem = if self.recipients_from_header { "the message has no recipient" } else { NO_RECIPIENT };
            bail!(Failure::new(Exit::Usage, problem));
        }
        Ok(to)
    }
}

const NO_RECIPIENT: &str = "no recipient: name some, or have them read from the message with -t";

/// The reverse-path. A name without a domain is a user of this computer, whom the server does not know: cron passes
/// `-f root`. So the account stands in for it.
fn sender(given: Option<&str>, account: &StoredAccount) -> anyhow::Result<ReversePath> {
    let Some(given) = given else { return Ok(ReversePath::Address(account.address.clone())) };
    if matches!(given, "" | "<>") {
        return Ok(ReversePath::Null);
    }
    let mut addresses = recipients::addresses(&[given.to_owned()], account.address.domain())?;
    match addresses.pop() {
        Some(address) if addresses.is_empty() && given.contains('@') => Ok(ReversePath::Address(address)),
        Some(_) if addresses.is_empty() => Ok(ReversePath::Address(account.address.clone())),
        _ => bail!(Failure::new(Exit::Usage, format!("{given} is not one sender"))),
    }
}

async fn send(
    client: &ClientOptions,
    account: &StoredAccount,
    envelope: Envelope,
    composed: &Composed,
) -> anyhow::Result<Sent> {
    let mut connection = client.log_in(account).await?;
    let sent = submit(&mut connection, envelope, composed).await?;
    hang_up(connection).await;
    Ok(sent)
}

/// Says that a mail which did not go for now is not kept either: sendmail would keep it.
fn nothing_queued(error: anyhow::Error) -> anyhow::Error {
    if may_pass(&error) { error.context(Failure::new(Exit::TempFail, NOT_QUEUED)) } else { error }
}

const NOT_QUEUED: &str = "the mail was not sent, and nothing was queued";

/// Says who did not get the mail, or may not have got it, and why.
fn tell_refusals(sent: &Sent, from: &ReversePath, account: &Address) -> Exit {
    let exit = sent.exit();
    if let Outcome::SenderRefused(reply) = &sent.delivery.outcome {
        note(&sender_refused(reply, from, account, exit));
        if exit == Exit::TempFail {
            note(NOT_QUEUED);
        }
        return exit;
    }
    for (address, answer) in sent.answers() {
        match answer {
            Ok(reply) if reply.is_positive() => {}
            Ok(reply) => note(&format!("{address}: {reply}")),
            Err(reason) => note(&format!("{address}: {reason}")),
        }
    }
    if exit == Exit::TempFail && !sent.is_in_doubt() {
        note("whoever is named here did not get the mail, and nothing was queued");
    }
    exit
}

/// What a server has against MAIL goes for all recipients: it is said once.
fn sender_refused(reply: &Reply, from: &ReversePath, account: &Address, exit: Exit) -> String {
    if exit == Exit::NoPermission && from.address() != Some(account) {
        format!("the server does not let {account} send as {from}: leave out -f ({reply})")
    } else {
        format!("sender {from}: {reply}")
    }
}

#[cfg(test)]
mod tests {
    use proto::smtp::Enhanced;

    use super::*;

    #[test]
    fn the_name_that_the_program_was_started_under_counts() {
        for (name, is_sendmail) in [
            ("sendmail", true),
            ("/usr/sbin/sendmail", true),
            ("./sendmail", true),
            ("mymail", false),
            ("/opt/sendmail/mymail", false),
            ("sendmail2", false),
        ] {
            assert_eq!(is_name_of(OsStr::new(name)), is_sendmail, "{name}");
        }
    }

    #[test]
    fn a_user_of_this_computer_is_the_account() {
        let server = "127.0.0.1".parse().unwrap();
        let account = StoredAccount::new("9@m".parse().unwrap(), server, "secret".into());
        for (given, expected) in [
            (None, "9@m"),
            (Some("root"), "9@m"),
            (Some("root (Cron Daemon)"), "9@m"),
            (Some("9+cron@m"), "9+cron@m"),
            (Some("Cron <a@x>"), "a@x"),
            (Some("<>"), "<>"),
            (Some(""), "<>"),
        ] {
            assert_eq!(sender(given, &account).unwrap().to_string(), expected, "{given:?}");
        }
        assert!(sender(Some("a@x, b@x"), &account).is_err() && sender(Some("a@@x"), &account).is_err());
    }

    #[test]
    fn a_mail_that_may_go_later_is_not_queued() {
        let exit = |error: client::Error| Exit::of_error(&nothing_queued(error.into()));
        let reply = |code, enhanced| client::Reply::new(code, enhanced, "text");
        for error in [
            client::Error::Connect { server: "127.0.0.1".parse().unwrap(), source: io::Error::other("x") },
            client::Error::Closed(None),
            client::Error::NoService(reply(421, None)),
            client::Error::Refused(reply(454, Some(Enhanced(4, 7, 0)))),
        ] {
            let error = nothing_queued(error.into());
            assert_eq!((Exit::of_error(&error), error.to_string().as_str()), (Exit::TempFail, NOT_QUEUED));
        }
        assert_eq!(exit(client::Error::Refused(reply(535, None))), Exit::NoPermission);
        let in_doubt = nothing_queued(client::Error::SentInDoubt(client::Error::Closed(None).into()).into());
        assert_ne!(in_doubt.to_string(), NOT_QUEUED);
    }
}
