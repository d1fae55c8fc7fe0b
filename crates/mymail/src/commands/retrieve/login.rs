//! Whose mail is retrieved, where, and with which password.

use std::path::Path;

use anyhow::bail;
use client::{Accounts, ServerAddress, ServerUrl, StoredAccount};

use crate::client_options::{ClientOptions, accounts_path, cant_log_in, no_account};
use crate::exit::{Exit, Failure};
use crate::password;

/// Where the mail is, and what opens it.
pub(super) struct Login {
    pub(super) server: ServerAddress,
    pub(super) user: String,
    pub(super) password: String,
}

impl Login {
    /// That of an account.
    pub(super) fn of(account: StoredAccount, password_file: Option<&Path>) -> anyhow::Result<Self> {
        let user = account.user();
        let password = match password_file {
            Some(_) => password::ask(password_file, &user)?,
            None => account.password,
        };
        Ok(Self { server: account.pop3.unwrap_or(account.server), user, password })
    }

    /// That of the user whom a URL names. The password of an account is for its own hosts alone.
    pub(super) fn at(url: ServerUrl, client: &ClientOptions, password_file: Option<&Path>) -> anyhow::Result<Self> {
        let ServerUrl { user, server } = url;
        let accounts = Accounts::load(&accounts_path()?)?;
        let is_meant = |account: &&StoredAccount| {
            let hosts = [Some(&account.server), account.pop3.as_ref()];
            let is_there = hosts.into_iter().flatten().any(|known| known.host().eq_ignore_ascii_case(server.host()));
            let is_users = |user: &String| *user == account.user() || account.is_called(user);
            let is_named = client.account.as_ref().is_none_or(|name| account.is_called(name));
            is_there && is_named && user.as_ref().is_none_or(is_users)
        };
        if let Some(account) = accounts.list().iter().find(is_meant) {
            return Ok(Self { server, ..Self::of(account.clone(), password_file)? });
        }
        if let Some(name) = &client.account {
            let whose = user.map_or_else(String::new, |user| format!(" of {user}"));
            bail!(no_account(&format!("{name}{whose} on {}", server.host())));
        }
        let Some(user) = user else {
            let cure = format!("name its user: {}://USER@{}", server.scheme().name(), server.host());
            bail!(Failure::new(Exit::Config, format!("you have no account on {}: {cure}", server.host())));
        };
        let password = password::ask(password_file, &format!("{user} on {}", server.host()))?;
        Ok(Self { server, user, password })
    }

    pub(super) fn failed(&self) -> String {
        cant_log_in(&self.server, &self.user)
    }
}
