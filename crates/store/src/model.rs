//! The words of the store: who has a mailbox and what is in it.

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
    /// Where it goes: at least one. An account named twice gets it once, under the first address.
    pub recipients: Vec<Recipient>,
    /// The trace lines (Return-Path, Received), each ended by CRLF, kept apart from the message as sent.
    pub trace: String,
    /// When it was received.
    pub received_at: Timestamp,
}

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
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    /// Accounts whose lease had run out.
    pub accounts: u64,
    /// Addresses that are free again, those of the accounts among them.
    pub addresses: u64,
}
