//! How often a client may ask for addresses that are not there. Numbers are easy to guess, so whoever wants to know which
//! addresses exist tries them all: it goes ever slower, then the session ends, and the peer hears no more for the hour.

use std::time::{Duration, Instant};

use proto::smtp::server::Role;
use proto::smtp::{Reply, replies};
use store::Store;
use tokio::time::sleep;

use super::Client;
use crate::peers::Peer;
use crate::shared::Seeker;
use crate::tally::Share;

/// So many are answered at once: anybody mistypes, or has an old address book.
const AT_ONCE: u32 = 10;
/// How much longer each further one takes than the one before.
const STEP: Duration = Duration::from_millis(20);
/// How long one takes at most.
const DELAY_MAX: Duration = Duration::from_secs(1);

impl<S: Store> Client<S> {
    /// May it ask for an address? Not when it has asked for too many that are not there: then neither these nor those that are
    /// there get another answer.
    pub(super) fn may_ask(&self) -> Result<(), Reply> {
        let per_hour = self.settings.config.limits.unknown_recipients_per_peer_per_hour;
        let count = |seeker| self.shared.unknown_recipients.count_of(&seeker, Instant::now());
        match self.seeker().map(count) {
            Some(unknown) if unknown > per_hour => Err(replies::ASKS_TOO_OFTEN),
            _ => Ok(()),
        }
    }

    /// It has asked for an address that is not there. What it hears, after a while.
    pub(super) async fn unknown_recipient(&mut self) -> Reply {
        if self.listen().role() == Role::Lmtp {
            return replies::NO_SUCH_USER;
        }
        self.unknown_recipients = self.unknown_recipients.saturating_add(1);
        self.count_unknown();
        sleep(delay(self.unknown_recipients)).await;
        match self.unknown_recipients > self.settings.config.limits.unknown_recipients {
            true => replies::TOO_MANY_UNKNOWN,
            false => replies::NO_SUCH_USER,
        }
    }

    fn count_unknown(&self) {
        let Some(seeker) = self.seeker() else { return };
        let per_hour = self.settings.config.limits.unknown_recipients_per_peer_per_hour;
        let share = self.shared.unknown_recipients.take(seeker, per_hour, Instant::now());
        if share == Share::JustUsed {
            tracing::warn!(peer = %self.peer, per_hour, "it asked for more addresses that are not there than limits.unknown_recipients_per_peer_per_hour: no recipient is taken from there");
        }
    }

    /// Whose count it is. Whoever has shown a password answers for itself, so that nobody is kept from sending by a stranger behind
    /// the same address. All others on this machine are one peer, and have no limit; nor has a mail server that hands us the mail
    /// of everybody.
    fn seeker(&self) -> Option<Seeker> {
        match self.identity() {
            _ if self.listen().role() == Role::Lmtp => None,
            Some(identity) if identity.authenticated => Some(Seeker::Account(identity.account)),
            _ if self.peer.is_local() => None,
            _ => Some(Seeker::Peer(Peer::from(self.peer))),
        }
    }
}

/// How long the answer to so many takes.
fn delay(unknown: u32) -> Duration {
    (STEP * unknown.saturating_sub(AT_ONCE)).min(DELAY_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_goes_ever_slower() {
        for (unknown, milliseconds) in [(1, 0), (10, 0), (11, 20), (20, 200), (60, 1000), (u32::MAX, 1000)] {
            assert_eq!(delay(unknown), Duration::from_millis(milliseconds), "{unknown}");
        }
    }
}
