//! The words of the store: who has a mailbox, what is in it, and what the operator has set.

use std::fmt;

use proto::sasl::scram::Verifier;
use proto::{Address, ReversePath};

/// Seconds since the Unix epoch, by the caller's wall clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

/// An account. Never used again for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AccountId(pub i64);

/// A message's body and envelope. Never used again for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub i64);

/// A message's place in one mailbox. Grows in the order of delivery and is never used again for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EntryId(pub i64);

/// An account as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its identity.
    pub id: AccountId,
    /// Its address, in the letter case it was registered with.
    pub address: Address,
    /// What proves its password; `None` if it has none and ends with its connection.
    pub verifier: Option<Verifier>,
    /// When it was last used.
    pub used_at: Timestamp,
}

/// Where mail for an address goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mailbox {
    /// Whose it is.
    pub account: AccountId,
    /// How much it holds: the sum of its messages' octets.
    pub octets: u64,
    /// How many messages it holds.
    pub messages: u64,
    /// How much it may hold.
    pub quota: Quota,
}

/// How much a mailbox may hold. The store keeps it and holds nobody to it. `None`: what the server gives everybody.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quota {
    /// The most octets of messages as sent.
    pub octets: Option<u64>,
    /// The most messages.
    pub messages: Option<u64>,
}

/// An account and how full its mailbox is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSummary {
    /// The account as it stands.
    pub account: Account,
    /// How much its mailbox holds: the sum of its messages' octets.
    pub octets: u64,
    /// How many messages it holds.
    pub messages: u64,
    /// How much it may hold.
    pub quota: Quota,
}

/// One recipient of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Whose mailbox.
    pub account: AccountId,
    /// The address as the envelope has it, detail and all.
    pub address: Address,
}

/// A message's envelope, ready for delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMessage {
    /// Where it comes from.
    pub reverse_path: ReversePath,
    /// Where it goes. An account named twice gets it once, under the first address. A message that goes nowhere is not
    /// kept.
    pub recipients: Vec<Recipient>,
    /// The trace lines (Return-Path, Received), each ended by CRLF, kept apart from the message as sent.
    pub trace: String,
    /// When it was received.
    pub received_at: Timestamp,
    /// What it is made of.
    pub form: Form,
}

/// What a message is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Lines, which every reader gets as they were sent.
    Text,
    /// Octets of any kind, stored as sent. Who reads by lines gets another form of it.
    Binary {
        /// The octets of that form.
        carried_octets: u64,
    },
}

/// What a delivery did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The message's identity, whether it is kept or not.
    pub message: MessageId,
    /// The message's recipients that did not get it, for they had ended by then: each once, in the order of the envelope.
    /// Those of its reports are not among them.
    pub gone: Vec<AccountId>,
}

/// A message about another one: where that went, or why it did not. It is kept together with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Its envelope.
    pub message: NewMessage,
    /// The bytes of the message, [`REPORT_OCTETS_MAX`] at most.
    pub text: Vec<u8>,
}

/// The most octets of a report, which is in memory whole until it is kept.
pub const REPORT_OCTETS_MAX: usize = 2 << 20;
/// The most reports about one message.
pub const REPORTS_MAX: usize = 4;

/// What a mailbox held at one moment, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Maildrop {
    /// The messages in the order of delivery.
    pub entries: Vec<MaildropEntry>,
}

/// One message of a maildrop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaildropEntry {
    /// Its place in the mailbox.
    pub id: EntryId,
    /// The octets of the message as sent.
    pub octets: u64,
    /// The octets of its trace lines.
    pub trace_octets: u64,
    /// When it was received.
    pub received_at: Timestamp,
    /// What it is made of.
    pub form: Form,
}

/// What is known of a stored message beside its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredMessage {
    /// Where it came from.
    pub reverse_path: ReversePath,
    /// The address of this mailbox that it was sent to.
    pub recipient: Address,
    /// Its trace lines, each ended by CRLF.
    pub trace: String,
    /// The octets of the message as sent.
    pub octets: u64,
    /// What it is made of.
    pub form: Form,
}

/// A message with all the places that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptMessage {
    /// Its identity.
    pub id: MessageId,
    /// The octets of the message as sent.
    pub octets: u64,
    /// Its envelope, with a recipient for each mailbox that it is in still, in the order of their accounts.
    pub message: NewMessage,
}

/// The most messages that are put back at once.
pub const PUT_BACK_MAX: usize = 100;

/// The address of an account that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldAddress {
    /// As it was registered.
    pub address: Address,
    /// When the account was last used.
    pub used_at: Timestamp,
    /// Until when the address is given to nobody.
    pub held_until: Timestamp,
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Accounts whose lease had run out, or that no session spoke for any more.
    pub accounts: u64,
    /// Addresses that are free again, those of the accounts among them.
    pub addresses: u64,
}

/// How often something happened of late at one server, for a limit that all servers on a store keep together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Count {
    /// What happened: a number that the servers have agreed on.
    pub kind: u8,
    /// Whose it is, in at most [`COUNT_KEY_OCTETS_MAX`] octets.
    pub key: String,
    /// So often.
    pub times: u32,
    /// From then on it is over.
    pub until: Timestamp,
}

/// A [`Count`] of another server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountElsewhere {
    /// What that server is told apart by.
    pub server: i64,
    /// What it counts.
    pub count: Count,
}

/// The most octets of a [`Count`]'s key.
pub const COUNT_KEY_OCTETS_MAX: usize = 512;
/// The most counts that are told at a time.
pub const COUNTS_TOLD_MAX: usize = 1000;
/// The most counts of other servers that are heard of at a time.
pub const COUNTS_HEARD_MAX: usize = 5000;

/// How far long work on a whole store has come.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// So many octets are done.
    pub octets: u64,
    /// Of so many.
    pub octets_total: u64,
}

/// What a backup has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackedUp {
    /// Living accounts.
    pub accounts: u64,
    /// Messages, each counted once.
    pub messages: u64,
    /// Their octets.
    pub octets: u64,
    /// How many things are wrong with it. They were wrong with the store.
    pub problems: u64,
}

/// Who may register, as the operator has set it while the server runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RegistrationMode {
    /// As the configuration says.
    #[default]
    Configured,
    /// Whoever has a token.
    ByToken,
    /// Nobody.
    Held,
}

/// What lets its bearer register. The token itself is known to its bearer alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// What the operator calls it. No two have the same name.
    pub name: String,
    /// What the token is recognised by.
    pub digest: [u8; 32],
    /// When it was made.
    pub made_at: Timestamp,
}

/// The most tokens that a store keeps.
pub const TOKENS_MAX: usize = 1000;

/// Without the digest, from which a token that was chosen badly could be guessed.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("name", &self.name).field("made_at", &self.made_at).finish_non_exhaustive()
    }
}
