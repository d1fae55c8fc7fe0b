//! One module per subcommand, each with its `Args` and its `run`.

pub(crate) mod accounts;
pub(crate) mod admin;
pub(crate) mod backup;
pub(crate) mod check;
pub(crate) mod check_config;
pub(crate) mod config_for;
pub(crate) mod demo;
pub(crate) mod export;
pub(crate) mod import;
mod opened;
mod place;
pub(crate) mod register;
pub(crate) mod restore;
pub(crate) mod retrieve;
pub(crate) mod send;
pub(crate) mod sendmail;
pub(crate) mod serve;
pub(crate) mod session;
mod watched;
