//! `mymail retrieve`: all mail of an account, shown or filed, and then flushed from the server.

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::ValueEnum;
use client::{Connection, Retrieval};
use serde::Serialize;

use crate::client_options::{ClientOptions, hang_up};
use crate::destination::{Destination, Json, Maildir, Mbox, Raw, Text};
use crate::exit::{Exit, Failure};
use crate::interrupt::unless_interrupted;
use crate::output::{note, stdout_for_mail, sync_stdout};
use crate::progress::Progress;
use crate::terminal::Harmless;

/// The longest that a server waits for mail, in seconds.
pub(crate) const WAIT_SECONDS_MAX: u64 = 300;

/// Retrieve all your mail and flush it from the server
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Mail leaves the server only when it is safely printed or filed; until then it comes again.
Each message is shown behind the header block that the server puts before it. --format raw prints
the messages as their senders sent them, --format json one object per line.

Examples:
  mymail retrieve
  mymail retrieve --wait 60
  mymail retrieve --account alice@mymailserver --maildir ~/Maildir
  mymail retrieve --json | jq -r .from")]
pub(crate) struct Args {
    /// Wait for mail so many seconds, at most 300, when there is none
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(0..=WAIT_SECONDS_MAX))]
    wait: Option<u64>,

    /// How mail is shown; text unless --json says otherwise
    #[arg(long, value_enum)]
    format: Option<Format>,

    /// Append the mail to this mbox instead
    #[arg(long, value_name = "FILE", conflicts_with_all = ["format", "maildir"])]
    mbox: Option<PathBuf>,

    /// Put the mail into this Maildir instead
    #[arg(long, value_name = "DIR", conflicts_with = "format")]
    maildir: Option<PathBuf>,

    #[command(flatten)]
    client: ClientOptions,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Format {
    /// The header block and the message; on a terminal, harmless for it
    Text,
    /// One object per line
    Json,
    /// The message's octets alone
    Raw,
}

impl Format {
    /// The one that the client options ask for.
    pub(crate) fn of(client: &ClientOptions) -> Self {
        if client.talk.json { Self::Json } else { Self::Text }
    }
}

/// Where the mail shall go.
#[derive(Debug)]
pub(crate) enum Target {
    Show(Format),
    Mbox(PathBuf),
    Maildir(PathBuf),
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let format = args.format.unwrap_or(Format::of(&args.client));
    let target = match (args.mbox, args.maildir) {
        (Some(path), _) => Target::Mbox(path),
        (None, Some(folder)) => Target::Maildir(folder),
        (None, None) => Target::Show(format),
    };
    let account = args.client.account()?;
    let mut connection = args.client.log_in(&account).await?;
    let count = retrieve(&mut connection, args.wait.map(Duration::from_secs), &target).await?;
    hang_up(connection).await;
    target.summarize(count, &args.client)?;
    Ok(Exit::Done)
}

/// Retrieves all mail, and has the server flush it once it is kept. Returns how many messages there were.
pub(crate) async fn retrieve(
    connection: &mut Connection,
    wait: Option<Duration>,
    target: &Target,
) -> anyhow::Result<usize> {
    let mut retrieval = connection.retrieve(wait).await?;
    let count = retrieval.count();
    if count > 0 {
        target.or_cut_back(keep(&mut retrieval, target), "the mail stays on the server").await?;
    }
    let confirmed = async { Ok(retrieval.confirm().await?) };
    target.or_cut_back(confirmed, "the mail is kept, but may come again").await?;
    Ok(count)
}

async fn keep(retrieval: &mut Retrieval<'_>, target: &Target) -> anyhow::Result<()> {
    let not_kept =
        || Failure::new(Exit::CantCreate, format!("cannot write to {target}, so the mail stays on the server"));
    let mut destination = target.open().await.with_context(not_kept)?;
    let mut progress = target.progress();
    while let Some(mut message) = retrieval.next().await? {
        destination.begin(message.from(), message.to()).with_context(not_kept)?;
        while let Some(chunk) = message.chunk().await? {
            destination.write(&chunk).with_context(not_kept)?;
            progress.iter_mut().for_each(|progress| progress.add(chunk.len()));
        }
        destination.end().with_context(not_kept)?;
    }
    destination.commit().and_then(|()| target.sync()).with_context(not_kept)
}

impl Target {
    async fn open(&self) -> io::Result<Box<dyn Destination>> {
        Ok(match self {
            Self::Show(format) => show(BufWriter::new(stdout_for_mail()?), *format),
            Self::Mbox(path) => Box::new(Mbox::open(path).await?),
            Self::Maildir(folder) => Box::new(Maildir::open(folder)?),
        })
    }

    /// Does some work on the mail. A signal ends it so that files are cut back to what they were; where there is nothing to
    /// cut back, it ends the program as always.
    async fn or_cut_back<T>(
        &self,
        work: impl Future<Output = anyhow::Result<T>>,
        interrupted: &str,
    ) -> anyhow::Result<T> {
        match self {
            Self::Show(_) => work.await,
            Self::Mbox(_) | Self::Maildir(_) => unless_interrupted(work, interrupted).await,
        }
    }

    /// What the destination itself can't know of: whether its standard output is a file.
    fn sync(&self) -> io::Result<()> {
        if matches!(self, Self::Show(_)) { sync_stdout() } else { Ok(()) }
    }

    /// A bar between the lines of mails on a terminal would only disturb.
    fn progress(&self) -> Option<Progress> {
        (!matches!(self, Self::Show(_)) || !io::stdout().is_terminal()).then(Progress::unknown)
    }

    fn summarize(&self, count: usize, client: &ClientOptions) -> anyhow::Result<()> {
        #[derive(Serialize)]
        struct Summary {
            messages: usize,
        }
        match self {
            _ if count == 0 => note("no mail"),
            Self::Show(_) => {}
            Self::Mbox(_) | Self::Maildir(_) => {
                let text = format!("{count} {} filed in {self}", if count == 1 { "message" } else { "messages" });
                client.results().print(&text, &Summary { messages: count })?;
            }
        }
        Ok(())
    }
}

/// What a terminal would obey is taken out for terminals alone: whoever else reads it may want every octet.
fn show(stdout: BufWriter<File>, format: Format) -> Box<dyn Destination> {
    match (format, io::stdout().is_terminal()) {
        (Format::Json, _) => Box::new(Json::new(stdout)),
        (Format::Text, true) => Box::new(Text::new(Harmless::new(stdout))),
        (Format::Text, false) => Box::new(Text::new(stdout)),
        (Format::Raw, true) => Box::new(Text::without_block(Harmless::new(stdout))),
        (Format::Raw, false) => Box::new(Raw::new(stdout)),
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Show(_) => f.write_str("standard output"),
            Self::Mbox(path) | Self::Maildir(path) => path.display().fmt(f),
        }
    }
}
