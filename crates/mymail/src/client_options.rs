//! What every client command takes: which server, which account, how to talk.

use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;
use client::{Accounts, Address, ConnectOptions, Connection, Line, ServerAddress, StoredAccount, TlsMode};

use crate::exit::{Exit, Failure};
use crate::output::{self, Results};

/// Options of every client command.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ClientOptions {
    /// The server; without it, the account's own, or 127.0.0.1:2525
    #[arg(long, value_name = "HOST:PORT", help_heading = HEADING)]
    pub(crate) server: Option<ServerAddress>,

    /// The account, by its address or the part before the @; without it, the default account
    #[arg(long, value_name = "ADDRESS", help_heading = HEADING)]
    pub(crate) account: Option<String>,

    /// Whether the connection is encrypted
    #[arg(long, value_enum, default_value_t, help_heading = HEADING)]
    tls: Tls,

    /// Show the dialogue with the server on standard error, secrets masked
    #[arg(short, long, help_heading = HEADING)]
    verbose: bool,

    /// Print results as JSON, one object per line
    #[arg(long, help_heading = HEADING)]
    pub(crate) json: bool,
}

const HEADING: &str = "Client options";

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Tls {
    /// When the server offers it
    #[default]
    Auto,
    /// Always; fail without it
    Required,
    /// Never
    Off,
}

/// Takes the lines of a dialogue as they go by.
pub(crate) type Dialogue = Box<dyn FnMut(Line<'_>) + Send>;

impl ClientOptions {
    /// Where results go.
    pub(crate) fn results(&self) -> Results {
        Results::new(self.json)
    }

    /// The server for a command that needs no account.
    pub(crate) fn server(&self) -> ServerAddress {
        self.server.clone().unwrap_or_default()
    }

    /// Connects to `server`, and shows the dialogue if the user wants it.
    pub(crate) async fn connect(&self, server: &ServerAddress) -> anyhow::Result<Connection> {
        self.connect_showing(server, Box::new(output::show_dialogue)).await
    }

    /// Connects to `server`, and shows the dialogue in its own way if the user wants it.
    pub(crate) async fn connect_showing(&self, server: &ServerAddress, show: Dialogue) -> anyhow::Result<Connection> {
        let tls = match self.tls {
            Tls::Auto => TlsMode::Auto,
            Tls::Required => TlsMode::Required,
            Tls::Off => TlsMode::Off,
        };
        let dialogue = self.verbose.then_some(show);
        Ok(Connection::connect(server, ConnectOptions { tls, dialogue, ..ConnectOptions::default() }).await?)
    }

    /// The account that the command is about, with the server that it is to be used with.
    pub(crate) fn account(&self) -> anyhow::Result<StoredAccount> {
        let accounts = Accounts::load(&accounts_path()?)?;
        let mut account = choose(&accounts, self.account.as_deref(), self.server.as_ref())?.clone();
        if let Some(server) = &self.server {
            account.server = server.clone();
        }
        Ok(account)
    }

    /// Connects to the account's server and logs in.
    pub(crate) async fn log_in(&self, account: &StoredAccount) -> anyhow::Result<Connection> {
        let mut connection = self.connect(&account.server).await?;
        log_in(&mut connection, account).await?;
        Ok(connection)
    }
}

/// Logs in on a connection that stands.
pub(crate) async fn log_in(connection: &mut Connection, account: &StoredAccount) -> anyhow::Result<()> {
    let StoredAccount { address, server, password } = account;
    let logged_in = connection.login(&address.to_string(), password).await;
    logged_in.with_context(|| format!("cannot log in to {server} as {address}"))
}

/// The accounts file.
pub(crate) fn accounts_path() -> anyhow::Result<PathBuf> {
    Ok(Accounts::default_path()?)
}

/// Ends a session that has done its work. Should the server fail to say goodbye, the work is done all the same.
pub(crate) async fn hang_up(connection: Connection) {
    if let Err(error) = connection.quit().await {
        output::note(&format!("all is done, but the session did not end well: {error}"));
    }
}

/// The account by its name or, without one, the first that belongs to the server, or the default one.
fn choose<'a>(
    accounts: &'a Accounts,
    name: Option<&str>,
    server: Option<&ServerAddress>,
) -> Result<&'a StoredAccount, Failure> {
    if let Some(name) = name {
        return find(accounts, name, server);
    }
    let of_server = accounts.list().iter().find(|account| Some(&account.server) == server);
    of_server
        .or(accounts.default())
        .ok_or_else(|| Failure::new(Exit::Config, "you have no account yet: `mymail register` makes one"))
}

/// The account of that name. Two servers may have given the same one: then `server` decides, or else the first is meant.
pub(crate) fn find<'a>(
    accounts: &'a Accounts,
    name: &str,
    server: Option<&ServerAddress>,
) -> Result<&'a StoredAccount, Failure> {
    let called_so = || accounts.list().iter().filter(|account| is_called(account, name));
    let of_server = called_so().find(|account| Some(&account.server) == server);
    of_server.or(called_so().next()).ok_or_else(|| {
        Failure::new(Exit::Config, format!("you have no account {name}: `mymail accounts` lists those you have"))
    })
}

fn is_called(account: &StoredAccount, name: &str) -> bool {
    match name.parse::<Address>() {
        Ok(address) => address.key() == account.address.key(),
        Err(_) => account.address.local_part().as_str().eq_ignore_ascii_case(name),
    }
}
