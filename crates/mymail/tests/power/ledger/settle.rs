//! What must be so after a cut because of what clients have been told.

use std::collections::{BTreeSet, HashMap};
use std::fmt::{self, Display, Formatter};

use super::{Handover, Ledger, Life, Mailboxes};
use crate::letter::Item;

/// What a comparison has seen.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Messages, of all rounds.
    accepted: usize,
    /// Items, of all rounds.
    flushed: usize,
    /// Whole messages whose acceptance nobody has heard.
    unheard: usize,
    in_mailboxes: usize,
}

impl Display for Counts {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { accepted, flushed, unheard, in_mailboxes } = self;
        write!(
            f,
            "{accepted} accepted, {flushed} flushed, {unheard} there without a reply, {in_mailboxes} in mailboxes"
        )
    }
}

impl Ledger {
    /// Compares with what is there after a cut, and goes on from that.
    pub(crate) fn settle(&mut self, found: &Mailboxes) -> Counts {
        self.power_fails = false;
        let mut counts = self.counts();
        self.settle_accounts(found);
        self.check_owners(found);
        self.check_flushes(found);
        let seeds: Vec<u64> = self.mail.keys().copied().collect();
        for seed in seeds {
            counts.unheard += usize::from(self.settle_mail(seed, found));
        }
        counts.in_mailboxes = found.values().map(BTreeSet::len).sum();
        counts
    }

    fn counts(&self) -> Counts {
        let accepted = self.mail.values().filter(|sent| sent.accepted).count();
        let handovers = self.accounts.values().flat_map(|account| account.handovers.values());
        let flushed = handovers.filter(|handover| **handover == Handover::Flushed).count();
        Counts { accepted, flushed, ..Counts::default() }
    }

    fn settle_accounts(&mut self, found: &Mailboxes) {
        let addresses: Vec<_> = self.accounts.keys().cloned().collect();
        for address in addresses {
            let life = match (self.account(&address).life, found.contains_key(&address)) {
                (Life::Kept, is_there) => {
                    assert!(is_there, "account {address} is lost");
                    Life::Kept
                }
                (Life::Ended | Life::Ending | Life::Leased, false) => Life::Ended,
                (Life::Ended, true) => panic!("account {address} had ended and is back"),
                (Life::Ending | Life::Leased, true) => self.life_of(&address),
            };
            self.account(&address).life = life;
        }
    }

    /// Everything is in a mailbox that it was sent to.
    fn check_owners(&self, found: &Mailboxes) {
        for (address, items) in found {
            for item in items {
                let (Item::Mail(seed) | Item::Report(seed)) = *item;
                let sent = self.mail.get(&seed);
                let sent = sent.unwrap_or_else(|| panic!("{item:?} in {address}: had not arrived before a cut"));
                assert!(sent.places().any(|place| place == (address, *item)), "{item:?} is not for {address}");
            }
        }
    }

    /// What was to be flushed at once is there or gone together.
    fn check_flushes(&self, found: &Mailboxes) {
        let mut flushes = HashMap::new();
        for (address, account) in &self.accounts {
            let Some(items) = found.get(address) else { continue };
            for (item, handover) in &account.handovers {
                if let Handover::Flushing(flush) = handover {
                    let is_there = items.contains(item);
                    let together = *flushes.entry(flush).or_insert(is_there);
                    assert_eq!(is_there, together, "{item:?} in {address} was flushed without the others");
                }
            }
        }
    }

    /// The message and the report about it are in all their places, or in none if nobody knows that it was accepted. Whether
    /// that is how it got known.
    fn settle_mail(&mut self, seed: u64, found: &Mailboxes) -> bool {
        let sent = &self.mail[&seed];
        let places = sent.places().filter_map(|(address, item)| {
            let is_there = found.get(address)?.contains(&item);
            Some((address.clone(), item, is_there, self.accounts[address].handovers.get(&item).copied()))
        });
        let places: Vec<_> = places.collect();
        let was_read = places.iter().any(|(.., handover)| *handover == Some(Handover::Flushed));
        let is_there = places.iter().any(|(_, _, is_there, _)| *is_there);
        let was_accepted = sent.accepted;
        let must_be_there = was_accepted || was_read || is_there;
        for (address, item, is_there, handover) in places {
            match handover {
                None => assert_eq!(is_there, must_be_there, "{item:?} in {address} (accepted: {was_accepted})"),
                Some(Handover::Flushed) => assert!(!is_there, "{item:?} in {address} was flushed and is back"),
                Some(Handover::Flushing(_)) if is_there => {
                    self.account(&address).handovers.remove(&item);
                }
                Some(Handover::Flushing(_)) => self.flushed(&address, &[item]),
            }
        }
        if must_be_there {
            self.accepted(seed);
        } else {
            self.mail.remove(&seed);
        }
        must_be_there && !was_accepted
    }
}
