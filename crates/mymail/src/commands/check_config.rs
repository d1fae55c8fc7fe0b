//! `mymail check-config`: says what is wrong with a configuration, or prints it resolved.

use std::io::Write;
use std::path::PathBuf;

use anyhow::Context;
use server::Config;

use super::serve::data_folder;
use crate::exit::{Exit, Failure};
use crate::output;

/// Read a configuration and say what is wrong with it or the files that it names, or print it with all defaults
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Of registration.tokens it prints only how many there are, and *** for the password in store.url.
It connects to no database.

Example:
  mymail check-config /etc/mymail.toml")]
pub(crate) struct Args {
    /// The configuration file
    file: PathBuf,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let mut config = Config::read(&args.file).map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    config.check_aliases().map_err(|error| Failure::new(Exit::Config, format!("{}, {error}", args.file.display())))?;
    config.check_certificate().map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    config.check_database().map_err(|error| Failure::new(Exit::Config, error.to_string()))?;
    config.data = Some(data_folder(&config)?);
    let resolved = config.resolved().context("cannot print the configuration")?;
    output::stdout().and_then(|mut stdout| stdout.write_all(resolved.as_bytes())).context(output::cant_print())?;
    Ok(Exit::Done)
}
