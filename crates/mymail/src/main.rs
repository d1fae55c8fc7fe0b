//! The `mymail` command line: server and client in one binary.
//!
//! Here is what can be typed; each subcommand is a module of [`commands`]. Results go to standard output, all else to
//! standard error, and the exit code says how it went (`exit`).

mod attachment;
mod client_options;
mod commands;
mod compose;
mod destination;
mod editor;
mod exit;
mod interrupt;
mod lines;
mod log;
mod media_type;
mod output;
mod password;
mod progress;
mod recipients;
mod runtime;
mod terminal;
mod throwaway;

use std::env;
use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use exit::Exit;
use runtime::block_on;

/// A complete mail system: server and client
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "\
Examples:
  mymail demo                            see it work
  mymail serve                           run a server for this computer
  mymail register                        get an address
  mymail send 10@mymailserver -s Hello   write to somebody
  mymail retrieve                        read what others wrote

Exit codes:
  0 done, 64 usage, 65 wrong input, 67 a recipient was refused or there is no such account,
  69 server unreachable, 73 cannot write output, 75 try again later, 76 the server broke the
  protocol, 77 not permitted, 78 configuration")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(commands::serve::Args),
    Admin(commands::admin::Args),
    Backup(commands::backup::Args),
    Restore(commands::restore::Args),
    Export(commands::export::Args),
    Import(commands::import::Args),
    Check(commands::check::Args),
    CheckConfig(commands::check_config::Args),
    Demo(commands::demo::Args),
    Register(commands::register::Args),
    Send(commands::send::Args),
    Sendmail(commands::sendmail::Args),
    Retrieve(commands::retrieve::Args),
    Session(commands::session::Args),
    Accounts(commands::accounts::Args),
    ConfigFor(commands::config_for::Args),
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse_from(arguments(env::args_os())) {
        Ok(cli) => cli,
        Err(error) => return explain(&error).into(),
    };
    run(cli.command)
        .unwrap_or_else(|error| {
            output::report(&error);
            Exit::of_error(&error)
        })
        .into()
}

/// What was typed. Started under the name `sendmail`, the program is that subcommand.
fn arguments(typed: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = typed.into_iter().collect();
    if arguments.first().is_some_and(|program| commands::sendmail::is_name_of(program)) {
        arguments.splice(..1, ["mymail".into(), "sendmail".into()]);
    }
    arguments
}

fn run(command: Command) -> anyhow::Result<Exit> {
    match command {
        // What it gives up is given up by all threads, for there is only one yet.
        Command::Serve(args) => commands::serve::run(args),
        Command::Admin(args) => block_on(commands::admin::run(args)),
        Command::Backup(args) => block_on(commands::backup::run(args)),
        Command::Restore(args) => block_on(commands::restore::run(args)),
        Command::Export(args) => block_on(commands::export::run(args)),
        Command::Import(args) => block_on(commands::import::run(args)),
        Command::Check(args) => block_on(commands::check::run(args)),
        Command::CheckConfig(args) => block_on(commands::check_config::run(args)),
        Command::Demo(args) => block_on(commands::demo::run(args)),
        Command::Register(args) => block_on(commands::register::run(args)),
        Command::Send(args) => block_on(commands::send::run(args)),
        Command::Sendmail(args) => block_on(commands::sendmail::run(args)),
        Command::Retrieve(args) => block_on(commands::retrieve::run(args)),
        Command::Session(args) => block_on(commands::session::run(args)),
        Command::Accounts(args) => block_on(commands::accounts::run(args)),
        Command::ConfigFor(args) => block_on(commands::config_for::run(args)),
    }
}

/// Prints what clap has to say: help and version are results, all else is a usage error.
fn explain(error: &clap::Error) -> Exit {
    match error.print() {
        Err(_) => Exit::CantCreate,
        Ok(()) if error.use_stderr() => Exit::Usage,
        Ok(()) => Exit::Done,
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_makes_sense() {
        super::Cli::command().debug_assert();
    }
}
