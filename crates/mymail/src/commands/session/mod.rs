//! `mymail session`: commands one after the other on one connection, which is where a descriptor's address lives.

mod input;

use std::time::Duration;

use anyhow::{Context, bail};
use client::{Accounts, Address, Connection, Error, ServerAddress, StoredAccount};
use serde::Serialize;
use tokio::time::timeout;

use super::{register, retrieve, send};
use crate::client_options::{ClientOptions, accounts_path, hang_up, log_in};
use crate::compose::Mail;
use crate::exit::{Exit, Failure};
use crate::output::{note, report};
use crate::recipients::local_or_address;
use input::{Answer, Input};

/// How long the session is silent before it tells the server that it is still there. Servers hang up after five minutes
/// (RFC 5321 §4.5.3.2.7), and with the connection an address without a password is gone.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Longest text of a mail that is typed, in octets.
const TEXT_OCTETS_MAX: usize = 1 << 20;

/// Talk to a server: register, send and retrieve on one connection
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Args {
    #[command(flatten)]
    client: ClientOptions,
}

const HELP: &str = "\
Commands:
  register [NAME]      get an address; without a password it ends with the session
  passwd               get a password, shown and kept in the accounts file
  send [TO…]           write a mail: recipients, subject, text, and a line with one dot
  retrieve [SECONDS]   read your mail; wait so long if there is none
  whoami               show your address
  unregister           end your account and delete its mail
  help                 show this
  quit                 end the session

Examples:
  mymail session --server mail.example:2525
  mymail session --account alice@mymailserver --verbose
  printf 'register\\nwhoami\\n' | mymail session";

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let account = args.client.account.is_some().then(|| args.client.account()).transpose()?;
    let server = account.as_ref().map_or(args.client.server(), |account| account.server.clone());
    let mut input = Input::open()?;
    let mut connection = args.client.connect_showing(&server, input.take_dialogue()).await?;
    if let Some(account) = &account {
        log_in(&mut connection, account).await?;
    }
    if input.is_interactive() {
        note(&format!("connected to {server}; `help` lists the commands"));
    }
    Session { client: args.client, server, connection, input, exit: Exit::Done }.run().await
}

struct Session {
    client: ClientOptions,
    server: ServerAddress,
    connection: Connection,
    input: Input,
    /// That of the first command that failed, for scripts.
    exit: Exit,
}

impl Session {
    async fn run(mut self) -> anyhow::Result<Exit> {
        loop {
            let line = match self.ask("mymail> ", true).await? {
                Answer::Line(line) => line,
                Answer::Interrupted => continue,
                Answer::End => break,
            };
            let mut words = line.split_whitespace();
            let Some(command) = words.next() else { continue };
            if matches!(command, "quit" | "exit") {
                break;
            }
            match self.execute(command, &words.collect::<Vec<_>>()).await {
                Ok(exit) => self.note_exit(exit),
                Err(error) if ends_session(&error) => return Err(error),
                Err(error) => {
                    report(&error);
                    self.note_exit(Exit::of_error(&error));
                }
            }
        }
        hang_up(self.connection).await;
        Ok(if self.input.is_interactive() { Exit::Done } else { self.exit })
    }

    fn note_exit(&mut self, exit: Exit) {
        if self.exit == Exit::Done {
            self.exit = exit;
        }
    }

    async fn execute(&mut self, command: &str, words: &[&str]) -> anyhow::Result<Exit> {
        match (command, words) {
            ("register", []) => self.register(None).await,
            ("register", [name]) => self.register(Some(name)).await,
            ("passwd", []) => self.passwd().await,
            ("send", to) => self.send(to).await,
            ("retrieve", []) => self.retrieve(None).await,
            ("retrieve", [seconds]) => {
                let seconds =
                    seconds.parse().context(Failure::new(Exit::Usage, format!("{seconds} are no seconds")))?;
                self.retrieve(Some(Duration::from_secs(seconds))).await
            }
            ("whoami", []) => self.whoami(),
            ("unregister", []) => self.unregister().await,
            ("help", _) => {
                note(HELP.split("\n\nExamples").next().unwrap_or(HELP));
                Ok(Exit::Done)
            }
            _ => bail!(Failure::new(Exit::Usage, "there is no such command; `help` lists them")),
        }
    }

    async fn register(&mut self, name: Option<&str>) -> anyhow::Result<Exit> {
        self.connection.register(name, None).await?;
        self.whoami()
    }

    async fn passwd(&mut self) -> anyhow::Result<Exit> {
        #[derive(Serialize)]
        struct Issued<'a> {
            address: String,
            password: &'a str,
        }
        let address = self.address()?;
        let password = self.connection.issue_password().await?;
        let issued = Issued { address: address.to_string(), password: &password };
        self.client.results().print(&password, &issued)?;
        register::keep(&StoredAccount { address, server: self.server.clone(), password })?;
        note("the password is in the accounts file too");
        Ok(Exit::Done)
    }

    async fn send(&mut self, to: &[&str]) -> anyhow::Result<Exit> {
        let from = self.address()?;
        let Some(to) = self.recipients(to, &from).await? else { return cancelled() };
        let Answer::Line(subject) = self.ask("Subject: ", false).await? else { return cancelled() };
        let Some(text) = self.text().await? else { return cancelled() };
        let subject = Some(subject.as_str()).filter(|subject| !subject.is_empty());
        let mail = Mail { from: &from, to: &to, subject, text: &text, attachments: Vec::new() };
        let composed = mail.compose(send::takes_eight_bit(&self.connection)).context(send::cant_compose())?;
        let delivery = send::submit(&mut self.connection, &from, &to, composed).await?;
        send::print(self.client.results(), &delivery)
    }

    /// The recipients that came with the command, or that the user is asked for.
    async fn recipients(&mut self, words: &[&str], from: &Address) -> anyhow::Result<Option<Vec<Address>>> {
        let asked;
        let mut words = words.to_vec();
        if words.is_empty() {
            let Answer::Line(line) = self.ask("To: ", false).await? else { return Ok(None) };
            asked = line;
            words = asked.split([' ', ',']).filter(|word| !word.is_empty()).collect();
        }
        if words.is_empty() {
            bail!(Failure::new(Exit::Usage, "a mail needs a recipient"));
        }
        let recipients = words.iter().map(|word| local_or_address(word, from.domain()));
        Ok(Some(recipients.collect::<Result<_, _>>()?))
    }

    /// The lines up to one with a dot alone, or to the end of a script.
    async fn text(&mut self) -> anyhow::Result<Option<String>> {
        if self.input.is_interactive() {
            note("the text; a line with one dot ends it, Ctrl-C cancels");
        }
        let mut text = String::new();
        loop {
            match self.ask("", false).await? {
                Answer::Line(line) if line == "." => return Ok(Some(text)),
                Answer::Line(line) => text.extend([line.as_str(), "\n"]),
                Answer::Interrupted | Answer::End => return Ok(None),
            }
            if text.len() > TEXT_OCTETS_MAX {
                bail!(Failure::new(Exit::Data, format!("the text is longer than {TEXT_OCTETS_MAX} octets")));
            }
        }
    }

    async fn retrieve(&mut self, wait: Option<Duration>) -> anyhow::Result<Exit> {
        let target = retrieve::Target::Show(retrieve::Format::of(&self.client));
        if retrieve::retrieve(&mut self.connection, wait, &target).await? == 0 {
            note("no mail");
        }
        Ok(Exit::Done)
    }

    fn whoami(&self) -> anyhow::Result<Exit> {
        #[derive(Serialize)]
        struct Identity {
            address: String,
        }
        let address = self.address()?.to_string();
        self.client.results().print(&address.clone(), &Identity { address })?;
        Ok(Exit::Done)
    }

    async fn unregister(&mut self) -> anyhow::Result<Exit> {
        let account = StoredAccount { address: self.address()?, server: self.server.clone(), password: String::new() };
        self.connection.unregister().await?;
        Accounts::update(&accounts_path()?, |accounts| accounts.remove(&account))?;
        note(&format!("{} is ended", account.address));
        Ok(Exit::Done)
    }

    fn address(&self) -> Result<Address, Failure> {
        let address = self.connection.address().cloned();
        address.ok_or_else(|| Failure::new(Exit::NoPermission, "you have no address yet: `register` gets you one"))
    }

    /// Asks for a line, and keeps the connection alive until it comes. That is safe: whatever was retrieved is confirmed.
    async fn ask(&mut self, prompt: &str, into_history: bool) -> anyhow::Result<Answer> {
        self.input.ask(prompt, into_history).await?;
        loop {
            match timeout(SILENCE_MAX, self.input.answer()).await {
                Ok(answer) => return answer,
                Err(_) => self.keep_alive().await?,
            }
        }
    }

    async fn keep_alive(&mut self) -> anyhow::Result<()> {
        let answered = self.connection.noop().await;
        if answered.is_err() && self.input.is_interactive() {
            // What is wrong shall not stand behind the prompt.
            note("");
        }
        Ok(answered?)
    }
}

fn cancelled() -> anyhow::Result<Exit> {
    note("nothing was sent");
    Ok(Exit::Data)
}

/// Whether nothing can come after an error: the connection is of no use, or nobody reads what is printed.
fn ends_session(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<Error>() {
        Some(Error::Refused(_) | Error::NotOffered(_) | Error::BadInput(_)) => false,
        Some(_) => true,
        None => Exit::of_error(error) == Exit::CantCreate,
    }
}
