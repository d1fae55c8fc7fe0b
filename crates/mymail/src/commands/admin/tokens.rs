//! Tokens, which let their bearers register.

use anyhow::Context;
use clap::Subcommand;
use serde::Serialize;
use server::admin::{Mode, NewToken, Secret, TokenState};

use super::registration::warn_if_without_tokens;
use super::{Desk, check_output};
use crate::exit::{Exit, Failure};
use crate::output::note;

/// Make, list and take back the tokens that people register with
#[derive(Debug, clap::Args)]
#[command(arg_required_else_help = true)]
#[command(after_help = "\
Whoever has a token registers with `mymail register --token TOKEN`, as often as is liked until it is
taken back. The server keeps no token, only what it recognises one by. Those of the configuration
are not listed.

Examples:
  mymail admin token add friends
  mymail admin token list
  mymail admin token remove friends")]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a token, which is printed alone, and only now
    ///
    /// Where everybody could register, it takes a token from then on.
    Add {
        /// What to call it; without it a name is found
        name: Option<String>,
    },
    /// List the names of the tokens, and when they were made
    List,
    /// Take a token back: nobody can register with it any more
    Remove {
        /// What it is called
        name: String,
    },
}

impl Desk {
    pub(super) async fn token(&self, args: Args) -> anyhow::Result<()> {
        match args.command {
            Command::Add { name } => self.add_token(name).await,
            Command::List => self.list_tokens().await,
            Command::Remove { name } => self.remove_token(name).await,
        }
    }

    async fn add_token(&self, name: Option<String>) -> anyhow::Result<()> {
        #[derive(Serialize)]
        struct Made<'a> {
            name: &'a str,
            token: &'a Secret,
        }
        check_output()?;
        let NewToken { name, token, switched, in_force } = self.admin.add_token(name).await?;
        let printed = self.results.print(token.reveal(), &Made { name: &name, token: &token });
        if printed.is_ok() {
            note(&format!("the token is called {name}, and cannot be shown again"));
        }
        if switched {
            note(
                "everybody could register; from now on it takes a token (`mymail admin registration open` undoes that)",
            );
        }
        if in_force == Mode::Hold {
            note("nobody can register, with a token neither: `mymail admin registration` says why");
        }
        printed.with_context(|| {
            let but = format!(
                "there is a token {name} that nobody was told (`mymail admin token remove {name}` takes it back)"
            );
            Failure::new(Exit::CantCreate, but)
        })
    }

    async fn list_tokens(&self) -> anyhow::Result<()> {
        for token in self.admin.tokens().await? {
            let TokenState { name, made_at } = &token;
            if !self.print_next(&format!("{name} {made_at}"), &token)? {
                break;
            }
        }
        Ok(())
    }

    async fn remove_token(&self, name: String) -> anyhow::Result<()> {
        #[derive(Serialize)]
        struct Removed<'a> {
            name: &'a str,
        }
        let state = self.admin.remove_token(name.clone()).await?;
        self.results.print(&name, &Removed { name: &name })?;
        warn_if_without_tokens(&state);
        Ok(())
    }
}
