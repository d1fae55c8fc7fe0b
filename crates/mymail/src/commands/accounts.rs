//! `mymail accounts`: the accounts that this user holds.

use std::path::PathBuf;

use client::{Accounts, Address, KnownServers, ServerAddress, StoredAccount};
use serde::Serialize;

use super::register::keep;
use crate::client_options::{HEADING, TalkOptions, accounts_path, no_account, pop3_server};
use crate::exit::{Exit, Failure};
use crate::output::{Results, note};
use crate::password;

/// List the accounts you hold, choose the default one, add or forget one
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The list says for each account its address and its server, and marks the default one.
Where two servers gave the same address, --server says which is meant.
--add keeps an account that you have on another mail system; its password is asked for. It takes
the place of one with the same address and server.
--remove only forgets the password here; `unregister` in `mymail session` ends the account itself.
--forget-server is for a server that has a new certificate indeed: what it shows next is trusted.

Examples:
  mymail accounts
  mymail accounts --default alice@mymailserver
  mymail accounts --add alice@example.org --server smtps://example.org --pop3 pop3s://example.org
  mymail accounts --remove 9@mymailserver
  mymail accounts --forget-server 127.0.0.1:2525")]
pub(crate) struct Args {
    /// Keep an account of another mail system; --server says where it sends
    #[arg(long, value_name = "ADDRESS", requires = "server", group = "deed")]
    add: Option<Address>,

    /// Where the added account retrieves its mail: pop3s://HOST or pop3://HOST
    #[arg(long, value_name = "URL", requires = "add", value_parser = pop3_server)]
    pop3: Option<ServerAddress>,

    /// The added account's user name, if that is not the address
    #[arg(long, value_name = "NAME", requires = "add")]
    user: Option<String>,

    /// The added account's password is the first line of this file; - is standard input
    #[arg(long, value_name = "FILE", requires = "add")]
    password_file: Option<PathBuf>,

    /// Forget this account and its password
    #[arg(long, value_name = "ADDRESS", group = "deed")]
    remove: Option<String>,

    /// Forget the certificate of this server
    #[arg(long, value_name = "HOST:PORT", group = "deed")]
    forget_server: Option<ServerAddress>,

    /// Use this account when none is named
    #[arg(long, value_name = "ADDRESS", group = "deed")]
    default: Option<String>,

    /// Only accounts of this server; or that of the added account, such as smtps://HOST or HOST:587
    #[arg(long, value_name = "SERVER", help_heading = HEADING)]
    server: Option<ServerAddress>,

    /// Only accounts with this address or part before the @
    #[arg(long, value_name = "ADDRESS", help_heading = HEADING)]
    account: Option<String>,

    #[command(flatten)]
    talk: TalkOptions,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let server = args.server.as_ref();
    // At most one of them is there.
    match (&args.add, &args.remove, &args.default, &args.forget_server) {
        (Some(address), ..) => add(address, &args),
        (_, Some(name), ..) => change(name, server, |accounts, account| accounts.remove(account)),
        (_, _, Some(name), _) => change(name, server, |accounts, account| accounts.set_default(account)),
        (_, _, _, Some(server)) => forget_server(server),
        (None, None, None, None) => {
            let wanted = |account: &StoredAccount| {
                is_of(account, server) && args.account.as_ref().is_none_or(|name| account.is_called(name))
            };
            list(&Accounts::load(&accounts_path()?)?, wanted, args.talk.results())
        }
    }
}

fn add(address: &Address, args: &Args) -> anyhow::Result<Exit> {
    let server = args.server.clone().unwrap_or_default();
    if server.scheme().is_pop3() {
        let cure = format!("--pop3 {server}, and --server for the one that takes mail");
        return Err(Failure::new(Exit::Usage, format!("{server} only hands out mail: write {cure}")).into());
    }
    // Not asked for if it could not be kept.
    Accounts::load(&accounts_path()?)?;
    let password = password::ask(args.password_file.as_deref(), &address.to_string())?;
    let (pop3, user) = (args.pop3.clone(), args.user.clone());
    keep(&StoredAccount { pop3, user, ..StoredAccount::new(address.clone(), server, password) })?;
    Ok(Exit::Done)
}

fn forget_server(server: &ServerAddress) -> anyhow::Result<Exit> {
    if KnownServers::forget(&KnownServers::default_path()?, server)? {
        return Ok(Exit::Done);
    }
    Err(Failure::new(Exit::Config, format!("no certificate of {server} is known")).into())
}

fn change(
    name: &str,
    server: Option<&ServerAddress>,
    change: impl FnOnce(&mut Accounts, &StoredAccount) -> bool,
) -> anyhow::Result<Exit> {
    Accounts::update(&accounts_path()?, |accounts| {
        let account = the_one(accounts, name, server)?.clone();
        change(accounts, &account);
        Ok(Exit::Done)
    })?
}

/// The only account of that name, on `server` if one is given. What is forgotten or chosen must not be a guess.
fn the_one<'a>(
    accounts: &'a Accounts,
    name: &str,
    server: Option<&ServerAddress>,
) -> Result<&'a StoredAccount, Failure> {
    let called: Vec<_> = accounts.called(name).filter(|account| is_of(account, server)).collect();
    match (called.as_slice(), server) {
        ([account], _) => Ok(account),
        ([], None) => Err(no_account(name)),
        ([], Some(server)) => Err(no_account(&format!("{name} on {server}"))),
        (several, _) => {
            let servers: Vec<_> = several.iter().map(|account| format!("--server {}", account.server)).collect();
            let message = format!("you have several accounts {name}: say which with {}", servers.join(" or "));
            Err(Failure::new(Exit::Config, message))
        }
    }
}

fn list(accounts: &Accounts, wanted: impl Fn(&StoredAccount) -> bool, results: Results) -> anyhow::Result<Exit> {
    #[derive(Serialize)]
    struct Account {
        address: String,
        server: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        pop3: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<String>,
        default: bool,
    }
    if accounts.list().is_empty() {
        note("you have no account yet: `mymail register` makes one");
    }
    for account in accounts.list().iter().filter(|account| wanted(account)) {
        let (address, server) = (account.address.to_string(), account.server.to_string());
        let default = accounts.default() == Some(account);
        let (pop3, user) = (account.pop3.as_ref().map(ToString::to_string), account.user.clone());
        let words = [Some(&*address), Some(&*server), pop3.as_deref(), default.then_some("default")];
        let text = words.into_iter().flatten().collect::<Vec<_>>().join(" ");
        results.print(&text, &Account { address, server, pop3, user, default })?;
    }
    Ok(Exit::Done)
}

fn is_of(account: &StoredAccount, server: Option<&ServerAddress>) -> bool {
    server.is_none_or(|server| account.server == *server)
}
