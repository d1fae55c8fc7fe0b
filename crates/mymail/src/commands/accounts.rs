//! `mymail accounts`: the accounts that this user holds.

use client::{Accounts, ServerAddress, StoredAccount};
use serde::Serialize;

use crate::client_options::{ClientOptions, accounts_path, find};
use crate::exit::Exit;
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

    #[command(flatten)]
    client: ClientOptions,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let server = args.client.server.as_ref();
    match (&args.remove, &args.default) {
        (Some(name), _) => change(name, server, |accounts, account| accounts.remove(account)),
        (None, Some(name)) => change(name, server, |accounts, account| accounts.set_default(account)),
        (None, None) => list(&Accounts::load(&accounts_path()?)?, args.client.results()),
    }
}

fn change(
    name: &str,
    server: Option<&ServerAddress>,
    change: impl FnOnce(&mut Accounts, &StoredAccount) -> bool,
) -> anyhow::Result<Exit> {
    Accounts::update(&accounts_path()?, |accounts| {
        let account = find(accounts, name, server)?.clone();
        change(accounts, &account);
        Ok(Exit::Done)
    })?
}

fn list(accounts: &Accounts, results: Results) -> anyhow::Result<Exit> {
    #[derive(Serialize)]
    struct Account {
        address: String,
        server: String,
        default: bool,
    }
    if accounts.list().is_empty() {
        note("you have no account yet: `mymail register` makes one");
    }
    for account in accounts.list() {
        let (address, server) = (account.address.to_string(), account.server.to_string());
        let default = accounts.default() == Some(account);
        let text = format!("{address} {server}{}", if default { " default" } else { "" });
        results.print(&text, &Account { address, server, default })?;
    }
    Ok(Exit::Done)
}
