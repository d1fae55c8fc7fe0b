//! Accounts, mailboxes and message bytes, kept durably.
//!
//! [`Store`] is the contract; engines implement it. It knows no protocol word and no reply code: callers speak of accounts,
//! messages and maildrops. What returned `Ok` is on stable storage, whole; `docs/durability.md` says how.
//!
//! The store has no clock: every [`Timestamp`] comes from the caller.

use std::future::Future;

use bytes::Bytes;
use proto::sasl::scram::Verifier;
use proto::{Address, Domain};

mod arrivals;
pub mod embedded;
mod error;
mod model;

pub use arrivals::Arrivals;
pub use error::{RegisterError, StoreError};
pub use model::{
    Account, AccountId, EntryId, Mailbox, Maildrop, MaildropEntry, MessageId, NewMessage, Recipient, StoredMessage,
    Swept, Timestamp,
};

/// What keeps accounts and mail. Cheap to share: one value serves every session.
///
/// Every method may fail with a [`StoreError`], which tells *try again* from *never* and from *unknown whether done*.
pub trait Store: Send + Sync + 'static {
    /// A message's bytes on their way in.
    type Body: Body;
    /// A message's bytes on their way out.
    type Reader: Reader;

    /// Opens an account, unless its address, by [`Address::key`], is somebody's or still held.
    fn register(
        &self,
        address: &Address,
        verifier: Option<&Verifier>,
        now: Timestamp,
    ) -> impl Future<Output = Result<AccountId, RegisterError>> + Send;

    /// The least number from `from` on whose address is neither an account's nor held. By the time it is used it may be
    /// taken: [`Store::register`] decides. Fails if there is none.
    fn next_free_number(
        &self,
        domain: &Domain,
        from: u32,
        now: Timestamp,
    ) -> impl Future<Output = Result<u32, StoreError>> + Send;

    /// The mailbox that an address, with or without detail, leads to.
    fn mailbox(&self, address: &Address) -> impl Future<Output = Result<Option<Mailbox>, StoreError>> + Send;

    /// An account as it stands.
    fn account(&self, id: AccountId) -> impl Future<Output = Result<Option<Account>, StoreError>> + Send;

    /// Sets what proves the account's password, replacing an earlier one. Fails if the account has ended.
    fn set_verifier(&self, id: AccountId, verifier: &Verifier) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Ends an account and deletes its mail. Its address is given to nobody before `held_until`. Idempotent.
    fn end_account(&self, id: AccountId, held_until: Timestamp) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Ends every account without a verifier, as [`Store::end_account`] does: for the start of a server, when no connection
    /// that such an account could live with exists. Returns how many there were.
    fn end_unclaimed(&self, held_until: Timestamp) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Notes that these accounts were used now.
    fn touch(&self, ids: &[AccountId], now: Timestamp) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Ends the accounts with a numbered address and a verifier that were last used before `idle_since`, whose
    /// addresses are then free at once, and lets go of addresses held until `now` or earlier.
    fn sweep(&self, idle_since: Timestamp, now: Timestamp) -> impl Future<Output = Result<Swept, StoreError>> + Send;

    /// Room for a message's bytes. Dropped without delivery it leaves nothing behind.
    fn body(&self) -> Self::Body;

    /// Puts one message into the mailboxes of all its recipients, or of none. An account that has ended meanwhile is passed
    /// over, as if it had ended a moment later.
    fn deliver(
        &self,
        message: NewMessage,
        body: Self::Body,
    ) -> impl Future<Output = Result<MessageId, StoreError>> + Send;

    /// What a mailbox holds now, oldest first.
    fn maildrop(&self, account: AccountId) -> impl Future<Output = Result<Maildrop, StoreError>> + Send;

    /// Opens a message of this account's mailbox for reading. `None`: it is there no longer.
    fn open(
        &self,
        account: AccountId,
        entry: EntryId,
    ) -> impl Future<Output = Result<Option<(StoredMessage, Self::Reader)>, StoreError>> + Send;

    /// Removes entries from this account's mailbox, all or none; those that are gone already are passed over.
    fn flush(&self, account: AccountId, entries: &[EntryId]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Tells of mail coming into a mailbox from now on.
    fn arrivals(&self, account: AccountId) -> Arrivals;
}

/// A message's bytes on their way into a store: kept in memory while few, spooled to disk when many.
pub trait Body: Send + Sync + 'static {
    /// Adds bytes. After an error the body can't be delivered any more.
    fn write(&mut self, chunk: &[u8]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// How many bytes it has.
    fn octets(&self) -> u64;
}

/// A message's bytes on their way out of a store, a bounded chunk at a time.
pub trait Reader: Send + Sync + 'static {
    /// The next bytes, `None` at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Bytes>, StoreError>> + Send;
}
