//! `mymail admin`: what the operator does while the server runs.
//!
//! The server is found by its data folder, as `serve` finds it. Each group of subcommands is a module.

mod accounts;
mod quota;
mod registration;
mod tokens;

use std::io::{self, ErrorKind};

use anyhow::Context;
use clap::Subcommand;
use serde::Serialize;
use server::admin::Admin;

use super::place::Place;
use crate::exit::Exit;
use crate::output::{Results, cant_print, stdout_for_mail};

/// Look after the accounts of a server while it runs
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "\
For the user that runs the server, and root. The server is the one that runs with this data
folder: --data, or `data` in the configuration, or $XDG_DATA_HOME/mymail, or ~/.local/share/mymail.
NAME is an address, or the part before the @.

Examples:
  mymail admin list
  mymail admin add alice
  mymail admin add bob --password-stdin < password-of-bob
  mymail admin quota alice --size 2GiB
  mymail admin registration hold
  mymail admin token add friends
  mymail admin remove bob --data /var/lib/mymail

Exit codes:
  0 done, 64 usage, 65 wrong input, 67 no such account, 69 the server is not running,
  73 cannot write output, 75 try again later, 76 the server is of another version,
  77 not permitted, or the answer was no, 78 configuration")]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,

    #[command(flatten)]
    place: Place,

    /// Print results as JSON, one object per line
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List all accounts
    ///
    /// For each its address, how much mail it has and may have, when it was last used, and whether it lacks a password.
    List,
    Show(accounts::ShowArgs),
    Add(accounts::AddArgs),
    Remove(accounts::RemoveArgs),
    Quota(quota::Args),
    Password(accounts::PasswordArgs),
    Registration(registration::Args),
    Token(tokens::Args),
}

/// Whom the subcommands ask, and where results go.
struct Desk {
    admin: Admin,
    results: Results,
}

impl Desk {
    /// Prints one of a list. `false`: nobody reads on, as after `| head`.
    fn print_next(&self, text: &str, json: &impl Serialize) -> anyhow::Result<bool> {
        let is_pipe_broken = |error: &io::Error| error.kind() == ErrorKind::BrokenPipe;
        match self.results.print(text, json) {
            Err(error) if error.root_cause().downcast_ref().is_some_and(is_pipe_broken) => Ok(false),
            printed => printed.map(|()| true),
        }
    }
}

/// Fails where nobody would read a secret, which is printed only once. It must not be made then.
fn check_output() -> anyhow::Result<()> {
    stdout_for_mail().map(drop).context(cant_print())
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let desk = Desk { admin: Admin::new(&args.place.folder()?), results: Results::new(args.json) };
    match args.command {
        Command::List => desk.list().await?,
        Command::Show(args) => desk.show(args).await?,
        Command::Add(args) => desk.add(args).await?,
        Command::Remove(args) => desk.remove(args).await?,
        Command::Quota(args) => desk.quota(args).await?,
        Command::Password(args) => desk.change_password(args).await?,
        Command::Registration(args) => desk.registration(args).await?,
        Command::Token(args) => desk.token(args).await?,
    }
    Ok(Exit::Done)
}
