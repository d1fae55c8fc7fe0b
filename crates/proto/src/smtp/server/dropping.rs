//! Chunks that are refused: what came with them is read and dropped before the reply that says why (RFC 3030 §2).

use std::time::Instant;

use super::State;
use super::config::Config;
use super::core::Core;
use super::mail::Transaction;
use super::pace::Pace;
use crate::smtp::{Reply, replies};

/// A chunk that is of no use.
pub(super) struct Dropping<R> {
    pace: Pace,
    left: u64,
    reply: Reply,
    transaction: Option<Transaction<R>>,
    /// Whether it is one more error.
    counts: bool,
}

impl<R> Dropping<R> {
    /// So many octets are to be dropped; then this is said, and the transaction is as before.
    pub(super) fn new(octets: u64, reply: Reply, transaction: Option<Transaction<R>>, now: Instant) -> Self {
        Self { pace: Pace::new(now), left: octets, reply, transaction, counts: true }
    }

    /// A chunk of a message that has been refused already.
    pub(super) fn behind_refused(octets: u64, now: Instant) -> Self {
        Self { counts: false, ..Self::new(octets, replies::MAIL_FIRST, None, now) }
    }

    /// Drops what has come; whether that was all.
    pub(super) fn read(&mut self, core: &mut Core, now: Instant) -> bool {
        let octets = usize::try_from(self.left).map_or(core.flow.input.len(), |left| left.min(core.flow.input.len()));
        core.flow.lend(octets);
        self.left -= octets as u64;
        self.pace.feed(octets, now);
        self.left == 0
    }

    /// Says why.
    pub(super) fn finish(self, core: &mut Core) -> State<R> {
        if self.counts {
            core.error(&self.reply)
        } else {
            core.reply(&self.reply)
        }
        State::Command(self.transaction)
    }

    pub(super) fn deadline(&self, config: &Config) -> Instant {
        self.pace.deadline(config)
    }
}
