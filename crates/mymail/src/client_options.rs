//! What every client command takes: which server, which account, how to talk.

use std::path::PathBuf;

use anyhow::Context;
use clap::ValueEnum;
use client::{Accounts, ConnectOptions, Connection, Fingerprint, Line, ServerAddress, StoredAccount, TlsMode, Trust};

use crate::exit::{Exit, Failure};
use crate::output::{self, Results, note};

/// Options of the commands that an account uses.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct ClientOptions {
    /// The server, as HOST:PORT or a URL such as smtps://mail.example; without it, the account's own, or 127.0.0.1:2525
    #[arg(long, value_name = "SERVER", help_heading = HEADING)]
    pub(crate) server: Option<ServerAddress>,

    /// The account, by its address or the part before the @. Without it, `session` begins with none, and the others take
    /// the default one or, with --server, the first on that host
    #[arg(long, value_name = "ADDRESS", help_heading = HEADING)]
    pub(crate) account: Option<String>,

    #[command(flatten)]
    pub(crate) talk: TalkOptions,
}

/// Options of how to talk to the server and to the user.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct TalkOptions {
    /// Whether the connection is encrypted. Without that, no password leaves this computer
    #[arg(long, value_enum, default_value_t, help_heading = HEADING)]
    tls: Tls,

    /// Trust the authorities in this PEM file alone, or the server whose certificate it is. The host name
    /// has to be right in either case, and TLS is required
    #[arg(long, value_name = "FILE", conflicts_with = "insecure", help_heading = HEADING)]
    ca: Option<PathBuf>,

    /// Trust whoever answers: anybody could be at the other end. For tests alone
    #[arg(long, help_heading = HEADING)]
    insecure: bool,

    /// Show the dialogue with the server on standard error, secrets masked
    #[arg(short, long, help_heading = HEADING)]
    verbose: bool,

    /// Print results as JSON, one object per line
    #[arg(long, help_heading = HEADING)]
    pub(crate) json: bool,
}

pub(crate) const HEADING: &str = "Client options";

#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum Tls {
    /// If the server offers it, and always with one that was ever seen with it
    #[default]
    Auto,
    /// Always; fails where the server does not offer it
    Required,
    /// Never; fails where the server is named as one with TLS
    Off,
}

/// Takes the lines of a dialogue as they go by.
pub(crate) type Dialogue = Box<dyn FnMut(Line<'_>) + Send>;

impl TalkOptions {
    /// Where results go.
    pub(crate) fn results(&self) -> Results {
        Results::new(self.json)
    }

    /// Connects to `server`, and shows the dialogue if the user wants it.
    pub(crate) async fn connect(&self, server: &ServerAddress) -> anyhow::Result<Connection> {
        self.connect_showing(server, Box::new(output::show_dialogue)).await
    }

    /// Connects to `server`, and shows the dialogue in its own way if the user wants it.
    pub(crate) async fn connect_showing(&self, server: &ServerAddress, show: Dialogue) -> anyhow::Result<Connection> {
        Ok(Connection::connect(server, self.connect_options(show)).await?)
    }

    /// How to connect, for a dialogue that is shown in this way if the user wants it.
    pub(crate) fn connect_options(&self, show: Dialogue) -> ConnectOptions {
        let tls = match self.tls {
            Tls::Auto => TlsMode::Auto,
            Tls::Required => TlsMode::Required,
            Tls::Off => TlsMode::Off,
        };
        let trust = match &self.ca {
            Some(path) => Trust::Authority(path.clone()),
            None if self.insecure => {
                note("note: --insecure: no certificate is checked, so anybody could be at the other end");
                Trust::Anybody
            }
            None => Trust::default(),
        };
        let dialogue = self.verbose.then_some(show);
        ConnectOptions { tls, trust, first_use: Some(Box::new(tell_first_use)), dialogue, ..ConnectOptions::default() }
    }
}

/// The user may compare the fingerprint with what the server's owner says, and is told of no later connection.
fn tell_first_use(server: &ServerAddress, shown: &Fingerprint) {
    note(&format!("note: first time at {server}: trusting its certificate, SHA-256 {shown}"));
}

impl ClientOptions {
    /// Where results go.
    pub(crate) fn results(&self) -> Results {
        self.talk.results()
    }

    /// The server for a command that needs no account.
    pub(crate) fn server(&self) -> ServerAddress {
        self.server.clone().unwrap_or_default()
    }

    /// Connects to `server`, and shows the dialogue in its own way if the user wants it.
    pub(crate) async fn connect_showing(&self, server: &ServerAddress, show: Dialogue) -> anyhow::Result<Connection> {
        self.talk.connect_showing(server, show).await
    }

    /// The account that the command is about, with the server that it is to be used with.
    pub(crate) fn account(&self) -> anyhow::Result<StoredAccount> {
        let accounts = Accounts::load(&accounts_path()?)?;
        let mut account = choose(&accounts, self.account.as_deref(), self.server.as_ref())?.clone();
        if let Some(server) = self.server.as_ref().filter(|server| **server != account.server) {
            // It is asked for mail too.
            (account.server, account.pop3) = (server.clone(), None);
        }
        Ok(account)
    }

    /// The account that the command is about; without `--account`, the sender's if that is one of the user's.
    pub(crate) fn account_of_sender(&self, sender: Option<&str>) -> anyhow::Result<StoredAccount> {
        let accounts = Accounts::load(&accounts_path()?)?;
        let is_held = |sender: &&str| accounts.called(sender).next().is_some();
        let name = self.account.as_deref().or(sender.filter(is_held));
        Self { account: name.map(str::to_owned), ..self.clone() }.account()
    }

    /// Connects to the account's server and logs in.
    pub(crate) async fn log_in(&self, account: &StoredAccount) -> anyhow::Result<Connection> {
        let mut connection = self.talk.connect(&account.server).await?;
        log_in(&mut connection, account).await?;
        Ok(connection)
    }
}

/// Logs in on a connection that stands.
pub(crate) async fn log_in(connection: &mut Connection, account: &StoredAccount) -> anyhow::Result<()> {
    let StoredAccount { server, password, .. } = account;
    let user = account.user();
    connection.login(&user, password).await.with_context(|| cant_log_in(server, &user))
}

/// What failed when a login did.
pub(crate) fn cant_log_in(server: &ServerAddress, user: &str) -> String {
    format!("cannot log in to {server} as {user}")
}

/// A server of POP3, as a URL that says so.
pub(crate) fn pop3_server(text: &str) -> Result<ServerAddress, String> {
    let server: ServerAddress = text.parse().map_err(|error: client::ServerAddressError| error.to_string())?;
    if server.scheme().is_pop3() { Ok(server) } else { Err("write pop3s://HOST or pop3://HOST".to_owned()) }
}

/// The accounts file.
pub(crate) fn accounts_path() -> anyhow::Result<PathBuf> {
    Ok(Accounts::default_path()?)
}

/// Ends a session that has done its work, unless it is over. Should the server fail to say goodbye, the work is done all the
/// same.
pub(crate) async fn hang_up(connection: Connection) {
    if !connection.is_over() {
        hung_up(connection.quit().await);
    }
}

/// Says so if a session that has done its work did not end well.
pub(crate) fn hung_up(ended: Result<(), client::Error>) {
    if let Err(error) = ended {
        note(&format!("all is done, but the session did not end well: {error}"));
    }
}

/// The account by its name or, without one, the first on the server or else on its host, or the default one. A password is
/// for no other host than the one that issued it, unless the user names the account.
fn choose<'a>(
    accounts: &'a Accounts,
    name: Option<&str>,
    server: Option<&ServerAddress>,
) -> Result<&'a StoredAccount, Failure> {
    if let Some(name) = name {
        return find(accounts, name, server);
    }
    let Some(server) = server else {
        let none = || Failure::new(Exit::Config, "you have no account yet: `mymail register` makes one");
        return accounts.default().ok_or_else(none);
    };
    let is_there = |account: &&StoredAccount| account.server == *server;
    let is_on_host = |account: &&StoredAccount| account.server.host().eq_ignore_ascii_case(server.host());
    let list = || accounts.list().iter();
    list().find(is_there).or(list().find(is_on_host)).ok_or_else(|| {
        let cure = format!("`mymail register --server {server}` makes one, `--account` names another");
        Failure::new(Exit::Config, format!("you have no account on {}: {cure}", server.host()))
    })
}

/// The account of that name. Two servers may have given the same one: then `server` decides, or else the first is meant.
fn find<'a>(accounts: &'a Accounts, name: &str, server: Option<&ServerAddress>) -> Result<&'a StoredAccount, Failure> {
    let called: Vec<_> = accounts.called(name).collect();
    let of_server = called.iter().find(|account| Some(&account.server) == server);
    of_server.or(called.first()).copied().ok_or_else(|| no_account(name))
}

/// That a user has no account of a name.
pub(crate) fn no_account(name: &str) -> Failure {
    Failure::new(Exit::Config, format!("you have no account {name}: `mymail accounts` lists those you have"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts() -> Accounts {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("accounts.toml");
        let stored = [("9@m", "a.example:1"), ("bob@m", "a.example:2"), ("bob@m", "b.example:1")];
        for (address, server) in stored.map(|(address, server)| (address.parse().unwrap(), server.parse().unwrap())) {
            let account = StoredAccount::new(address, server, "secret".into());
            Accounts::update(&path, |accounts| accounts.add(account)).unwrap();
        }
        Accounts::load(&path).unwrap()
    }

    #[test]
    fn an_account_without_a_name_is_one_of_the_same_host() {
        let accounts = accounts();
        let chosen = |name: Option<&str>, server: Option<&str>| {
            let server = server.map(|server| server.parse().unwrap());
            let account = choose(&accounts, name, server.as_ref()).map_err(|failure| failure.to_string())?;
            Ok::<_, String>(format!("{} {}", account.address, account.server))
        };
        assert_eq!(chosen(None, None).unwrap(), "9@m a.example:1");
        assert_eq!(chosen(None, Some("a.example:2")).unwrap(), "bob@m a.example:2");
        assert_eq!(chosen(None, Some("A.example:3")).unwrap(), "9@m a.example:1");
        assert!(chosen(None, Some("c.example")).unwrap_err().contains("register --server c.example"));
        assert_eq!(chosen(Some("bob"), Some("b.example:1")).unwrap(), "bob@m b.example:1");
        assert_eq!(chosen(Some("bob"), None).unwrap(), "bob@m a.example:2");
    }
}
