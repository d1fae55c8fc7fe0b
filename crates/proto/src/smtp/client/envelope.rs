//! What a transaction is about and what became of it.

use super::super::Reply;
use crate::{Address, ReversePath};

/// Where a message comes from and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Whom reports go to.
    pub reverse_path: ReversePath,
    /// Whom the message goes to.
    pub recipients: Vec<Address>,
}

impl Envelope {
    /// Whether it can be said to every server; else only to one that offers SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.reverse_path.address().into_iter().chain(&self.recipients).all(Address::is_ascii)
    }
}

/// What is known of a message before its octets are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// How many octets it has, dots not stuffed (RFC 1870 §5).
    pub octets: u64,
    /// Whether it may have octets over 127 (RFC 6152 §3).
    pub eight_bit: bool,
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The recipients in the order of the envelope, each with what the server answered: to RCPT or, where that never came
    /// into question, to MAIL.
    pub recipients: Vec<(Address, Reply)>,
    /// What became of the message.
    pub outcome: Outcome,
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The server has it, for the recipients that it accepted.
    Accepted(Reply),
    /// The server refused DATA or the message: nobody gets it.
    Refused(Reply),
    /// No recipient was accepted; the message was not sent.
    NoRecipients,
}
