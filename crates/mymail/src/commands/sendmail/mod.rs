//! `mymail sendmail`: takes a message as programs hand it to `/usr/sbin/sendmail`, and gives it to the server at once.
//!
//! Nothing is queued: the exit code tells the program whether the mail went.

mod message;
mod recipients;

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use anyhow::bail;
use clap::ArgAction;
use client::{Address, Delivery, ReversePath, StoredAccount};
use proto::Domain;

use super::send::{decisive, submit};
use crate::client_options::{ClientOptions, hang_up};
use crate::compose::Composed;
use crate::exit::{Exit, Failure, may_pass};
use crate::output::note;
use message::{Author, Submission};

/// Send a message as programs hand it to sendmail
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "mymail sendmail [OPTIONS] [RECIPIENTS]...",
    disable_help_flag = true,
    disable_version_flag = true,
    args_override_self = true,
    after_help = "\
Takes the options of sendmail that cron, git, PHP, mailx and others use, glued or apart; those that say
nothing here are passed over. A symbolic link to this program named sendmail does the same.
The message comes from standard input. It gets From, Date and Message-ID if it has none, and loses Bcc.
Recipients are those of the command line and, with -t, those of To, Cc and Bcc too (or of Resent-To, Resent-Cc
and Resent-Bcc, if there are any). A name without a domain is one of the account's domain.
Nothing is queued: when the server cannot be reached or has no time, the exit code is 75.

Examples:
  printf 'Subject: backup\\n\\nall done\\n' | mymail sendmail alice@mymailserver
  mymail sendmail -t < message.eml
  ln -s \"$(command -v mymail)\" /usr/local/sbin/sendmail
  git -c sendemail.sendmailCmd='mymail sendmail -i' send-email --to bob@mymailserver HEAD~1"
)]
pub(crate) struct Args {
    /// Recipients
    #[arg(value_name = "RECIPIENTS")]
    recipients: Vec<String>,

    /// Take recipients from the message's To, Cc and Bcc as well
    #[arg(short = 't')]
    recipients_from_header: bool,

    /// The sender: to whom reports go; the account of that address is used if you have it
    #[arg(short = 'f', short_alias = 'r', value_name = "ADDRESS")]
    sender: Option<String>,

    /// The sender's name, for a message without a From
    #[arg(short = 'F', value_name = "NAME")]
    name: Option<String>,

    /// A line with one dot does not end the message; -oi says the same
    #[arg(short = 'i')]
    ignores_dots: bool,

    /// Options of sendmail's own; only -oi means something here
    #[arg(short = 'o', value_name = "OPTION", action = ArgAction::Append)]
    settings: Vec<String>,

    /// -bm, to send a message, is the only mode
    #[arg(short = 'b', value_name = "MODE", value_parser = only_sending)]
    mode: Option<()>,

    /// There is no queue and no file of aliases
    #[arg(short = 'q', short_alias = 'I', num_args = 0..=1, default_missing_value = "", value_parser = no_queue, hide = true)]
    queue: Option<()>,

    /// Another configuration is not read
    #[arg(short = 'C', value_parser = no_configuration, hide = true)]
    configuration: Option<()>,

    /// They say nothing here, and programs pass them all the same
    #[arg(short = 'B', short_aliases = ['A', 'L', 'N', 'O', 'R', 'V', 'X', 'd', 'e', 'h', 'p'], action = ArgAction::Append)]
    #[arg(hide = true, allow_hyphen_values = true)]
    passed_over: Vec<String>,

    /// As those above
    #[arg(short = 'm', short_aliases = ['G', 'U', 'c', 'n'], action = ArgAction::Count, hide = true)]
    flags_passed_over: u8,

    /// Print help
    #[arg(long, action = ArgAction::Help)]
    help: Option<bool>,

    #[command(flatten)]
    client: ClientOptions,
}

fn only_sending(mode: &str) -> Result<(), &'static str> {
    match mode {
        "m" => Ok(()),
        "s" => Err("this program does not speak SMTP on standard input; the account's server does"),
        "p" => Err("nothing is ever queued here, so there is no queue to show"),
        "v" => Err("addresses are verified by sending to them"),
        "d" | "D" => Err("`mymail serve` runs a server"),
        _ => Err("-bm, to send a message, is the only mode"),
    }
}

fn no_queue(_: &str) -> Result<(), &'static str> {
    Err("there is no queue and no file of aliases here: every mail is sent at once")
}

fn no_configuration(_: &str) -> Result<(), &'static str> {
    Err("another configuration is not read here; --account names an account")
}

/// Whether the program was started under the name `sendmail`, as it is through a symbolic link.
pub(crate) fn is_name_of(program: &OsStr) -> bool {
    Path::new(program).file_name() == Some(OsStr::new("sendmail"))
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let account = args.client.account_of_sender(args.sender.as_deref())?;
    let from = sender(args.sender.as_deref(), &account)?;
    let message = Submission::read(io::stdin().lock(), !args.ignores_dots())?;
    let to = args.addressees(&message, account.address.domain())?;
    let address = from.address().unwrap_or(&account.address);
    let composed = message.compose(&Author { address, name: args.name.as_deref() })?;
    let sent = send(&args.client, &account, &from, &to, composed).await;
    let delivery = sent.map_err(nothing_queued)?;
    Ok(tell_refusals(&delivery))
}

impl Args {
    fn ignores_dots(&self) -> bool {
        self.ignores_dots || self.settings.iter().any(|setting| setting == "i")
    }

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
    from: &ReversePath,
    to: &[Address],
    composed: Composed,
) -> anyhow::Result<Delivery> {
    let mut connection = client.log_in(account).await?;
    let delivery = submit(&mut connection, from, to, composed).await?;
    hang_up(connection).await;
    Ok(delivery)
}

/// Says that a mail which did not go for now is not kept either: sendmail would keep it.
fn nothing_queued(error: anyhow::Error) -> anyhow::Error {
    if may_pass(&error) { error.context(Failure::new(Exit::TempFail, NOT_QUEUED)) } else { error }
}

const NOT_QUEUED: &str = "the mail was not sent, and nothing was queued";

/// Says who did not get the mail, and why.
fn tell_refusals(delivery: &Delivery) -> Exit {
    for (address, reply) in &delivery.recipients {
        let reply = decisive(reply, &delivery.outcome);
        if !reply.is_positive() {
            note(&format!("{address}: {reply}"));
        }
    }
    let exit = Exit::of_delivery(delivery);
    if exit == Exit::TempFail {
        note("whoever is named here did not get the mail, and nothing was queued");
    }
    exit
}
