//! `mymail register`: an account, and a password that lets it outlive its connection.

use anyhow::Context;
use client::{Accounts, Address, Connection, StoredAccount};
use serde::Serialize;

use crate::client_options::{ClientOptions, accounts_path, hang_up};
use crate::exit::Exit;
use crate::output::Results;

/// Get an address, and keep its password in the accounts file
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Without NAME the server gives the number of your connection's socket descriptor: 9@mymailserver.
Only the address is printed, so that scripts can use it.

Examples:
  mymail register
  mymail register alice --server mail.example:2525
  ADDRESS=$(mymail register)")]
pub(crate) struct Args {
    /// The name before the @ that you want
    name: Option<String>,

    /// The invitation that the server asks for
    #[arg(long)]
    token: Option<String>,

    #[command(flatten)]
    client: ClientOptions,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    // An account whose password can't be kept would be lost: better to know before there is one.
    Accounts::load(&accounts_path()?)?;
    let server = args.client.server();
    let mut connection = args.client.connect(&server).await?;
    let address = connection.register(args.name.as_deref(), args.token.as_deref()).await?;
    let password = issue_password(&mut connection, &address).await?;
    let account = StoredAccount { address: address.clone(), server, password };
    if let Err(error) = keep(&account) {
        connection.unregister().await?;
        return Err(error.context("the account was given back, because its password could not be kept"));
    }
    print(args.client.results(), &account)?;
    hang_up(connection).await;
    Ok(Exit::Done)
}

/// Asks for the password of an account that was just made.
pub(crate) async fn issue_password(connection: &mut Connection, address: &Address) -> anyhow::Result<String> {
    let issued = connection.issue_password().await;
    issued.with_context(|| format!("{address} gets no password, so it ends with this connection"))
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
