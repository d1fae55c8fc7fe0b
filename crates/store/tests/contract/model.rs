//! Any history of calls, against the simplest thing that keeps the rules: a map from addresses to messages.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use store::{AccountId, RegisterError, Store, Timestamp};

use crate::common::{address, contents, entries, later, noise, try_deliver, verifier};

const HISTORIES: usize = 30;
const NAMES: usize = 5;

/// One call, at the second of its place in the history.
#[derive(Debug, Clone)]
enum Call {
    Register { name: usize, has_password: bool },
    End { name: usize, hold: i64 },
    Deliver { names: Vec<usize>, octets: usize },
    Flush { name: usize, entries: Vec<usize> },
    Touch { name: usize },
    EndUnclaimed { hold: i64 },
    Sweep { idle: i64 },
}

fn call() -> impl Strategy<Value = Call> {
    let name = 0..NAMES;
    prop_oneof![
        4 => (name.clone(), any::<bool>()).prop_map(|(name, has_password)| Call::Register { name, has_password }),
        1 => (name.clone(), 0..20_i64).prop_map(|(name, hold)| Call::End { name, hold }),
        6 => (prop::sample::subsequence(Vec::from_iter(0..NAMES), 1..NAMES), prop_oneof![0..2000_usize, 65_000..70_000_usize])
            .prop_map(|(names, octets)| Call::Deliver { names, octets }),
        3 => (name.clone(), prop::collection::vec(0..6_usize, 0..4))
            .prop_map(|(name, entries)| Call::Flush { name, entries }),
        1 => name.prop_map(|name| Call::Touch { name }),
        1 => (0..20_i64).prop_map(|hold| Call::EndUnclaimed { hold }),
        1 => (0..20_i64).prop_map(|idle| Call::Sweep { idle }),
    ]
}

#[derive(Debug)]
struct Account {
    id: AccountId,
    has_password: bool,
    used_at: Timestamp,
    messages: Vec<Vec<u8>>,
}

/// Names 0 and 1 are numbers, so that leases run out.
fn text(history: usize, name: usize) -> String {
    if name < 2 { format!("{name}@h{history}.example") } else { format!("n{name}@h{history}.example") }
}

pub(crate) async fn any_history_leaves_what_it_should(store: &impl Store) {
    let mut runner = TestRunner::deterministic();
    for history in 0..HISTORIES {
        let calls = prop::collection::vec(call(), 40).new_tree(&mut runner).unwrap().current();
        run(store, history, &calls).await;
    }
}

async fn run(store: &impl Store, history: usize, calls: &[Call]) {
    let mut accounts: BTreeMap<usize, Account> = BTreeMap::new();
    let mut holds: HashMap<usize, Timestamp> = HashMap::new();
    let text = |name| text(history, name);
    for (at, call) in calls.iter().enumerate() {
        // Sweeps see the accounts of earlier histories too; by now those are all long idle or have none.
        let now = later((history * 1000 + at) as i64);
        let until = |seconds: &i64| Timestamp(now.0 + seconds);
        match call {
            Call::Register { name, has_password } => {
                let password = has_password.then(|| verifier(1));
                let result = store.register(&address(&text(*name)), password.as_ref(), now).await;
                if accounts.contains_key(name) || holds.get(name).is_some_and(|until| *until > now) {
                    assert!(matches!(result, Err(RegisterError::Taken)), "{result:?} for {call:?} in {calls:?}");
                    continue;
                }
                holds.remove(name);
                let account =
                    Account { id: result.unwrap(), has_password: *has_password, used_at: now, messages: vec![] };
                accounts.insert(*name, account);
            }
            Call::End { name, hold } => {
                if let Some(account) = accounts.remove(name) {
                    store.end_account(account.id, until(hold)).await.unwrap();
                    holds.insert(*name, until(hold));
                }
            }
            Call::Deliver { names, octets } => {
                let bytes = noise(at as u64, *octets);
                let there: Vec<usize> = names.iter().copied().filter(|name| accounts.contains_key(name)).collect();
                let to: Vec<AccountId> = there.iter().map(|name| accounts[name].id).collect();
                if !to.is_empty() {
                    try_deliver(store, &to, &bytes).await.unwrap();
                }
                for name in there {
                    accounts.get_mut(&name).unwrap().messages.push(bytes.clone());
                }
            }
            Call::Flush { name, entries: places } => {
                if let Some(account) = accounts.get_mut(name) {
                    let there = entries(store, account.id).await;
                    let gone: Vec<_> = places.iter().filter_map(|place| there.get(*place).copied()).collect();
                    store.flush(account.id, &gone).await.unwrap();
                    let mut place = 0..;
                    account.messages.retain(|_| !places.contains(&place.next().unwrap()));
                }
            }
            Call::Touch { name } => {
                if let Some(account) = accounts.get_mut(name) {
                    store.touch(&[account.id], now).await.unwrap();
                    account.used_at = now;
                }
            }
            Call::EndUnclaimed { hold } => {
                store.end_unclaimed(until(hold)).await.unwrap();
                for (name, _) in accounts.extract_if(.., |_, account| !account.has_password) {
                    holds.insert(name, until(hold));
                }
            }
            Call::Sweep { idle } => {
                let since = Timestamp(now.0 - idle);
                store.sweep(since, now).await.unwrap();
                accounts.retain(|name, account| *name >= 2 || !account.has_password || account.used_at >= since);
            }
        }
    }
    for name in 0..NAMES {
        let mailbox = store.mailbox(&address(&text(name))).await.unwrap();
        let expected = accounts.get(&name);
        assert_eq!(mailbox.map(|m| m.account), expected.map(|account| account.id), "{name} after {calls:?}");
        let Some(account) = expected else { continue };
        assert!(contents(store, account.id).await == account.messages, "{name} after {calls:?}");
        let octets: usize = account.messages.iter().map(Vec::len).sum();
        assert_eq!(mailbox.map(|m| m.octets), Some(octets as u64), "{name} after {calls:?}");
    }
}
