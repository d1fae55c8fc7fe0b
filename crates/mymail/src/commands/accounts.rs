//! `mymail accounts`: the accounts that this user holds.

use client::{Accounts, ServerAddress, StoredAccount};
use serde::Serialize;

use crate::client_options::{HEADING, TalkOptions, accounts_path, no_account};
use crate::exit::{Exit, Failure};
use crate::output::{Results, note};

/// List the accounts you hold, choose the default one, or forget one
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The list says for each account its address and its server, and marks the default one.
Where two servers gave the same address, --server says which is meant.
--remove only forgets the password here; `unregister` in `mymail session` ends the account itself.

Examples:
  mymail accounts
  mymail accounts --default alice@mymailserver
  mymail accounts --remove 9@mymailserver")]
pub(crate) struct Args {
    /// Forget this account and its password
    #[arg(long, value_name = "ADDRESS", conflicts_with = "default")]
    remove: Option<String>,

    /// Use this account when none is named
    #[arg(long, value_name = "ADDRESS")]
    default: Option<String>,

    /// Only accounts of this server
    #[arg(long, value_name = "HOST:PORT", help_heading = HEADING)]
    server: Option<ServerAddress>,

    /// Only accounts with this address or part before the @
    #[arg(long, value_name = "ADDRESS", help_heading = HEADING)]
    account: Option<String>,

    #[command(flatten)]
    talk: TalkOptions,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let server = args.server.as_ref();
    match (&args.remove, &args.default) {
        (Some(name), _) => change(name, server, |accounts, account| accounts.remove(account)),
        (None, Some(name)) => change(name, server, |accounts, account| accounts.set_default(account)),
        (None, None) => {
            let wanted = |account: &StoredAccount| {
                is_of(account, server) && args.account.as_ref().is_none_or(|name| account.is_called(name))
            };
            list(&Accounts::load(&accounts_path()?)?, wanted, args.talk.results())
        }
    }
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
        default: bool,
    }
    if accounts.list().is_empty() {
        note("you have no account yet: `mymail register` makes one");
    }
    for account in accounts.list().iter().filter(|account| wanted(account)) {
        let (address, server) = (account.address.to_string(), account.server.to_string());
        let default = accounts.default() == Some(account);
        let text = format!("{address} {server}{}", if default { " default" } else { "" });
        results.print(&text, &Account { address, server, default })?;
    }
    Ok(Exit::Done)
}

fn is_of(account: &StoredAccount, server: Option<&ServerAddress>) -> bool {
    server.is_none_or(|server| account.server == *server)
}
