//! Who may have an address and a password.

use std::os::fd::BorrowedFd;
use std::time::Instant;

use proto::sasl::scram::{self, Verifier};
use proto::smtp::server::{IssuePassword, Issued, Register};
use proto::smtp::{Reply, replies};
use proto::{Address, Domain, LocalPart};
use store::{AccountId, RegisterError, RegistrationMode, Store, StoreError};

use super::{Client, Identity, password, store_refusal};
use crate::clock;
use crate::descriptors::NumberError;
use crate::peers::Peer;
use crate::tally::Share;

/// How often one session may register, unregister and register again: each time holds an address from everybody for a lease.
const REGISTRATIONS_PER_SESSION_MAX: usize = 10;
/// Names that nobody may have: mail systems speak by them (RFC 2142).
const RESERVED_NAMES: [&str; 4] = ["postmaster", "mailer-daemon", "abuse", "root"];

impl<S: Store> Client<S> {
    /// May the client have an address? `socket` is its connection.
    pub(crate) async fn register(&mut self, wish: &Register, socket: BorrowedFd<'_>) -> Result<Address, Reply> {
        self.may_register(wish.token.as_deref()).await?;
        let name = wish.name.as_ref().map(|name| self.allowed_name(name)).transpose()?;
        if self.registrations == REGISTRATIONS_PER_SESSION_MAX || !self.may_register_again() {
            return Err(replies::REGISTERS_TOO_OFTEN);
        }
        let (account, address) = match name {
            Some(address) => (self.register_name(&address).await?, address),
            None => self.register_number(socket).await?,
        };
        self.registrations += 1;
        tracing::info!(peer = %self.peer, %address, "registered");
        self.bind(account, address.clone(), false);
        // The operator may have ended it just before: nobody had told this session.
        match self.shared.store.account(account).await {
            Ok(Some(_)) => Ok(address),
            outcome => {
                self.leave().await;
                Err(outcome.map_or_else(|error| store_refusal(&error), |_| replies::STORE_FAILED))
            }
        }
    }

    /// Counts a registration. Whether its peer has had its share.
    fn may_register_again(&self) -> bool {
        let per_hour = self.settings.config.registration.per_peer_per_hour;
        let share = self.shared.registrations.take(Peer::from(self.peer), per_hour, Instant::now());
        if share == Share::JustUsed {
            tracing::warn!(peer = %self.peer, per_hour, "it registers more often than registration.per_peer_per_hour: refused");
        }
        share == Share::Left
    }

    /// As it is configured, and as the operator has set it since.
    async fn may_register(&self, token: Option<&str>) -> Result<(), Reply> {
        let (registration, store) = (&self.settings.config.registration, &self.shared.store);
        let mode = store.registration_mode().await.map_err(|error| store_refusal(&error))?;
        if !registration.open || mode == RegistrationMode::Held {
            return Err(replies::REGISTRATION_CLOSED);
        }
        if registration.tokens.is_empty() && mode == RegistrationMode::Configured {
            return Ok(());
        }
        let Some(token) = token else { return Err(replies::BAD_TOKEN) };
        let configured = registration.tokens.iter().map(|token| digest(token));
        let made = store.tokens().await.map_err(|error| store_refusal(&error))?;
        let valid: Vec<Digest> = configured.chain(made.into_iter().map(|token| token.digest)).collect();
        if is_one_of(&digest(token), &valid) { Ok(()) } else { Err(replies::BAD_TOKEN) }
    }

    fn allowed_name(&self, name: &LocalPart) -> Result<Address, Reply> {
        if !self.settings.config.registration.names {
            return Err(replies::NO_NAMES);
        }
        if !name.is_registrable() {
            return Err(replies::NAME_NOT_ALLOWED);
        }
        let is_reserved = RESERVED_NAMES.iter().any(|reserved| name.as_str().eq_ignore_ascii_case(reserved));
        if is_reserved || self.settings.aliases.reserves(name) {
            return Err(replies::NAME_RESERVED);
        }
        Ok(Address::new(name.clone(), self.settings.config.hostname.clone()))
    }

    async fn register_name(&self, address: &Address) -> Result<AccountId, Reply> {
        self.shared.store.register(address, None, clock::steady()).await.map_err(|error| match error {
            RegisterError::Taken => replies::NAME_TAKEN,
            RegisterError::Store(error) => store_refusal(&error),
        })
    }

    async fn register_number(&mut self, socket: BorrowedFd<'_>) -> Result<(AccountId, Address), Reply> {
        let domain = &self.settings.config.hostname;
        let registered = self.descriptors.register(socket, domain, &self.shared.store, clock::steady()).await;
        registered.map_err(|error| match error {
            NumberError::Store(error) => store_refusal(&error),
            NumberError::NoneLeft | NumberError::Descriptor(_) => {
                tracing::warn!(peer = %self.peer, %error, "a client got no number");
                replies::NO_NUMBER_LEFT
            }
        })
    }

    pub(super) fn bind(&mut self, account: AccountId, address: Address, authenticated: bool) {
        let bond = self.shared.presence.bind(account);
        self.identity = Some(Box::new(Identity { account, address, bond, authenticated }));
    }

    /// May the client's account have a password?
    pub(crate) async fn issue_password(&mut self, wish: &mut IssuePassword) -> Result<Issued, Reply> {
        let Identity { account, address, .. } = self.identity().ok_or(replies::REGISTER_FIRST)?;
        let (account, key) = (*account, address.key());
        let (issued, verifier) = match wish.verifier.take() {
            Some(verifier) => (Issued::Kept, verifier),
            None => {
                let (password, verifier) = self.make_password(&key).await?;
                (Issued::Password(password), verifier)
            }
        };
        self.shared.store.set_verifier(account, &verifier).await.map_err(|error| store_refusal(&error))?;
        Ok(issued)
    }

    async fn make_password(&self, account: &str) -> Result<(String, Verifier), Reply> {
        match self.shared.derivations.run(account, new_password).await {
            Ok(Ok(made)) => return Ok(made),
            Ok(Err(_)) => tracing::error!("there is no randomness for a password"),
            Err(error) => tracing::error!(%error, "cannot make a password"),
        }
        Err(replies::STORE_FAILED)
    }

    /// Shall the client's account go?
    pub(crate) async fn unregister(&mut self) -> Result<(), Reply> {
        let account = self.identity().ok_or(replies::REGISTER_FIRST)?.account;
        let held_until = clock::after(clock::steady(), self.settings.config.registration.lease);
        self.shared.store.end_account(account, held_until).await.map_err(|error| store_refusal(&error))?;
        if let Some(identity) = self.identity.take() {
            identity.bond.end();
            self.descriptors.release();
            tracing::info!(peer = %self.peer, address = %identity.address, "unregistered");
        }
        Ok(())
    }
}

/// A token's digest (SHA-256).
type Digest = [u8; 32];

/// What is kept of a token, and compared.
pub(crate) fn digest(token: &str) -> Digest {
    let mut digest = Digest::default();
    digest.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, token.as_bytes()).as_ref());
    digest
}

/// Compares with every token, in a time that does not tell how much of one is right.
fn is_one_of(shown: &Digest, known: &[Digest]) -> bool {
    known.iter().fold(false, |found, known| found | (known == shown))
}

/// A password, and what is kept of it. Takes a millisecond of work, as does [`verifier_of`].
pub(crate) fn new_password() -> Result<(String, Verifier), ring::error::Unspecified> {
    let password = password::generate()?;
    let verifier = verifier_of(&password)?;
    Ok((password, verifier))
}

/// What is kept of a password.
pub(crate) fn verifier_of(password: &str) -> Result<Verifier, ring::error::Unspecified> {
    let salt: [u8; scram::SALT_OCTETS] = password::random()?;
    Ok(Verifier::derive(password, &salt, scram::ITERATIONS))
}

/// Sees to it that there is a postmaster (RFC 5321 §4.5.1), whose password is known to nobody. What is kept of it makes a secret
/// that lasts as long as the store, which is returned.
pub(crate) async fn keep_postmaster<S: Store>(store: &S, domain: &Domain) -> Result<[u8; 32], StoreError> {
    let address = Address::postmaster(domain);
    let kept = match store.mailbox(&address).await? {
        Some(mailbox) => store.account(mailbox.account).await?.and_then(|account| account.verifier),
        None => None,
    };
    let verifier = match kept {
        Some(verifier) => verifier,
        None => {
            let (_, verifier) = new_password().map_err(|error| StoreError::TryAgain(error.to_string().into()))?;
            match store.register(&address, Some(&verifier), clock::steady()).await {
                Ok(_) | Err(RegisterError::Taken) => verifier,
                Err(RegisterError::Store(error)) => return Err(error),
            }
        }
    };
    store.keep_secret(&digest(&verifier.to_string())).await
}
