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
mod misuse;
mod model;
pub mod postgres;
pub mod transfer;

pub use arrivals::Arrivals;
pub use error::{AddTokenError, BackUpError, RegisterError, StoreError};
pub use model::{
    Account, AccountId, AccountSummary, BackedUp, COUNT_KEY_OCTETS_MAX, COUNTS_HEARD_MAX, COUNTS_TOLD_MAX, Count,
    CountElsewhere, Delivered, EntryId, Form, HeldAddress, KeptMessage, Mailbox, Maildrop, MaildropEntry, MessageId,
    NewMessage, PUT_BACK_MAX, Progress, Quota, REPORT_OCTETS_MAX, REPORTS_MAX, Recipient, RegistrationMode, Report,
    StoredMessage, Swept, TOKENS_MAX, Timestamp, Token,
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

    /// Whether the address, by [`Address::key`], was an account's that has ended, and is held beyond `now`.
    fn is_held(&self, address: &Address, now: Timestamp) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// An account as it stands.
    fn account(&self, id: AccountId) -> impl Future<Output = Result<Option<Account>, StoreError>> + Send;

    /// The living accounts in the order of their [`Address::key`], those behind `after`, at most `limit`.
    fn accounts(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<AccountSummary>, StoreError>> + Send;

    /// An account and how full its mailbox is.
    fn summary(&self, id: AccountId) -> impl Future<Output = Result<Option<AccountSummary>, StoreError>> + Send;

    /// Sets how much the account's mailbox may hold, whatever it holds now. Fails if the account has ended, or for a
    /// number beyond 2⁶³ − 1.
    fn set_quota(&self, id: AccountId, quota: Quota) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Sets what proves the account's password, replacing an earlier one. Fails if the account has ended.
    fn set_verifier(&self, id: AccountId, verifier: &Verifier) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Ends an account and deletes its mail. Its address is given to nobody before `held_until`. Idempotent.
    fn end_account(&self, id: AccountId, held_until: Timestamp) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Ends every account without a verifier, as [`Store::end_account`] does: for the start of a server, when no connection
    /// that such an account could live with exists. Returns how many there were.
    fn end_unclaimed(&self, held_until: Timestamp) -> impl Future<Output = Result<u64, StoreError>> + Send;

    /// Whether other servers may use it at the same time, so that what one has seen may be different when it looks again.
    fn is_shared(&self) -> bool {
        false
    }

    /// For the end of a server, when its connections are gone: ends what lived with them, as [`Store::end_account`] does, and lets
    /// the other servers on this store know. Where there can be no other, the next start does it.
    fn leave(&self, _held_until: Timestamp) -> impl Future<Output = Result<(), StoreError>> + Send {
        async { Ok(()) }
    }

    /// For the start of a server, and of each of its rounds where the store is shared: leases and holds go on as if no time had passed since any account was last used, if that was
    /// before `idle_since` or is still to come. Either the clock has jumped, or no account could be used, or none was. Only
    /// accounts with a name that are idle stay so. Returns by how many seconds they have been moved.
    fn resume(&self, idle_since: Timestamp, now: Timestamp) -> impl Future<Output = Result<i64, StoreError>> + Send;

    /// Notes that these accounts were used now. Returns those of them that have ended, each once: by somebody else perhaps.
    fn touch(
        &self,
        ids: &[AccountId],
        now: Timestamp,
    ) -> impl Future<Output = Result<Vec<AccountId>, StoreError>> + Send;

    /// Ends the accounts that were last used before `idle_since`, but for those with a name and a verifier, and lets go of
    /// addresses held until `now` or earlier. The addresses of those accounts are free at once. Whoever has an account in use
    /// touches it first: one without a verifier that is found here has lost its session, and nobody could note that.
    fn sweep(&self, idle_since: Timestamp, now: Timestamp) -> impl Future<Output = Result<Swept, StoreError>> + Send;

    /// Whether it takes writes: [`StoreError::Poisoned`] if not. As cheap as a look at a flag.
    fn takes_writes(&self) -> Result<(), StoreError>;

    /// The octets that the disk has left for it. Asks the system.
    fn free_octets(&self) -> Result<u64, StoreError>;

    /// Room for a message's bytes. Dropped without delivery it leaves nothing behind.
    fn body(&self) -> Self::Body;

    /// Puts one message, and each of the reports about it, into the mailboxes of all their recipients, or none of them
    /// into any. An account that has ended meanwhile is passed over; [`Delivered::gone`] has those that the message was
    /// for. A message without recipients is not kept, its reports are. Fails for more than [`REPORTS_MAX`] reports, or
    /// for one of more than [`REPORT_OCTETS_MAX`].
    fn deliver(
        &self,
        message: NewMessage,
        body: Self::Body,
        reports: Vec<Report>,
    ) -> impl Future<Output = Result<Delivered, StoreError>> + Send;

    /// What a mailbox holds now, oldest first.
    fn maildrop(&self, account: AccountId) -> impl Future<Output = Result<Maildrop, StoreError>> + Send;

    /// Opens a message of this account's mailbox for reading. `None`: it is there no longer.
    fn open(&self, account: AccountId, entry: EntryId) -> impl Future<Output = Opened<Self::Reader>> + Send;

    /// Opens several messages, as [`Store::open`] opens one, with less work for each.
    fn open_all(
        &self,
        account: AccountId,
        entries: &[EntryId],
    ) -> impl Future<Output = Vec<Opened<Self::Reader>>> + Send;

    /// Removes entries from this account's mailbox, all or none; those that are gone already are passed over.
    fn flush(&self, account: AccountId, entries: &[EntryId]) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Tells of mail coming into a mailbox from now on.
    fn arrivals(&self, account: AccountId) -> Arrivals;

    /// Who may register, as it was set last.
    fn registration_mode(&self) -> impl Future<Output = Result<RegistrationMode, StoreError>> + Send;

    /// Sets who may register.
    fn set_registration_mode(&self, mode: RegistrationMode) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// All tokens, in the order of their names.
    fn tokens(&self) -> impl Future<Output = Result<Vec<Token>, StoreError>> + Send;

    /// Adds a token, unless its name is taken. Whether it did.
    fn add_token(&self, token: &Token) -> impl Future<Output = Result<bool, AddTokenError>> + Send;

    /// Removes a token by its name. Whether it was there.
    fn remove_token(&self, name: &str) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// A secret that lasts as long as the store: this one, unless there is one already.
    fn keep_secret(&self, candidate: &[u8; 32]) -> impl Future<Output = Result<[u8; 32], StoreError>> + Send;

    /// Resolves when what writes has come to it, with success or not. A store that hangs does not answer.
    fn answer(&self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Tells the other servers on this store how often things have happened here, each kind and key once and at most
    /// [`COUNTS_TOLD_MAX`] of them: what was told of the same before is replaced. Returns what the others have told since this
    /// server asked last, those that are over not among them; the same perhaps more than once, and if there are too many the
    /// greatest. `None`: there can be no other. They are kept until they are over, but may be lost before: who has failed to tell
    /// tells again.
    fn share_counts(
        &self,
        _mine: Vec<Count>,
        _now: Timestamp,
    ) -> impl Future<Output = Result<Option<Vec<CountElsewhere>>, StoreError>> + Send {
        async { Ok(None) }
    }

    /// The messages of all mailboxes in the order of their ids, those behind `after`, at most `limit`: fewer, but at least
    /// one, where they are in very many mailboxes. In each of these [`Store::open`] finds a message by its id's number.
    fn messages(
        &self,
        after: Option<MessageId>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<KeptMessage>, StoreError>> + Send;

    /// The addresses of accounts that have ended, until they are let go of, in the order of their [`Address::key`]: those
    /// behind `after`, at most `limit`.
    fn holds(
        &self,
        after: Option<&str>,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<HeldAddress>, StoreError>> + Send;

    /// Delivers messages of another store under the ids that they had there, all or none. One is passed over unless its id is
    /// above all that were ever given here: so the same may be put back again, and what was flushed does not return. Fails
    /// for more than [`PUT_BACK_MAX`] messages, unless their ids grow, or for one that leaves no room for later ones.
    fn put_back(
        &self,
        messages: Vec<(MessageId, NewMessage, Self::Body)>,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// From now on no file of the store is deleted, as long as what is returned lives, so that another process may copy them.
    /// They have all that was acknowledged before this call.
    fn hold(&self) -> impl Future<Output = Result<Hold, BackUpError>> + Send {
        async { Err(BackUpError::NotOffered) }
    }
}

/// As long as it lives, no file of a store is deleted.
pub struct Hold {
    _guard: Box<dyn Send>,
}

/// What became of opening a message: what is known of it, and its bytes; `None` if it is not in the mailbox.
pub type Opened<R> = Result<Option<(StoredMessage, R)>, StoreError>;

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
