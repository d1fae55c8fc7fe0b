//! `mymail retrieve`: all mail of an account, shown or filed, and then flushed from the server.

mod login;

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::ValueEnum;
use client::{Connection, Pop3Connection, Retrieval, ServerUrl};
use serde::Serialize;

use crate::client_options::{ClientOptions, hang_up, hung_up};
use crate::destination::{Destination, Json, Maildir, Mbox, Raw, Text};
use crate::exit::{Exit, Failure};
use crate::interrupt::unless_interrupted;
use crate::output::{note, show_dialogue, stdout_for_mail, sync_stdout};
use crate::progress::Progress;
use crate::terminal::Harmless;
use login::Login;

/// The longest that a server waits for mail, in seconds.
pub(crate) const WAIT_SECONDS_MAX: u64 = 300;

/// Retrieve all your mail and flush it from the server
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Mail leaves the server only when it is safely printed or filed; until then it comes again.
Each message is shown behind a header block, which is the server's or, by POP3, made of what is known of
the message. --format raw prints the messages alone, as the server gives them: by POP3 that is with
Return-Path and Received. --format json prints one object per line.
An account that has a POP3 server retrieves its mail there. With a URL it is any server's mail; the
password is that of your account there or of --password-file, or else it is asked for.

Examples:
  mymail retrieve
  mymail retrieve pop3s://alice@mail.example.org
  mymail retrieve --wait 60
  mymail retrieve --account alice@mymailserver --maildir ~/Maildir
  mymail retrieve --json | jq -r .from")]
pub(crate) struct Args {
    /// Retrieve the mail of this user on this server: pop3s://USER@HOST or pop3://USER@HOST
    #[arg(value_parser = url, conflicts_with = "server")]
    url: Option<ServerUrl>,

    /// The password is the first line of this file; - is standard input
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,

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

/// A server alone has `--server`.
fn url(text: &str) -> Result<ServerUrl, String> {
    if !text.contains("://") {
        return Err("write pop3s://USER@HOST or pop3://USER@HOST".to_owned());
    }
    text.parse().map_err(|error: client::ServerAddressError| error.to_string())
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
    let wait = args.wait.map(Duration::from_secs);
    let login = match args.url {
        Some(url) => Login::at(url, &args.client, args.password_file.as_deref())?,
        None => Login::of(args.client.account()?, args.password_file.as_deref())?,
    };
    let retrieved = if login.server.scheme().is_pop3() {
        if wait.is_some() {
            bail!(Failure::new(Exit::Usage, format!("--wait is not possible by POP3, as with {}", login.server)));
        }
        retrieve_by_pop3(&login, &args.client, &target).await?
    } else {
        let mut connection = args.client.talk.connect(&login.server).await?;
        connection.login(&login.user, &login.password).await.with_context(|| login.failed())?;
        let retrieved = retrieve(&mut connection, wait, &target).await?;
        hang_up(connection).await;
        retrieved
    };
    target.summarize(retrieved, &args.client)?;
    Ok(retrieved.exit())
}

async fn retrieve_by_pop3(login: &Login, client: &ClientOptions, target: &Target) -> anyhow::Result<Retrieved> {
    let options = client.talk.connect_options(Box::new(show_dialogue));
    let connection = Pop3Connection::connect(&login.server, options).await?;
    let mut mailbox = connection.login(&login.user, &login.password).await.with_context(|| login.failed())?;
    let retrieved = target.take(mailbox.retrieve().await?).await?;
    hung_up(mailbox.quit().await);
    Ok(retrieved)
}

/// Retrieves all mail, and has the server flush it once it is kept.
pub(crate) async fn retrieve(
    connection: &mut Connection,
    wait: Option<Duration>,
    target: &Target,
) -> anyhow::Result<Retrieved> {
    target.take(connection.retrieve(wait).await?).await
}

/// How many messages were retrieved.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retrieved {
    pub(crate) kept: usize,
    /// Those that the server has and would not give.
    withheld: usize,
}

impl Retrieved {
    /// Says so if there is more to retrieve.
    pub(crate) fn exit(self) -> Exit {
        match self.withheld {
            0 => Exit::Done,
            withheld => {
                note(&format!("messages that the server did not hand over: {withheld}; they stay there"));
                Exit::TempFail
            }
        }
    }
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
    /// Keeps all messages, and has the server flush them then.
    async fn take(&self, mut retrieval: Retrieval<'_>) -> anyhow::Result<Retrieved> {
        let count = retrieval.count();
        if count > 0 {
            self.or_cut_back(keep(&mut retrieval, self), "the mail stays on the server").await?;
        }
        let withheld = retrieval.withheld();
        for (number, refusal) in retrieval.refusals() {
            note(&format!("message {number} was not handed over: {refusal}"));
        }
        let confirmed = async { Ok(retrieval.confirm().await?) };
        self.or_cut_back(confirmed, "the mail is kept, but may come again").await?;
        Ok(Retrieved { kept: count.saturating_sub(withheld), withheld })
    }

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

    fn summarize(&self, retrieved: Retrieved, client: &ClientOptions) -> anyhow::Result<()> {
        #[derive(Serialize)]
        struct Summary {
            messages: usize,
        }
        let Retrieved { kept: count, withheld } = retrieved;
        match self {
            _ if count == 0 && withheld == 0 => note("no mail"),
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
