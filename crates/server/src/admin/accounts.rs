//! Accounts, by the operator's will.

use proto::sasl::scram::Verifier;
use proto::{Address, LocalPart};
use store::{AccountSummary, Quota, RegisterError, Store};

use super::exchange::Office;
use super::protocol::{
    AccountState, Answer, NewPassword, PAGE_ACCOUNTS_MAX, PASSWORD_CHARACTERS_MIN, PASSWORD_OCTETS_MAX, QuotaChange,
    QuotaState, Removed, Secret,
};
use super::refusal::Refusal;
use crate::clock;
use crate::policy::{new_password, verifier_of};

impl<S: Store> Office<'_, S> {
    /// A page of the accounts.
    pub(super) async fn list(&self, after: Option<String>) -> Result<Vec<Answer>, Refusal> {
        let after = after.map(|name| self.address(&name)).transpose()?.map(|address| address.key());
        let accounts = self.shared.store.accounts(after.as_deref(), PAGE_ACCOUNTS_MAX).await?;
        let end = if accounts.len() < PAGE_ACCOUNTS_MAX { Answer::Done } else { Answer::More };
        Ok(accounts.iter().map(|account| Answer::Account(self.state(account))).chain([end]).collect())
    }

    pub(super) async fn show(&self, name: &str) -> Result<Answer, Refusal> {
        Ok(Answer::Account(self.state(&self.find(name).await?)))
    }

    /// The operator may have the reserved names too.
    pub(super) async fn add(&self, name: &str, password: Option<Secret>) -> Result<Answer, Refusal> {
        let wanted = self.address(name)?;
        let address = Address::new(wanted.local_part().clone(), self.settings.config.hostname.clone());
        if !address.local_part().is_registrable() {
            return Err(Refusal::NameNotAllowed { name: address.local_part().to_string() });
        }
        if address.key() != wanted.key() {
            return Err(Refusal::OtherDomain { address: wanted.to_string(), hostname: address.domain().to_string() });
        }
        if self.settings.aliases.reserves(address.local_part()) {
            return Err(Refusal::Alias { address: address.to_string() });
        }
        let (password, verifier) = self.password(&address, password).await?;
        let registered = self.shared.store.register(&address, Some(&verifier), clock::steady()).await;
        registered.map_err(|error| match error {
            RegisterError::Taken => Refusal::Taken { address: address.to_string() },
            RegisterError::Store(error) => error.into(),
        })?;
        tracing::info!(%address, "the operator has made an account");
        Ok(Answer::Password(NewPassword { address: address.to_string(), password }))
    }

    /// All sessions of the account lose it at once.
    pub(super) async fn remove(&self, name: &str) -> Result<Answer, Refusal> {
        let account = self.find(name).await?.account;
        let address = account.address.to_string();
        if account.address.key() == Address::postmaster(&self.settings.config.hostname).key() {
            return Err(Refusal::Postmaster { address });
        }
        let held_until = clock::after(clock::steady(), self.settings.config.registration.lease);
        self.shared.store.end_account(account.id, held_until).await?;
        self.shared.presence.end(account.id);
        tracing::info!(address, "the operator has removed an account");
        Ok(Answer::Removed(Removed { address }))
    }

    pub(super) async fn change_quota(&self, name: &str, change: QuotaChange) -> Result<Answer, Refusal> {
        let _alone = self.changes.lock().await;
        let mut account = self.find(name).await?;
        account.quota = match change {
            QuotaChange::Set { octets, messages } => {
                if octets.max(messages) > Some(i64::MAX.unsigned_abs()) {
                    return Err(Refusal::QuotaTooLarge);
                }
                Quota { octets: octets.or(account.quota.octets), messages: messages.or(account.quota.messages) }
            }
            QuotaChange::Default => Quota::default(),
        };
        self.shared.store.set_quota(account.account.id, account.quota).await?;
        let Quota { octets, messages } = account.quota;
        tracing::info!(address = %account.account.address, octets, messages, "the operator has set a quota");
        Ok(Answer::Account(self.state(&account)))
    }

    pub(super) async fn change_password(&self, name: &str, password: Option<Secret>) -> Result<Answer, Refusal> {
        let account = self.find(name).await?.account;
        let (password, verifier) = self.password(&account.address, password).await?;
        self.shared.store.set_verifier(account.id, &verifier).await?;
        tracing::info!(address = %account.address, "the operator has set a password");
        Ok(Answer::Password(NewPassword { address: account.address.to_string(), password }))
    }

    /// What is kept of the password that the operator brings, or of a new one, which comes with it.
    async fn password(
        &self,
        address: &Address,
        brought: Option<Secret>,
    ) -> Result<(Option<Secret>, Verifier), Refusal> {
        brought.as_ref().map_or(Ok(()), check)?;
        let key = address.key();
        let derived = self.shared.derivations.run(&key, move || match brought {
            Some(password) => Ok((None, verifier_of(password.reveal())?)),
            None => new_password().map(|(password, verifier)| (Some(Secret::from(password)), verifier)),
        });
        match derived.await {
            Ok(Ok(made)) => return Ok(made),
            Ok(Err(ring::error::Unspecified)) => tracing::error!("there is no randomness for a password"),
            Err(error) => tracing::error!(%error, "cannot make a password"),
        }
        Err(Refusal::Failed)
    }

    async fn find(&self, name: &str) -> Result<AccountSummary, Refusal> {
        let address = self.address(name)?;
        let unknown = || Refusal::NoSuchAccount { address: address.to_string() };
        // Mail for an address with a detail goes to the account without it, but the operator has to mean this one.
        let mailbox = self.shared.store.mailbox(&address).await?.filter(|_| address == address.base());
        let account = self.shared.store.summary(mailbox.ok_or_else(unknown)?.account).await?;
        account.ok_or_else(unknown)
    }

    /// A name is an address, or the local part of one.
    fn address(&self, name: &str) -> Result<Address, Refusal> {
        let of_this_host = |local: LocalPart| Address::new(local, self.settings.config.hostname.clone());
        let address = name.parse().or_else(|_| name.parse().map(of_this_host));
        address.map_err(|_| Refusal::NotAnAddress { name: name.to_owned() })
    }

    fn state(&self, summary: &AccountSummary) -> AccountState {
        let AccountSummary { account, octets, messages, quota } = summary;
        AccountState {
            address: account.address.to_string(),
            messages: *messages,
            octets: *octets,
            quota: QuotaState {
                octets: quota.octets.unwrap_or(self.settings.config.limits.mailbox_size.as_u64()),
                messages: quota.messages.unwrap_or(self.settings.config.limits.mailbox_messages),
                default: *quota == Quota::default(),
            },
            last_use: clock::timestamp(clock::on_the_wall(account.used_at)),
            password: account.verifier.is_some(),
        }
    }
}

/// Whether a password that the operator brings can be used.
pub(super) fn check(password: &Secret) -> Result<(), Refusal> {
    let password = password.reveal();
    if password.chars().count() < PASSWORD_CHARACTERS_MIN {
        return Err(Refusal::PasswordTooShort);
    }
    if password.len() > PASSWORD_OCTETS_MAX {
        return Err(Refusal::PasswordTooLong);
    }
    if password.contains(char::is_control) {
        return Err(Refusal::PasswordNotText);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_that_is_brought_is_long_enough_and_can_be_said() {
        for (password, checked) in [
            ("grüßgott", Ok(())),
            ("secret7", Err(Refusal::PasswordTooShort)),
            ("grüßgot", Err(Refusal::PasswordTooShort)),
            ("new\0line", Err(Refusal::PasswordNotText)),
            ("correct horse battery staple", Ok(())),
            (&"x".repeat(PASSWORD_OCTETS_MAX), Ok(())),
            (&"x".repeat(PASSWORD_OCTETS_MAX + 1), Err(Refusal::PasswordTooLong)),
        ] {
            assert_eq!(check(&password.to_owned().into()), checked, "{password:?}");
        }
    }
}
