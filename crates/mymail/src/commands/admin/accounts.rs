//! Accounts: which there are, more of them or fewer, and their passwords.

use std::io::{self, BufRead, IsTerminal, Read, Write};

use anyhow::Context;
use bytesize::ByteSize;
use server::admin::{AccountState, AdminError, NewPassword, Refusal, Secret};

use super::quota::text_of_quota;
use super::{Desk, check_output};
use crate::exit::{Exit, Failure};
use crate::output::count_of;
use crate::password;
use crate::terminal::harmless;

/// The longest answer to a question, in octets.
const ANSWER_OCTETS_MAX: u64 = 100;

/// Show one account
#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// Its address, or the part before the @
    name: String,
}

/// Make an account with a password, which is printed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The password is printed alone, and nobody can be told it again. With --password-stdin the address
is printed. Names that nobody may register, such as abuse, can be made here.

Examples:
  mymail admin add alice
  PASSWORD=$(mymail admin add alice)
  mymail admin add abuse --password-stdin < password")]
pub(super) struct AddArgs {
    /// Its address, or the part before the @
    name: String,

    /// Take the password from standard input instead of making one: its first line, or what is typed
    #[arg(long)]
    password_stdin: bool,
}

/// End an account and delete its mail
#[derive(Debug, clap::Args)]
#[command(after_help = "\
All its sessions lose it at once. Its address is given to nobody for as long as a lease lasts.

Example:
  mymail admin remove alice --yes")]
pub(super) struct RemoveArgs {
    /// Its address, or the part before the @
    name: String,

    /// Do not ask first; needed where there is no terminal to ask on
    #[arg(long)]
    yes: bool,
}

/// Give an account another password, which is printed
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The password is printed alone, and nobody can be told it again. With --password-stdin the address
is printed. Sessions that are logged in stay so. With a password the mail to postmaster can be read.

Examples:
  mymail admin password alice
  mymail admin password postmaster --password-stdin < password")]
pub(super) struct PasswordArgs {
    /// Its address, or the part before the @
    name: String,

    /// Take the password from standard input instead of making one: its first line, or what is typed
    #[arg(long)]
    password_stdin: bool,
}

impl Desk {
    pub(super) async fn list(&self) -> anyhow::Result<()> {
        let mut after = None;
        loop {
            let page = self.admin.accounts(after).await?;
            for account in &page.accounts {
                if !self.print_next(&line_of(account), account)? {
                    return Ok(());
                }
            }
            after = page.accounts.last().map(|account| account.address.clone()).filter(|_| page.more);
            if after.is_none() {
                return Ok(());
            }
        }
    }

    pub(super) async fn show(&self, args: ShowArgs) -> anyhow::Result<()> {
        let account = self.admin.account(args.name).await?;
        self.results.print(&text_of(&account), &account)
    }

    pub(super) async fn add(&self, args: AddArgs) -> anyhow::Result<()> {
        let password = brought(args.password_stdin, &args.name)?;
        self.print(&self.admin.add(args.name, password).await?)
    }

    pub(super) async fn remove(&self, args: RemoveArgs) -> anyhow::Result<()> {
        if !args.yes {
            self.ask_about(&args.name).await?;
        }
        let removed = self.admin.remove(args.name).await?;
        self.results.print(&removed.address, &removed)
    }

    /// Fails unless the user wants this account removed.
    async fn ask_about(&self, name: &str) -> anyhow::Result<()> {
        if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            let message = "there is no terminal to ask on whether the account shall go: say --yes";
            return Err(Failure::new(Exit::Usage, message).into());
        }
        let AccountState { address, messages, .. } = self.admin.account(name.to_owned()).await?;
        if is_postmaster(&address) {
            return Err(AdminError::Refused(Refusal::Postmaster { address }).into());
        }
        let question = format!("Remove {address} with its {}? [y/N] ", count_of(messages, "message"));
        let answer = ask(&question).context("cannot ask")?;
        if ["y", "yes"].iter().any(|yes| answer.trim().eq_ignore_ascii_case(yes)) {
            return Ok(());
        }
        Err(Failure::new(Exit::NoPermission, format!("{address} stays")).into())
    }

    pub(super) async fn change_password(&self, args: PasswordArgs) -> anyhow::Result<()> {
        let password = brought(args.password_stdin, &args.name)?;
        self.print(&self.admin.change_password(args.name, password).await?)
    }

    /// The password alone, or the address if the user knows the password already.
    fn print(&self, new: &NewPassword) -> anyhow::Result<()> {
        let NewPassword { address, password } = new;
        let printed = self.results.print(password.as_ref().map_or(address.as_str(), Secret::reveal), new);
        printed.with_context(|| {
            let but = match password {
                Some(_) => format!(
                    "{address} has a password that nobody was told (`mymail admin password {address}` gives it another)"
                ),
                None => format!("{address} has the password, but that could not be said"),
            };
            Failure::new(Exit::CantCreate, but)
        })
    }
}

/// The password that the user brings; without one there will be one to show.
fn brought(from_standard_input: bool, whose: &str) -> anyhow::Result<Option<Secret>> {
    if from_standard_input {
        return Ok(Some(password::ask_for_new(whose)?.into()));
    }
    check_output()?;
    Ok(None)
}

/// Whether the server refuses to remove it: there is no need to ask then.
fn is_postmaster(address: &str) -> bool {
    address.split_once('@').is_some_and(|(name, _)| name.eq_ignore_ascii_case("postmaster"))
}

fn ask(question: &str) -> io::Result<String> {
    write!(io::stderr(), "{}", harmless(question))?;
    let mut answer = String::new();
    io::stdin().lock().take(ANSWER_OCTETS_MAX).read_line(&mut answer)?;
    if !answer.ends_with('\n') {
        // Ctrl-D leaves the cursor behind the question.
        writeln!(io::stderr())?;
    }
    Ok(answer)
}

fn line_of(account: &AccountState) -> String {
    let AccountState { address, messages, octets, quota, last_use, password } = account;
    let (size, quota) = (ByteSize::b(*octets), text_of_quota(quota));
    let lacks = if *password { "" } else { ", no password" };
    format!("{address} {}, {size} (quota: {quota}), last use {last_use}{lacks}", count_of(*messages, "message"))
}

fn text_of(account: &AccountState) -> String {
    let AccountState { address, messages, octets, quota, last_use, password } = account;
    let (size, quota) = (ByteSize::b(*octets), text_of_quota(quota));
    let password = if *password { "yes" } else { "no" };
    format!(
        "address: {address}\nmessages: {messages}\nsize: {size}\nquota: {quota}\nlast use: {last_use}\npassword: {password}"
    )
}
