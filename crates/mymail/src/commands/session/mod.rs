//! `mymail session`: commands one after the other on one connection, which is where a descriptor's address lives.

mod input;
mod mail;

use std::io;
use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, bail};
use client::{Accounts, Address, Connection, Error, ServerAddress, StoredAccount};
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;

use super::retrieve::WAIT_SECONDS_MAX;
use super::{register, retrieve};
use crate::client_options::{ClientOptions, accounts_path, hang_up, log_in};
use crate::exit::{Exit, Failure};
use crate::output::{note, report};
use input::{Answer, Input};

/// How long the session is silent before it tells the server that it is still there. Servers hang up after five minutes
/// (RFC 5321 §4.5.3.2.7), and with the connection an address without a password is gone.
const SILENCE_MAX: Duration = Duration::from_secs(60);

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
  retrieve [SECONDS]   read your mail; wait so long if there is none, at most 300
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
            match self.execute_patiently(command, &words.collect::<Vec<_>>()).await? {
                Ok(exit) => self.note_exit(exit),
                Err(error) if ends_session(&error) => return Err(error),
                Err(error) => {
                    report(&error);
                    self.note_exit(Exit::of_error(&error));
                }
            }
            if self.connection.is_over() {
                note("the connection is closed, and the session with it");
                break;
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

    /// Executes a command; an error of its own ends the session. A command that was given up would leave the connection in
    /// the middle of a sentence, and with the connection goes an address without a password: no single Ctrl-C of a person
    /// shall do that.
    async fn execute_patiently(&mut self, command: &str, words: &[&str]) -> anyhow::Result<anyhow::Result<Exit>> {
        if !self.input.is_interactive() {
            return Ok(self.execute(command, words).await);
        }
        let mut interrupts = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
        let mut execution = pin!(self.execute(command, words));
        tokio::select! {
            done = &mut execution => return Ok(done),
            _ = interrupts.recv() => note("the command goes on; Ctrl-C again ends the session"),
        }
        tokio::select! {
            done = &mut execution => Ok(done),
            _ = interrupts.recv() => bail!(Failure::new(Exit::TempFail, "interrupted")),
        }
    }

    async fn execute(&mut self, command: &str, words: &[&str]) -> anyhow::Result<Exit> {
        match (command, words) {
            ("register", []) => self.register(None).await,
            ("register", [name]) => self.register(Some(name)).await,
            ("passwd", []) => self.passwd().await,
            ("send", to) => self.send(to).await,
            ("retrieve", []) => self.retrieve(None).await,
            ("retrieve", [seconds]) => self.retrieve(Some(wait(seconds)?)).await,
            ("whoami", []) => self.whoami(),
            ("unregister", []) => self.unregister().await,
            ("help", _) => {
                note(commands());
                Ok(Exit::Done)
            }
            _ => bail!(Failure::new(Exit::Usage, not_understood(command))),
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
        register::keep(&StoredAccount::new(address, self.server.clone(), password))?;
        note("the password is in the accounts file too");
        Ok(Exit::Done)
    }

    async fn retrieve(&mut self, wait: Option<Duration>) -> anyhow::Result<Exit> {
        let target = retrieve::Target::Show(retrieve::Format::of(&self.client));
        let retrieved = retrieve::retrieve(&mut self.connection, wait, &target).await?;
        if retrieved.kept == 0 {
            note("no mail");
        }
        Ok(retrieved.exit())
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
        let account = StoredAccount::new(self.address()?, self.server.clone(), String::new());
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

fn not_understood(command: &str) -> String {
    match usage(command) {
        Some(usage) => format!("that has another form: {usage}"),
        None => "there is no such command; `help` lists them".to_owned(),
    }
}

/// How a command is written, if there is such a one.
fn usage(command: &str) -> Option<&'static str> {
    let mut usages = commands().lines().filter_map(|line| line.strip_prefix("  ")?.split("  ").next());
    usages.find(|usage| usage.split(' ').next() == Some(command))
}

/// The part of the help that is about the session's own commands.
fn commands() -> &'static str {
    HELP.split("\n\nExamples").next().unwrap_or(HELP)
}

fn wait(seconds: &str) -> Result<Duration, Failure> {
    let seconds = seconds.parse().ok().filter(|seconds| *seconds <= WAIT_SECONDS_MAX);
    let limit = || Failure::new(Exit::Usage, format!("it waits for 0 to {WAIT_SECONDS_MAX} seconds"));
    seconds.map(Duration::from_secs).ok_or_else(limit)
}

/// Whether nothing can come after an error: the connection is of no use, nobody reads what is printed, or nobody knows
/// where in the input the next command begins.
fn ends_session(error: &anyhow::Error) -> bool {
    match error.downcast_ref::<Error>() {
        Some(Error::Refused(_) | Error::NotOffered(_) | Error::NotPrivate | Error::BadInput(_)) => false,
        Some(_) => true,
        None => Exit::of_error(error) == Exit::CantCreate || error.is::<io::Error>(),
    }
}
