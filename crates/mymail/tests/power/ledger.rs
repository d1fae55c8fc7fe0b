//! What clients have been told, and what must be so after a cut because of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Display, Formatter};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::letter::Item;

/// What is in each mailbox that can be read, by the account's address.
pub(crate) type Mailboxes = BTreeMap<String, BTreeSet<Item>>;

/// Written down by all clients.
#[derive(Clone, Default)]
pub(crate) struct Notes(Arc<Mutex<Ledger>>);

impl Notes {
    pub(crate) fn told(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap()
    }
}

impl From<Ledger> for Notes {
    fn from(ledger: Ledger) -> Self {
        Self(Arc::new(Mutex::new(ledger)))
    }
}

/// All accounts with a password, and all mail, from the first day on.
#[derive(Clone, Default)]
pub(crate) struct Ledger {
    accounts: BTreeMap<String, Account>,
    mail: HashMap<u64, Sent>,
    /// Of accounts that may have a password which nobody has heard.
    unheard: BTreeSet<String>,
    flushes: u32,
    /// Whether accounts with a number may end at any time.
    leases_run_out: bool,
    /// Whether nothing that clients are told counts.
    power_fails: bool,
}

#[derive(Clone)]
struct Account {
    password: String,
    life: Life,
    handovers: HashMap<Item, Handover>,
}

/// Whether an account has a lease.
fn is_number(address: &str) -> bool {
    address.starts_with(|first: char| first.is_ascii_digit())
}

/// How an account lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Kept,
    /// It may end at any time, for its lease is short.
    Leased,
    /// Its end was asked for, or nobody knows whether it has begun.
    Ending,
    Ended,
}

#[derive(Clone)]
struct Sent {
    seed: u64,
    from: String,
    to: Vec<String>,
    report: bool,
    accepted: bool,
}

/// Of an item that somebody has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handover {
    /// Its flush was asked for, together with that of all others of this number.
    Flushing(u32),
    Flushed,
}

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
    /// A client asks for a password.
    pub(crate) fn asking(&mut self, address: &str) {
        self.forget(address);
        self.unheard.insert(address.to_owned());
    }

    pub(crate) fn registered(&mut self, address: &str, password: &str) {
        self.unheard.remove(address);
        let life = if self.power_fails { Life::Ending } else { self.life_of(address) };
        let account = Account { password: password.to_owned(), life, handovers: HashMap::new() };
        self.accounts.insert(address.to_owned(), account);
    }

    pub(crate) fn ending(&mut self, address: &str) {
        self.account(address).life = Life::Ending;
    }

    pub(crate) fn ended(&mut self, address: &str) {
        if !self.power_fails {
            self.account(address).life = Life::Ended;
        }
    }

    /// A client is about to send a message; with a report to itself if it has a mailbox that is known here.
    pub(crate) fn sending(&mut self, seed: u64, from: &str, to: &[&str], report: bool) {
        let to = to.iter().map(|address| (*address).to_owned()).collect();
        let sent = Sent { seed, from: from.to_owned(), to, report, accepted: false };
        assert!(self.mail.insert(seed, sent).is_none(), "{seed} is not a seed of its own");
    }

    pub(crate) fn accepted(&mut self, seed: u64) {
        self.mail.get_mut(&seed).unwrap().accepted = !self.power_fails;
    }

    /// A client is about to have these flushed, all at once.
    pub(crate) fn flushing(&mut self, address: &str, items: &[Item]) {
        self.flushes += 1;
        let flush = Handover::Flushing(self.flushes);
        self.account(address).handovers.extend(items.iter().map(|item| (*item, flush)));
    }

    pub(crate) fn flushed(&mut self, address: &str, items: &[Item]) {
        if !self.power_fails {
            self.account(address).handovers.extend(items.iter().map(|item| (*item, Handover::Flushed)));
        }
    }

    /// From now on accounts with a number may end at any time.
    pub(crate) fn leases_run_out(&mut self) {
        self.leases_run_out = true;
        for (address, account) in &mut self.accounts {
            if account.life == Life::Kept && is_number(address) {
                account.life = Life::Leased;
            }
        }
    }

    /// From now on, and until all is compared, what clients are told may be true or not.
    ///
    /// The server still runs while its file system is shut down, and a sync that is being done at that moment may succeed
    /// though nothing is written (ext4 finds that the transaction it would wait for is over, not that it was aborted). When the
    /// power goes nobody lives to hear of that.
    pub(crate) fn power_fails(&mut self) {
        self.power_fails = true;
    }

    /// The address and the password of each account that may be there.
    pub(crate) fn logins(&self) -> Vec<(String, String)> {
        let alive = self.accounts.iter().filter(|(_, account)| account.life != Life::Ended);
        alive.map(|(address, account)| (address.clone(), account.password.clone())).collect()
    }

    /// The same for one account.
    pub(crate) fn login(&self, address: &str) -> (String, String) {
        (address.to_owned(), self.accounts[address].password.clone())
    }

    /// The addresses that have a lease.
    pub(crate) fn numbers(&self) -> Vec<String> {
        self.accounts.keys().filter(|address| is_number(address)).cloned().collect()
    }

    /// The reverse-path that an item must have.
    pub(crate) fn reverse_path(&self, item: Item) -> Option<&str> {
        match item {
            Item::Mail(seed) => self.mail.get(&seed).map(|sent| sent.from.as_str()),
            Item::Report(_) => Some("<>"),
        }
    }

    /// Whether there may be an account with a password that nobody knows.
    pub(crate) fn is_unheard(&self, address: &str) -> bool {
        self.unheard.contains(address)
    }

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

    /// How an account lives that has a password.
    fn life_of(&self, address: &str) -> Life {
        if self.leases_run_out && is_number(address) { Life::Leased } else { Life::Kept }
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

    /// Makes room for the next owner of an address.
    fn forget(&mut self, address: &str) {
        if self.accounts.remove(address).is_some() {
            for sent in self.mail.values_mut() {
                sent.to.retain(|recipient| recipient != address);
                sent.report &= sent.from != address;
            }
        }
    }

    fn account(&mut self, address: &str) -> &mut Account {
        self.accounts.get_mut(address).unwrap()
    }
}

impl Sent {
    /// Where the message and the report about it belong.
    fn places(&self) -> impl Iterator<Item = (&String, Item)> {
        let report = self.report.then_some((&self.from, Item::Report(self.seed)));
        self.to.iter().map(|address| (address, Item::Mail(self.seed))).chain(report)
    }
}
