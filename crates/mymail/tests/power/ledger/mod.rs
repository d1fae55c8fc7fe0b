//! What clients have been told.

mod settle;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard};

pub(crate) use settle::Counts;

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

    /// How an account lives that has a password.
    fn life_of(&self, address: &str) -> Life {
        if self.leases_run_out && is_number(address) { Life::Leased } else { Life::Kept }
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
