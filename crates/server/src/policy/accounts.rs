//! Who may have an address and a password.

use std::os::fd::BorrowedFd;

use proto::sasl::scram::{self, Verifier};
use proto::smtp::server::{IssuePassword, Issued, Register};
use proto::smtp::{Reply, replies};
use proto::{Address, Domain, LocalPart};
use store::{AccountId, RegisterError, Store, StoreError};

use super::{Client, Identity, password, store_refusal};
use crate::clock;
use crate::descriptors::NumberError;
use crate::peers::Peer;

/// How often one session may register, unregister and register again: each time holds an address from everybody for a lease.
const REGISTRATIONS_PER_SESSION_MAX: usize = 10;
/// Names that nobody may have: mail systems speak by them (RFC 2142).
const RESERVED_NAMES: [&str; 4] = ["postmaster", "mailer-daemon", "abuse", "root"];

impl<S: Store> Client<S> {
    /// May the client have an address? `socket` is its connection.
    pub(crate) async fn register(&mut self, wish: &Register, socket: BorrowedFd<'_>) -> Result<Address, Reply> {
        let registration = &self.settings.config.registration;
        if !registration.open {
            return Err(replies::REGISTRATION_CLOSED);
        }
        if !registration.tokens.is_empty()
            && !wish.token.as_ref().is_some_and(|token| is_one_of(token, &registration.tokens))
        {
            return Err(replies::BAD_TOKEN);
        }
        let name = wish.name.as_ref().map(|name| self.allowed_name(name)).transpose()?;
        if self.registrations == REGISTRATIONS_PER_SESSION_MAX
            || !self.settings.registration_rate.admit(Peer::from(self.peer.ip()))
        {
            return Err(replies::REGISTERS_TOO_OFTEN);
        }
        let (account, address) = match name {
            Some(address) => (self.register_name(&address).await?, address),
            None => self.register_number(socket).await?,
        };
        self.registrations += 1;
        tracing::info!(%address, "registered");
        self.bind(account, address.clone(), false);
        Ok(address)
    }

    fn allowed_name(&self, name: &LocalPart) -> Result<Address, Reply> {
        if !self.settings.config.registration.names {
            return Err(replies::NO_NAMES);
        }
        let text = name.as_str();
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'));
        if !plain || name.is_number() {
            return Err(replies::NAME_NOT_ALLOWED);
        }
        if RESERVED_NAMES.iter().any(|reserved| text.eq_ignore_ascii_case(reserved)) {
            return Err(replies::NAME_RESERVED);
        }
        Ok(Address::new(name.clone(), self.settings.config.hostname.clone()))
    }

    async fn register_name(&self, address: &Address) -> Result<AccountId, Reply> {
        self.shared.store.register(address, None, clock::now()).await.map_err(|error| match error {
            RegisterError::Taken => replies::NAME_TAKEN,
            RegisterError::Store(error) => store_refusal(&error),
        })
    }

    async fn register_number(&mut self, socket: BorrowedFd<'_>) -> Result<(AccountId, Address), Reply> {
        let domain = &self.settings.config.hostname;
        let registered = self.descriptors.register(socket, domain, &self.shared.store, clock::now()).await;
        registered.map_err(|error| match error {
            NumberError::Store(error) => store_refusal(&error),
            NumberError::NoneLeft | NumberError::Descriptor(_) => {
                tracing::warn!(%error, "a client got no number");
                replies::NO_NUMBER_LEFT
            }
        })
    }

    pub(super) fn bind(&mut self, account: AccountId, address: Address, authenticated: bool) {
        let bond = self.shared.presence.bind(account);
        self.identity = Some(Identity { account, address, bond, authenticated });
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
        let held_until = clock::after(clock::now(), self.settings.config.registration.lease);
        self.shared.store.end_account(account, held_until).await.map_err(|error| store_refusal(&error))?;
        if let Some(identity) = self.identity.take() {
            identity.bond.end();
            self.descriptors.release();
            tracing::info!(address = %identity.address, "unregistered");
        }
        Ok(())
    }
}

/// Compares with every token, in a time that does not tell how much of one is right.
fn is_one_of(token: &str, tokens: &[String]) -> bool {
    let digest = |text: &str| ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    let shown = digest(token);
    tokens.iter().fold(false, |found, known| found | (digest(known).as_ref() == shown.as_ref()))
}

fn new_password() -> Result<(String, Verifier), ring::error::Unspecified> {
    let password = password::generate()?;
    let salt: [u8; scram::SALT_OCTETS] = password::random()?;
    let verifier = Verifier::derive(&password, &salt, scram::ITERATIONS);
    Ok((password, verifier))
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
            match store.register(&address, Some(&verifier), clock::now()).await {
                Ok(_) | Err(RegisterError::Taken) => verifier,
                Err(RegisterError::Store(error)) => return Err(error),
            }
        }
    };
    let digest = ring::digest::digest(&ring::digest::SHA256, verifier.to_string().as_bytes());
    let mut secret = [0; 32];
    secret.copy_from_slice(digest.as_ref());
    Ok(secret)
}
