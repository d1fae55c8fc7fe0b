//! What a check has found.

use std::collections::HashSet;
use std::{fmt, mem};

use serde::Serialize;
use thiserror::Error;

/// The most findings of a report. A store with more of them is mended in several turns.
pub(super) const FINDINGS_MAX: usize = 100_000;
/// The most names of a list that is only there to give an idea.
const NAMES_MAX: usize = 10;

/// A store as it was found, and as it was left.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Living accounts.
    pub accounts: u64,
    /// Messages, each counted once.
    pub messages: u64,
    /// Their octets.
    pub octets: u64,
    /// Messages that only the journal knows: the tables learn of them when the store is next opened. Usual after a crash.
    pub in_journal: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Whether there is more of that than is told.
    pub is_cut: bool,
    /// Files without use, which the next opening deletes. Usual after a crash.
    pub left_over: Names,
    /// Their octets.
    pub left_over_octets: u64,
    /// What is in the folder and not of the store.
    pub unknown: Names,
    /// What others than its owner may use.
    pub exposed: Names,
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    #[serde(flatten)]
    pub problem: Problem,
    /// Whether it is so no longer.
    pub mended: bool,
}

/// Some things, and how many there are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Names {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub first: Vec<String>,
}

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Error)]
#[serde(tag = "problem", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the message of each variant says it")]
pub enum Problem {
    #[error("mail.db: {what}")]
    Database { what: String },
    #[error("{0}")]
    LostMessage(LostMessage),
    #[error("account {account}: its {what} cannot be understood")]
    UnreadableAccount { account: i64, what: &'static str },
    #[error("the mailbox of account {account} names message {message}, which is not there")]
    NoMessage { account: i64, message: i64 },
    #[error("message {message} is in the mailbox of account {account}, which is not there")]
    NoAccount { account: i64, message: i64 },
    #[error("the mailbox of account {account} says other things of message {message} than the message does")]
    WrongEntry { account: i64, message: i64 },
    #[error("the mailbox of account {account} has message {message} under an address that cannot be understood")]
    WrongRecipient { account: i64, message: i64 },
    #[error("message {message} counts {counted} mailboxes and is in {found}")]
    WrongMailboxes { message: i64, counted: i64, found: i64 },
    #[error("{address} counts {counted_octets} octets in {counted_messages} messages and has {octets} in {messages}")]
    WrongMailbox { address: String, counted_octets: i64, counted_messages: i64, octets: i64, messages: i64 },
    #[error("segment {segment} of the journal counts {counted} octets in use and has {found}")]
    WrongSegment { segment: i64, counted: i64, found: i64 },
    #[error("segment {segment} of the journal has bytes of messages and is not in the tables")]
    NoSegment { segment: i64 },
    #[error("the next message would be {next}, and there is one of number {last}")]
    WrongNext { next: i64, last: i64 },
}

/// A message that nobody can be given.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct LostMessage {
    /// Its number.
    pub message: i64,
    /// Its reverse-path.
    pub from: String,
    /// The addresses whose mailboxes it is in.
    pub to: Vec<String>,
    /// When it was received (RFC 3339, UTC).
    pub received_at: String,
    /// How many octets it should have.
    pub octets: i64,
    /// Why it can't be given.
    pub damage: Damage,
    /// The file that has what is left of it, once it has left the mailboxes.
    pub saved_to: Option<String>,
}

/// Why nobody can be given a message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Error)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "the message of each variant says it")]
pub enum Damage {
    #[error("its bytes are missing")]
    Missing,
    #[error("it is cut short, or too long")]
    Length,
    #[error("its bytes are damaged")]
    Bytes,
    #[error("its bytes cannot be read ({0})")]
    Unreadable(String),
    #[error("its sender cannot be understood")]
    Sender,
    #[error("it is in no mailbox")]
    NoMailbox,
}

impl fmt::Display for LostMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, from, to, received_at, octets, damage, saved_to } = self;
        let from = if from == "<>" { from.clone() } else { format!("<{from}>") };
        let to = if to.is_empty() { "nobody".to_owned() } else { to.join(", ") };
        write!(f, "message {message} from {from} to {to}, received {received_at}, {octets} octets: {damage}")?;
        saved_to.as_ref().map_or(Ok(()), |file| write!(f, "; what is left of it is in {file}"))
    }
}

impl Report {
    /// Whether nothing is wrong.
    pub fn is_well(&self) -> bool {
        self.findings.is_empty()
    }

    /// Whether nothing is wrong any more.
    pub fn is_mended(&self) -> bool {
        !self.is_cut && self.findings.iter().all(|finding| finding.mended)
    }

    /// This is wrong too.
    pub(super) fn add(&mut self, problem: Problem) {
        if self.findings.len() < FINDINGS_MAX {
            self.findings.push(Finding { problem, mended: false });
        } else {
            self.is_cut = true;
        }
    }

    /// Tells what became of it: what `healed` names was mended before this look, `saved` has what has left its mailboxes since,
    /// and `left` is what a later look has found. What that has not found is mended.
    pub(super) fn settle(&mut self, healed: Vec<Problem>, saved: Vec<LostMessage>, left: Self) {
        let Self { accounts, messages, octets, findings: left, is_cut, left_over, left_over_octets, .. } = left;
        (self.accounts, self.messages, self.octets) = (accounts, messages, octets);
        (self.left_over, self.left_over_octets) = (left_over, left_over_octets);
        self.is_cut |= is_cut;

        let found = mem::take(&mut self.findings).into_iter().map(|finding| finding.problem);
        // What has been saved is told of once, as it was saved.
        let found = found.filter(|problem| !matches!(problem, Problem::LostMessage(_)));
        let left: Vec<Problem> = left.into_iter().map(|finding| finding.problem).collect();
        let still: HashSet<&Problem> = left.iter().collect();
        let mut known = HashSet::new();
        for problem in healed.into_iter().chain(saved.into_iter().map(Problem::LostMessage)).chain(found) {
            if known.insert(problem.clone()) {
                self.findings.push(Finding { mended: !still.contains(&problem), problem });
            }
        }
        let new = left.iter().filter(|problem| !known.contains(*problem));
        self.findings.extend(new.map(|problem| Finding { problem: problem.clone(), mended: false }));
    }
}

impl Names {
    pub(super) fn add(&mut self, name: impl FnOnce() -> String) {
        self.count += 1;
        if self.first.len() < NAMES_MAX {
            self.first.push(name());
        }
    }
}
