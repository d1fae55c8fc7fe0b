//! `mymail send`: one mail to any number of recipients.

use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use client::{Address, Connection, Delivery, Envelope, Extension, Outcome, Reply, ReversePath, StoredAccount};
use serde::Serialize;
use tokio::io::AsyncSeekExt;

use crate::attachment::{Attachment, open_file};
use crate::client_options::{ClientOptions, hang_up};
use crate::compose::{self, Composed, Mail};
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

Examples:
  mymail send 10@mymailserver -s Hello
  echo 'Hello both' | mymail send 10@mymailserver 12@mymailserver
  mymail send alice@mymailserver -s Report -a report.pdf notes.txt
  mymail send alice@mymailserver --raw message.eml"
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

    #[command(flatten)]
    client: ClientOptions,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let (to, source) = recipients::split(&args.arguments)?;
    let account = args.client.account()?;
    let attachments = args.attachments.iter().map(|path| attach(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let (from, subject) = (&account.address, args.subject.as_deref());

    if source.is_none() && !args.raw && io::stdin().is_terminal() {
        let draft = Draft::write(read_text).await?;
        let mail = Mail { from, to: &to, subject, text: draft.text(), attachments };
        let sending = send(&args.client, &account, &to, |eight_bit| mail.compose(eight_bit));
        let sent = unless_interrupted(sending, "it is not known whether the mail was sent").await;
        if !matches!(sent, Ok(Exit::Done)) {
            draft.keep();
        }
        return sent;
    }
    let input = open(source)?;
    if args.raw {
        let composed = compose::as_is(input)?;
        send(&args.client, &account, &to, |_| Ok(composed)).await
    } else {
        let text = read_text(input)?;
        let mail = Mail { from, to: &to, subject, text: &text, attachments };
        send(&args.client, &account, &to, |eight_bit| mail.compose(eight_bit)).await
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
    to: &[Address],
    compose: impl FnOnce(bool) -> io::Result<Composed>,
) -> anyhow::Result<Exit> {
    let mut connection = client.log_in(account).await?;
    let from = ReversePath::Address(account.address.clone());
    let composed = compose(takes_eight_bit(&connection)).context(compose::cant_compose())?;
    let delivery = submit(&mut connection, &from, to, composed).await?;
    let exit = print(client.results(), &delivery)?;
    hang_up(connection).await;
    Ok(exit)
}

/// Whether the server takes text that is not ASCII as it is.
pub(crate) fn takes_eight_bit(connection: &Connection) -> bool {
    connection.offers(Extension::EightBitMime)
}

/// Gives a composed mail to the server, in as many transactions as the server needs for all recipients.
pub(crate) async fn submit(
    connection: &mut Connection,
    from: &ReversePath,
    to: &[Address],
    mail: Composed,
) -> anyhow::Result<Delivery> {
    let mut delivery = transact(connection, from, to.to_vec(), &mail).await?;
    let mut left_over = delivery.left_over();
    while !left_over.is_empty() {
        match transact(connection, from, left_over, &mail).await {
            Ok(further) => {
                left_over = further.left_over();
                delivery.merge(further);
            }
            // What became of the others is known, and worth telling.
            Err(error) => {
                output::note(&format!("the mail for the recipients that were too many did not go well: {error}"));
                break;
            }
        }
    }
    Ok(delivery)
}

async fn transact(
    connection: &mut Connection,
    from: &ReversePath,
    recipients: Vec<Address>,
    Composed { file, octets }: &Composed,
) -> anyhow::Result<Delivery> {
    let envelope = Envelope { reverse_path: from.clone(), recipients };
    let mut progress = Progress::of(*octets);
    let mut body = tokio::fs::File::from_std(file.try_clone()?);
    body.rewind().await?;
    Ok(connection.send(&envelope, body, *octets, |octets| progress.reached(octets)).await?)
}

/// Prints a line for each recipient with the reply that decided.
pub(crate) fn print(results: Results, delivery: &Delivery) -> anyhow::Result<Exit> {
    #[derive(Serialize)]
    struct Recipient<'a> {
        recipient: String,
        accepted: bool,
        code: u16,
        enhanced: Option<String>,
        text: &'a str,
    }
    for (address, reply) in &delivery.recipients {
        let reply = decisive(reply, &delivery.outcome);
        let recipient = Recipient {
            recipient: address.to_string(),
            accepted: reply.is_positive(),
            code: reply.code(),
            enhanced: reply.enhanced().map(|enhanced| enhanced.to_string()),
            text: reply.text(),
        };
        results.print(&format!("{address}: {reply}"), &recipient)?;
    }
    Ok(Exit::of_delivery(delivery))
}

/// A recipient who was accepted gets nothing when the message was refused.
pub(crate) fn decisive<'a>(reply: &'a Reply, outcome: &'a Outcome) -> &'a Reply {
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
