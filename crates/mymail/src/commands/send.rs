//! `mymail send`: one mail to any number of recipients.

use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use client::{
    Address, Connection, Delivery, Envelope, EnvelopeId, Error, Extension, Notify, Outcome, Reply, Reports, Return,
    ReversePath, StoredAccount,
};
use serde::Serialize;
use tokio::io::AsyncSeekExt;

use crate::attachment::{Attachment, open_file};
use crate::client_options::{ClientOptions, hang_up};
use crate::compose::{self, Composed, Mail, Takes};
use crate::editor::Draft;
use crate::exit::{Exit, Failure};
use crate::interrupt::unless_interrupted;
use crate::output::{self, Results};
use crate::progress::Progress;
use crate::recipients::{self, Source};

/// Longest text of a mail, in octets; more goes as an attachment, which is never in memory as a whole.
const TEXT_OCTETS_MAX: u64 = 16 << 20;

/// Send a mail to one or more recipients
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "mymail send [OPTIONS] TO... [BODY-FILE or -]",
    after_help = "\
The text comes from BODY-FILE, from standard input (- or a pipe), or from your $EDITOR.
A line is printed for each recipient with what the server answered. One who is refused
does not keep the others from getting the mail; then the exit code is 67.

--notify, --return and --envelope-id ask the servers on the way for reports on what becomes of the
mail; they come as mail. The server must offer DSN for that; one that does not gets the mail all the
same, and you are told.

Examples:
  mymail send 10@mymailserver -s Hello
  echo 'Hello both' | mymail send 10@mymailserver 12@mymailserver
  mymail send alice@mymailserver -s Report -a report.pdf notes.txt
  mymail send alice@mymailserver --raw message.eml
  mymail send bob@example.org --notify success,failure --return headers --envelope-id offer-7 offer.txt"
)]
pub(crate) struct Args {
    /// Addresses of the recipients; the last argument may be the file with the text, or - for standard input
    #[arg(value_name = "TO", required = true)]
    arguments: Vec<String>,

    /// What the mail is about
    #[arg(short, long)]
    subject: Option<String>,

    /// Attach this file; may be repeated
    #[arg(short, long = "attach", value_name = "FILE")]
    attachments: Vec<PathBuf>,

    /// Send the text as it is: it is a whole message already, or shall have no header
    #[arg(long, conflicts_with_all = ["subject", "attachments"])]
    raw: bool,

    /// When to report on each recipient: any of success (delivered), failure (never will be) and delay (takes its time),
    /// with commas; or never. Without it, servers report failure, and delay if they like
    #[arg(long, value_name = "WHEN", value_parser = notify)]
    notify: Option<Notify>,

    /// How much of the mail a report of failure gives back: full or headers
    #[arg(long = "return", value_name = "HOW-MUCH", value_parser = ret)]
    ret: Option<Return>,

    /// What you know this mail by, for the reports to repeat: up to 100 characters of printable ASCII
    #[arg(long, value_name = "ID", value_parser = envelope_id)]
    envelope_id: Option<EnvelopeId>,

    #[command(flatten)]
    client: ClientOptions,
}

/// When to report.
pub(super) fn notify(text: &str) -> Result<Notify, &'static str> {
    text.parse().map_err(|_| "write success, failure, delay, or several of these with commas between; or never")
}

fn ret(text: &str) -> Result<Return, &'static str> {
    match text {
        "full" => Ok(Return::Full),
        "headers" => Ok(Return::Headers),
        _ => Err("write full or headers"),
    }
}

fn envelope_id(text: &str) -> Result<EnvelopeId, &'static str> {
    EnvelopeId::new(text)
        .ok_or("it has up to 100 characters of printable ASCII, of which space, + and = count for three")
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let (to, source) = recipients::split(&args.arguments)?;
    let account = args.client.account()?;
    let attachments = args.attachments.iter().map(|path| attach(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let (from, subject) = (&account.address, args.subject.as_deref());
    let reports = Reports { notify: args.notify, ret: args.ret, envelope_id: args.envelope_id.clone() };
    let reverse_path = ReversePath::Address(from.clone());
    let envelope = Envelope { reverse_path, recipients: to.clone(), reports };

    if source.is_none() && !args.raw && io::stdin().is_terminal() {
        let draft = Draft::write(read_text).await?;
        let mail = Mail { from, to: &to, subject, text: draft.text(), attachments };
        let sending = send(&args.client, &account, envelope, |takes| mail.compose(takes));
        let sent = unless_interrupted(sending, "it is not known whether the mail was sent").await;
        if !matches!(sent, Ok(Exit::Done)) {
            draft.keep();
        }
        return sent;
    }
    let input = open(source)?;
    if args.raw {
        let composed = compose::as_is(input)?;
        send(&args.client, &account, envelope, |_| Ok(composed)).await
    } else {
        let text = read_text(input)?;
        let mail = Mail { from, to: &to, subject, text: &text, attachments };
        send(&args.client, &account, envelope, |takes| mail.compose(takes)).await
    }
}

fn attach(path: &Path) -> anyhow::Result<Attachment> {
    Attachment::open(path).context(Failure::new(Exit::Data, format!("cannot attach {}", path.display())))
}

fn open(source: Option<Source>) -> anyhow::Result<Box<dyn Read>> {
    Ok(match source {
        Some(Source::File(path)) => {
            let file = open_file(&path);
            Box::new(file.context(Failure::new(Exit::Data, format!("cannot read {}", path.display())))?)
        }
        Some(Source::Stdin) | None => Box::new(io::stdin()),
    })
}

fn read_text(input: impl Read) -> anyhow::Result<String> {
    let mut text = Vec::new();
    let read = input.take(TEXT_OCTETS_MAX + 1).read_to_end(&mut text);
    read.context(Failure::new(Exit::Data, "cannot read the text"))?;
    if text.len() as u64 > TEXT_OCTETS_MAX {
        bail!(Failure::new(Exit::Data, format!("the text is longer than {TEXT_OCTETS_MAX} octets: attach it with -a")));
    }
    let no_text = "the text is not UTF-8: attach it with -a, or send it as it is with --raw";
    String::from_utf8(text).map_err(|_| Failure::new(Exit::Data, no_text).into())
}

async fn send(
    client: &ClientOptions,
    account: &StoredAccount,
    envelope: Envelope,
    compose: impl FnOnce(Takes) -> io::Result<Composed>,
) -> anyhow::Result<Exit> {
    let mut connection = client.log_in(account).await?;
    let composed = compose(Takes::of(&connection)).context(compose::cant_compose())?;
    let sent = submit(&mut connection, envelope, &composed).await?;
    let exit = print(client.results(), &sent)?;
    hang_up(connection).await;
    Ok(exit)
}

/// What became of a mail.
pub(crate) struct Sent {
    pub(crate) delivery: Delivery,
    /// What broke off the transaction of those for whom `delivery` has no answer.
    failure: Option<anyhow::Error>,
}

impl Sent {
    pub(crate) fn exit(&self) -> Exit {
        Exit::of_sent(&self.delivery, self.failure.as_ref())
    }

    /// Whether some recipients may have the mail or not: nobody knows.
    pub(crate) fn is_in_doubt(&self) -> bool {
        let cause = self.failure.as_ref().and_then(|error| error.downcast_ref());
        matches!(cause, Some(Error::SentInDoubt(_)))
    }

    /// Every recipient with the reply that decided or, where there is none, the reason.
    pub(crate) fn answers(&self) -> impl Iterator<Item = (&Address, Result<&Reply, String>)> {
        let Self { delivery: Delivery { recipients, outcome }, failure } = self;
        let broken_off = || failure.as_ref().map(ToString::to_string).unwrap_or_default();
        recipients.iter().map(move |(address, reply)| {
            (address, reply.as_ref().map(|reply| decisive(reply, outcome)).ok_or_else(broken_off))
        })
    }
}

/// Gives a composed mail to the server, in as many transactions as the server needs for all recipients. Who wants reports
/// that the server knows nothing of is told so.
pub(crate) async fn submit(
    connection: &mut Connection,
    mut envelope: Envelope,
    mail: &Composed,
) -> anyhow::Result<Sent> {
    if envelope.reports.are_wanted() && !connection.offers(Extension::Dsn) {
        output::note("note: the server offers no reports (DSN): the mail goes without asking for any");
    }
    let mut delivery = transact(connection, &envelope, mail).await?;
    envelope.recipients = delivery.left_over();
    while !envelope.recipients.is_empty() {
        match transact(connection, &envelope, mail).await {
            Ok(further) => {
                envelope.recipients = further.left_over();
                delivery.merge(further);
            }
            // What became of the others is known, and worth telling.
            Err(error) => return Ok(Sent { delivery, failure: Some(error) }),
        }
    }
    Ok(Sent { delivery, failure: None })
}

async fn transact(
    connection: &mut Connection,
    envelope: &Envelope,
    Composed { file, message }: &Composed,
) -> anyhow::Result<Delivery> {
    let mut progress = Progress::of(message.octets);
    let mut body = tokio::fs::File::from_std(file.try_clone()?);
    body.rewind().await?;
    Ok(connection.send(envelope, *message, body, |octets| progress.reached(octets)).await?)
}

/// Prints a line for each recipient with the reply that decided, or why there is none.
pub(crate) fn print(results: Results, sent: &Sent) -> anyhow::Result<Exit> {
    #[derive(Serialize)]
    struct Recipient<'a> {
        recipient: String,
        /// `None`: there is no reply.
        accepted: Option<bool>,
        code: Option<u16>,
        enhanced: Option<String>,
        text: &'a str,
    }
    for (address, answer) in sent.answers() {
        let reply = answer.as_ref().ok();
        let recipient = Recipient {
            recipient: address.to_string(),
            accepted: reply.map(|reply| reply.is_positive()),
            code: reply.map(|reply| reply.code()),
            enhanced: reply.and_then(|reply| reply.enhanced()).map(|enhanced| enhanced.to_string()),
            text: answer.as_ref().map_or_else(String::as_str, |reply| reply.text()),
        };
        let line = answer.as_ref().map_or_else(Clone::clone, ToString::to_string);
        results.print(&format!("{address}: {line}"), &recipient)?;
    }
    Ok(sent.exit())
}

/// A recipient who was accepted gets nothing when the message was refused.
fn decisive<'a>(reply: &'a Reply, outcome: &'a Outcome) -> &'a Reply {
    match outcome {
        Outcome::Refused(refusal) if reply.is_positive() => refusal,
        _ => reply,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reply_that_decided_is_the_one_to_show() {
        let (yes, no) = (Reply::new(250, None, "OK"), Reply::new(550, None, "No such user here"));
        let full = Reply::new(452, None, "Full");
        assert_eq!(decisive(&yes, &Outcome::Accepted(yes.clone())), &yes);
        assert_eq!(decisive(&no, &Outcome::Accepted(yes.clone())), &no);
        assert_eq!(decisive(&yes, &Outcome::Refused(full.clone())), &full);
        assert_eq!(decisive(&no, &Outcome::Refused(full)), &no);
    }

    #[test]
    fn a_text_is_utf8_and_has_a_limit() {
        assert_eq!(read_text("Grüße".as_bytes()).unwrap(), "Grüße");
        assert!(read_text(&b"caf\xe9"[..]).unwrap_err().to_string().contains("not UTF-8"));
        assert!(read_text(io::repeat(b'a')).unwrap_err().to_string().contains("longer"));
    }
}
