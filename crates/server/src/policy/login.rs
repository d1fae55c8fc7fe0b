//! Who may log in: SASL's questions, answered alike for SMTP and POP3.
//!
//! A login that fails says the same, does the same work and takes the same time whether the account exists or not, and a peer and
//! an account have only so many of them.

use std::time::Duration;

use proto::Address;
use proto::pop3::{Response, responses};
use proto::sasl::plain::Credentials;
use proto::sasl::server::{Attempt, Secret};
use proto::smtp::{Reply, replies};
use store::{Account, Store, StoreError};
use tokio::time::{Instant, sleep_until};

use super::{Client, log_failure, password};
use crate::clock;

/// When a failed login is answered, counted from its last message: later than any work that could tell what was wrong with it.
const FAILED_LOGIN_TIME: Duration = Duration::from_millis(500);

/// How much of a user name that can't be one is kept to count it by.
const KEY_CHARACTERS_MAX: usize = 64;

/// Why a login was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoginRefused {
    /// It is not proved who the client is.
    Credentials,
    /// The peer, or those who want into this account, have failed too often.
    TooManyFailures,
    /// It can't be found out now.
    NotNow,
}

impl From<LoginRefused> for Reply {
    fn from(refused: LoginRefused) -> Self {
        match refused {
            LoginRefused::Credentials => replies::BAD_CREDENTIALS,
            LoginRefused::TooManyFailures => replies::TOO_MANY_FAILED_LOGINS,
            LoginRefused::NotNow => replies::STORE_FAILED,
        }
    }
}

impl From<LoginRefused> for Response {
    fn from(refused: LoginRefused) -> Self {
        match refused {
            LoginRefused::Credentials => responses::BAD_CREDENTIALS,
            LoginRefused::TooManyFailures => responses::TOO_MANY_FAILED_LOGINS,
            LoginRefused::NotNow => responses::STORE_FAILED,
        }
    }
}

impl From<StoreError> for LoginRefused {
    fn from(error: StoreError) -> Self {
        log_failure(&error, "cannot look up an account");
        Self::NotNow
    }
}

impl<S: Store> Client<S> {
    /// What is kept of a user's password?
    pub(crate) async fn look_up(&self, user: &str) -> Result<Secret, LoginRefused> {
        self.may_try(user)?;
        let account = self.find(user).await?;
        let verifier = account.and_then(|account| account.verifier);
        let verifier = verifier.unwrap_or_else(|| self.shared.decoy(&self.key(user)));
        // Like a password it must not be foretold, and has no comma in it.
        let nonce = password::generate().map_err(|_| LoginRefused::NotNow)?;
        Ok(Secret { verifier, nonce })
    }

    /// Is the client who it says?
    pub(crate) async fn authenticate(&mut self, attempt: &Attempt) -> Result<(), LoginRefused> {
        let answer_failure_at = Instant::now() + FAILED_LOGIN_TIME;
        let user = attempt.user();
        self.may_try(user)?;
        let account = self.find(user).await?;
        let Some(account) = self.proved(account, attempt).await? else {
            // Of many that are tried at once, those that are too many hear nothing of what they have guessed.
            let refused = match self.shared.failures.count(self.peer, self.key(user)) {
                true => LoginRefused::Credentials,
                false => LoginRefused::TooManyFailures,
            };
            tracing::info!(peer = %self.peer, protocol = %self.listen().protocol, "a login failed");
            sleep_until(answer_failure_at).await;
            return Err(refused);
        };
        self.may_try(user)?;
        self.bind(account.id, account.address.clone(), true);
        // Whose session is bound loses its account with all others when that ends; it may have ended just before.
        if let Err(refused) = self.is_unchanged(&account).await {
            self.identity = None;
            return Err(refused);
        }
        // A store that takes no writes can still be read from.
        if let Err(error) = self.shared.touch(&[account.id], clock::steady()).await {
            log_failure(&error, "cannot note that an account is in use");
        }
        tracing::info!(peer = %self.peer, protocol = %self.listen().protocol, address = %account.address, "logged in");
        Ok(())
    }

    /// Whether the account is there, and has the same password as when it was looked up.
    async fn is_unchanged(&self, account: &Account) -> Result<(), LoginRefused> {
        match self.shared.store.account(account.id).await? {
            Some(found) if found.verifier == account.verifier => Ok(()),
            _ => Err(LoginRefused::Credentials),
        }
    }

    fn may_try(&self, user: &str) -> Result<(), LoginRefused> {
        if self.shared.failures.are_too_many(self.peer, &self.key(user)) {
            tracing::info!(peer = %self.peer, protocol = %self.listen().protocol, "a login was refused: too many have failed");
            return Err(LoginRefused::TooManyFailures);
        }
        Ok(())
    }

    /// The account, if it is proved to be the client's.
    async fn proved(&self, account: Option<Account>, attempt: &Attempt) -> Result<Option<Account>, LoginRefused> {
        let account = account.filter(|account| account.verifier.is_some());
        let is_proved = match attempt {
            Attempt::Password(credentials) => self.is_password(account.as_ref(), credentials).await?,
            Attempt::Proof { verifier, is_valid, .. } => {
                *is_valid && account.as_ref().and_then(|account| account.verifier.as_ref()) == Some(verifier)
            }
        };
        Ok(account.filter(|_| is_proved))
    }

    /// Where there is no account, or it has no password, the same work is done for nothing.
    async fn is_password(&self, account: Option<&Account>, credentials: &Credentials) -> Result<bool, LoginRefused> {
        let verifier = account.and_then(|account| account.verifier.clone());
        let verifier = verifier.unwrap_or_else(|| self.shared.decoy(&self.key(&credentials.user)));
        let password = credentials.password.clone();
        let account = self.key(&credentials.user);
        let accepted = self.shared.derivations.run(&account, move || verifier.accepts(&password));
        accepted.await.map_err(|error| {
            tracing::error!(%error, "cannot check a password");
            LoginRefused::NotNow
        })
    }

    /// The account of a user name.
    async fn find(&self, user: &str) -> Result<Option<Account>, StoreError> {
        let Some(address) = self.address(user) else { return Ok(None) };
        match self.shared.store.mailbox(&address).await? {
            Some(mailbox) => self.shared.store.account(mailbox.account).await,
            None => Ok(None),
        }
    }

    /// What a user name is counted by, whether there is such a user or not.
    fn key(&self, user: &str) -> String {
        self.address(user).map_or_else(|| user.chars().take(KEY_CHARACTERS_MAX).collect(), |address| address.key())
    }

    /// A user name is an address, or the local part of one.
    fn address(&self, user: &str) -> Option<Address> {
        let domain = &self.settings.config.hostname;
        user.parse().ok().or_else(|| Some(Address::new(user.parse().ok()?, domain.clone())))
    }
}
