//! `mymail register`: an account, and a password that lets it outlive its connection.

use anyhow::Context;
use client::{Accounts, Address, Connection, ServerAddress, StoredAccount};
use serde::Serialize;

use crate::client_options::{HEADING, TalkOptions, accounts_path, hang_up};
use crate::exit::Exit;
use crate::output::{Results, note};

/// Get an address, and keep its password in the accounts file
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without NAME the server gives the number of your connection's socket descriptor: 9@mymailserver.
Only the address is printed, so that scripts can use it.

Examples:
  mymail register
  mymail register alice --server 127.0.0.1:2626
  ADDRESS=$(mymail register)")]
pub(crate) struct Args {
    /// The name before the @ that you want
    name: Option<String>,

    /// The invitation that the server asks for
    #[arg(long)]
    token: Option<String>,

    /// The server; without it, 127.0.0.1:2525
    #[arg(long, value_name = "HOST:PORT", help_heading = HEADING)]
    server: Option<ServerAddress>,

    /// Taken as by every client command, but a new account is none of the old ones
    #[arg(long, value_name = "ADDRESS", hide = true)]
    account: Option<String>,

    #[command(flatten)]
    talk: TalkOptions,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    if let Some(account) = &args.account {
        note(&format!("{account} has no part in this: `register` makes a new account"));
    }
    // An account whose password can't be kept would be lost: better to know before there is one.
    Accounts::load(&accounts_path()?)?;
    let server = args.server.unwrap_or_default();
    let mut connection = args.talk.connect(&server).await?;
    connection.require_private()?;
    let address = connection.register(args.name.as_deref(), args.token.as_deref()).await?;
    let account = match secure(&mut connection, &address, server).await {
        Ok(account) => account,
        Err(error) => return Err(error.context(give_back(connection, &address).await)),
    };
    print(args.talk.results(), &account)?;
    hang_up(connection).await;
    Ok(Exit::Done)
}

/// Gets the password of an account that was just made, and keeps it.
async fn secure(
    connection: &mut Connection,
    address: &Address,
    server: ServerAddress,
) -> anyhow::Result<StoredAccount> {
    let password = connection.issue_password().await.context("it gets no password")?;
    let account = StoredAccount::new(address.clone(), server, password);
    keep(&account).context("its password cannot be kept")?;
    Ok(account)
}

/// Ends an account that nobody could use, and says what became of it. The server holds its address for a while all the same.
async fn give_back(mut connection: Connection, address: &Address) -> String {
    match connection.unregister().await {
        Ok(()) => {
            hang_up(connection).await;
            format!("{address} was given back")
        }
        Err(error) => format!("{address} is of no use, and could not be given back ({error})"),
    }
}

/// Puts the account in the accounts file.
pub(crate) fn keep(account: &StoredAccount) -> anyhow::Result<()> {
    Ok(Accounts::update(&accounts_path()?, |accounts| accounts.add(account.clone()))?)
}

fn print(results: Results, account: &StoredAccount) -> anyhow::Result<()> {
    #[derive(Serialize)]
    struct Registered {
        address: String,
        server: String,
    }
    let (address, server) = (account.address.to_string(), account.server.to_string());
    results.print(&address.clone(), &Registered { address, server })
}
