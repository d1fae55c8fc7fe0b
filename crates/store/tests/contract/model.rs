//! Any history of calls, against the simplest thing that keeps the rules: a map from names to messages.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use store::{AccountId, RegisterError, Store, Timestamp};

use crate::common::{address, contents, deliver, entries, later, noise, verifier};

const HISTORIES: i64 = 30;
const CALLS: usize = 40;
/// The first two are numbers, so that their leases run out.
const NAMES: [&str; 5] = ["0", "1", "alice", "bob", "carol"];
const NUMBERS: usize = 2;

/// One call, at the second of its place in the history. An account is meant by the index of its name.
#[derive(Debug, Clone)]
enum Call {
    Register { name: usize, has_password: bool },
    End { name: usize, hold: i64 },
    Deliver { names: Vec<usize>, octets: usize },
    Flush { name: usize, places: Vec<usize> },
    Touch { name: usize },
    EndUnclaimed { hold: i64 },
    Sweep { idle: i64 },
}

fn call() -> impl Strategy<Value = Call> {
    let name = || 0..NAMES.len();
    let names = prop::sample::subsequence(Vec::from_iter(name()), 1..NAMES.len());
    let octets = prop_oneof![0..2000_usize, 65_000..70_000_usize];
    let places = prop::collection::vec(0..6_usize, 0..4);
    let seconds = || 0..20_i64;
    prop_oneof![
        4 => (name(), any::<bool>()).prop_map(|(name, has_password)| Call::Register { name, has_password }),
        1 => (name(), seconds()).prop_map(|(name, hold)| Call::End { name, hold }),
        6 => (names, octets).prop_map(|(names, octets)| Call::Deliver { names, octets }),
        3 => (name(), places).prop_map(|(name, places)| Call::Flush { name, places }),
        1 => name().prop_map(|name| Call::Touch { name }),
        1 => seconds().prop_map(|hold| Call::EndUnclaimed { hold }),
        1 => seconds().prop_map(|idle| Call::Sweep { idle }),
    ]
}

pub(crate) async fn any_history_leaves_what_it_should(store: &impl Store) {
    let mut runner = TestRunner::deterministic();
    for history in 0..HISTORIES {
        let calls = prop::collection::vec(call(), CALLS).new_tree(&mut runner).unwrap().current();
        let mut model = Model { store, history, accounts: BTreeMap::new(), holds: HashMap::new() };
        for (second, call) in (0..).zip(&calls) {
            // Each history has its domain and comes long after the last, whose leases then run out unseen.
            model.make(call, later(history * 1000 + second)).await;
        }
        model.compare(&calls).await;
    }
}

/// What should be in the store.
struct Model<'a, S> {
    store: &'a S,
    history: i64,
    accounts: BTreeMap<usize, Account>,
    holds: HashMap<usize, Timestamp>,
}

struct Account {
    id: AccountId,
    has_password: bool,
    used_at: Timestamp,
    messages: Vec<Vec<u8>>,
}

impl<S: Store> Model<'_, S> {
    /// Makes a call of the store, and does the same here.
    async fn make(&mut self, call: &Call, now: Timestamp) {
        let store = self.store;
        let until = |seconds: &i64| Timestamp(now.0 + seconds);
        match call {
            Call::Register { name, has_password } => self.register(*name, *has_password, now).await,
            Call::End { name, hold } => {
                if let Some(account) = self.accounts.remove(name) {
                    store.end_account(account.id, until(hold)).await.unwrap();
                    self.holds.insert(*name, until(hold));
                }
            }
            Call::Deliver { names, octets } => self.deliver(names, &noise(now.0 as u64, *octets)).await,
            Call::Flush { name, places } => self.flush(*name, places).await,
            Call::Touch { name } => {
                if let Some(account) = self.accounts.get_mut(name) {
                    store.touch(&[account.id], now).await.unwrap();
                    account.used_at = now;
                }
            }
            Call::EndUnclaimed { hold } => {
                store.end_unclaimed(until(hold)).await.unwrap();
                let unclaimed = self.accounts.extract_if(.., |_, account| !account.has_password);
                self.holds.extend(unclaimed.map(|(name, _)| (name, until(hold))));
            }
            Call::Sweep { idle } => {
                let since = Timestamp(now.0 - idle);
                store.sweep(since, now).await.unwrap();
                self.accounts
                    .retain(|name, account| *name >= NUMBERS || !account.has_password || account.used_at >= since);
            }
        }
    }

    async fn register(&mut self, name: usize, has_password: bool, now: Timestamp) {
        let password = has_password.then(|| verifier(1));
        let result = self.store.register(&address(&self.text(name)), password.as_ref(), now).await;
        if self.accounts.contains_key(&name) || self.holds.get(&name).is_some_and(|until| *until > now) {
            assert!(matches!(result, Err(RegisterError::Taken)), "{result:?}");
        } else {
            let account = Account { id: result.unwrap(), has_password, used_at: now, messages: Vec::new() };
            self.accounts.insert(name, account);
        }
    }

    async fn deliver(&mut self, names: &[usize], bytes: &[u8]) {
        let to = |name| self.accounts.get(name).map(|account| account.id);
        let to: Vec<AccountId> = names.iter().filter_map(to).collect();
        if !to.is_empty() {
            deliver(self.store, &to, bytes).await;
        }
        let recipients = self.accounts.iter_mut().filter(|(name, _)| names.contains(name));
        recipients.for_each(|(_, account)| account.messages.push(bytes.to_vec()));
    }

    async fn flush(&mut self, name: usize, places: &[usize]) {
        let Some(account) = self.accounts.get_mut(&name) else { return };
        let there = entries(self.store, account.id).await;
        let flushed: Vec<_> = places.iter().filter_map(|place| there.get(*place).copied()).collect();
        self.store.flush(account.id, &flushed).await.unwrap();
        let mut place = 0..;
        account.messages.retain(|_| !places.contains(&place.next().unwrap()));
    }

    async fn compare(&self, calls: &[Call]) {
        for (name, text) in NAMES.iter().enumerate() {
            let mailbox = self.store.mailbox(&address(&self.text(name))).await.unwrap();
            let account = self.accounts.get(&name);
            assert_eq!(mailbox.map(|mailbox| mailbox.account), account.map(|account| account.id), "{calls:?}");
            let Some(account) = account else { continue };
            assert!(contents(self.store, account.id).await == account.messages, "{text} after {calls:?}");
            let octets: usize = account.messages.iter().map(Vec::len).sum();
            assert_eq!(mailbox.map(|mailbox| mailbox.octets), Some(octets as u64), "{text} after {calls:?}");
        }
    }

    fn text(&self, name: usize) -> String {
        format!("{}@{}.example", NAMES[name], self.history)
    }
}
