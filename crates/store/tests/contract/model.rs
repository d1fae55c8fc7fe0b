//! Any history of calls, against the simplest thing that keeps the rules: a map from names to messages.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use store::{AccountId, AccountSummary, Form, Mailbox, NewMessage, Quota, RegisterError, Report, Store, Timestamp};

use crate::common::{address, body, contents, entries, later, message, noise, verifier};

const HISTORIES: i64 = 30;
const CALLS: usize = 40;
/// The first two are numbers, so that their leases run out, whether they have a password or not.
const NAMES: [&str; 5] = ["0", "1", "alice", "bob", "carol"];
const NUMBERS: usize = 2;

/// One call, at the second of its place in the history. An account is meant by the index of its name.
#[derive(Debug, Clone)]
enum Call {
    Register { name: usize, has_password: bool },
    End { name: usize, hold: i64 },
    Deliver { message: Message, reports: Vec<Message> },
    Flush { name: usize, places: Vec<usize> },
    SetQuota { name: usize, quota: Quota },
    Touch { name: usize },
    EndUnclaimed { hold: i64 },
    Sweep { idle: i64 },
}

/// A message, or a report about one, to the last accounts that had these names, ended ones too; or to nobody.
#[derive(Debug, Clone)]
struct Message {
    names: Vec<usize>,
    octets: usize,
    form: Form,
}

fn call() -> impl Strategy<Value = Call> {
    let name = || 0..NAMES.len();
    let octets = prop_oneof![0..2000_usize, 65_000..70_000_usize];
    let reports = prop::collection::vec(mail(0..2000_usize), 0..3);
    let quota = any::<(Option<u32>, Option<u32>)>()
        .prop_map(|(octets, messages)| Quota { octets: octets.map(u64::from), messages: messages.map(u64::from) });
    let places = prop::collection::vec(0..6_usize, 0..4);
    let seconds = || 0..20_i64;
    prop_oneof![
        4 => (name(), any::<bool>()).prop_map(|(name, has_password)| Call::Register { name, has_password }),
        1 => (name(), seconds()).prop_map(|(name, hold)| Call::End { name, hold }),
        6 => (mail(octets), reports).prop_map(|(message, reports)| Call::Deliver { message, reports }),
        3 => (name(), places).prop_map(|(name, places)| Call::Flush { name, places }),
        1 => (name(), quota).prop_map(|(name, quota)| Call::SetQuota { name, quota }),
        1 => name().prop_map(|name| Call::Touch { name }),
        1 => seconds().prop_map(|hold| Call::EndUnclaimed { hold }),
        1 => seconds().prop_map(|idle| Call::Sweep { idle }),
    ]
}

fn mail(octets: impl Strategy<Value = usize>) -> impl Strategy<Value = Message> {
    let names = prop::collection::vec(0..NAMES.len(), 0..NAMES.len());
    let binary = any::<u32>().prop_map(|octets| Form::Binary { carried_octets: octets.into() });
    let form = prop_oneof![2 => Just(Form::Text), 1 => binary];
    (names, octets, form).prop_map(|(names, octets, form)| Message { names, octets, form })
}

pub(crate) async fn any_history_leaves_what_it_should(store: &impl Store) {
    let mut runner = TestRunner::deterministic();
    for history in 0..HISTORIES {
        let calls = prop::collection::vec(call(), CALLS).new_tree(&mut runner).unwrap().current();
        let mut model = Model { store, history, accounts: BTreeMap::new(), ids: HashMap::new(), holds: HashMap::new() };
        for (second, call) in (0..).zip(&calls) {
            // Each history has its domain and comes long after the last, whose leases then run out unseen.
            let now = later(history * 1000 + second);
            model.make(call, now).await;
            model.compare_holds(&calls, now).await;
        }
        model.compare(&calls).await;
    }
}

/// What should be in the store.
struct Model<'a, S> {
    store: &'a S,
    history: i64,
    accounts: BTreeMap<usize, Account>,
    /// The last account that had this name.
    ids: HashMap<usize, AccountId>,
    holds: HashMap<usize, Timestamp>,
}

struct Account {
    id: AccountId,
    has_password: bool,
    used_at: Timestamp,
    quota: Quota,
    messages: Vec<(Vec<u8>, Form)>,
}

impl Account {
    fn mailbox(&self) -> Mailbox {
        let octets = self.messages.iter().map(|(bytes, _)| bytes.len() as u64).sum();
        Mailbox { account: self.id, octets, messages: self.messages.len() as u64, quota: self.quota }
    }
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
            Call::Deliver { message, reports } => self.deliver(message, reports, now).await,
            Call::Flush { name, places } => self.flush(*name, places).await,
            Call::SetQuota { name, quota } => {
                if let Some(account) = self.accounts.get_mut(name) {
                    store.set_quota(account.id, *quota).await.unwrap();
                    account.quota = *quota;
                }
            }
            Call::Touch { name } => {
                if let Some(account) = self.accounts.get_mut(name) {
                    account.used_at = now;
                }
                // Whoever had the name last, it may have ended.
                if let Some(id) = self.ids.get(name) {
                    let is_alive = self.accounts.contains_key(name);
                    let ended = if is_alive { Vec::new() } else { vec![*id] };
                    assert_eq!(store.touch(&[*id, *id], now).await.unwrap(), ended);
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
                    .retain(|name, account| account.used_at >= since || (*name >= NUMBERS && account.has_password));
            }
        }
    }

    async fn register(&mut self, name: usize, has_password: bool, now: Timestamp) {
        let password = has_password.then(|| verifier(1));
        let result = self.store.register(&address(&self.text(name)), password.as_ref(), now).await;
        if self.accounts.contains_key(&name) || self.is_held(name, now) {
            assert!(matches!(result, Err(RegisterError::Taken)), "{result:?}");
        } else {
            let (id, quota) = (result.unwrap(), Quota::default());
            let account = Account { id, has_password, used_at: now, quota, messages: Vec::new() };
            self.accounts.insert(name, account);
            self.ids.insert(name, id);
        }
    }

    async fn deliver(&mut self, about: &Message, reports: &[Message], now: Timestamp) {
        let text = |message: &Message| noise(now.0 as u64 ^ (message.octets as u64) << 32, message.octets);
        let envelope = |Message { names, form, .. }: &Message| {
            let to = |name| self.ids.get(name).copied();
            NewMessage { form: *form, ..message(&names.iter().filter_map(to).collect::<Vec<AccountId>>()) }
        };
        let report = |report| Report { message: envelope(report), text: text(report) };
        let body = body(self.store, &text(about)).await;
        let reported = reports.iter().map(report).collect();
        let delivered = self.store.deliver(envelope(about), body, reported).await.unwrap();
        let mut gone = Vec::new();
        for name in about.names.iter().filter(|name| !self.accounts.contains_key(name)) {
            gone.extend(self.ids.get(name).filter(|id| !gone.contains(*id)).copied());
        }
        assert_eq!(delivered.gone, gone, "{about:?}");
        for message in [about].into_iter().chain(reports) {
            let recipients = self.accounts.iter_mut().filter(|(name, _)| message.names.contains(name));
            recipients.for_each(|(_, account)| account.messages.push((text(message), message.form)));
        }
    }

    async fn flush(&mut self, name: usize, places: &[usize]) {
        let Some(account) = self.accounts.get_mut(&name) else { return };
        let there = entries(self.store, account.id).await;
        let flushed: Vec<_> = places.iter().filter_map(|place| there.get(*place).copied()).collect();
        self.store.flush(account.id, &flushed).await.unwrap();
        let mut place = 0..;
        account.messages.retain(|_| !places.contains(&place.next().unwrap()));
    }

    fn is_held(&self, name: usize, now: Timestamp) -> bool {
        self.holds.get(&name).is_some_and(|until| *until > now)
    }

    async fn compare_holds(&self, calls: &[Call], now: Timestamp) {
        for (name, text) in NAMES.iter().enumerate() {
            let is_held = self.store.is_held(&address(&self.text(name)), now).await.unwrap();
            assert_eq!(is_held, self.is_held(name, now), "{text} at {now:?} in {calls:?}");
        }
    }

    async fn compare(&self, calls: &[Call]) {
        let mut expected = Vec::new();
        for (name, text) in NAMES.iter().enumerate() {
            let mailbox = self.store.mailbox(&address(&self.text(name))).await.unwrap();
            let account = self.accounts.get(&name);
            assert_eq!(mailbox, account.map(Account::mailbox), "{text} after {calls:?}");
            let Some(account) = account else { continue };
            let bytes: Vec<_> = account.messages.iter().map(|(bytes, _)| bytes.clone()).collect();
            assert!(contents(self.store, account.id).await == bytes, "{text} after {calls:?}");
            let forms: Vec<_> = account.messages.iter().map(|(_, form)| *form).collect();
            let maildrop = self.store.maildrop(account.id).await.unwrap().entries;
            assert_eq!(Vec::from_iter(maildrop.iter().map(|entry| entry.form)), forms, "{text} after {calls:?}");
            expected.push((account.mailbox(), account.used_at));
        }

        // The names are in the order of their keys.
        let mut listed = self.store.accounts(None, usize::MAX).await.unwrap();
        listed.retain(|summary| summary.account.address.domain().as_str() == self.domain());
        let listed = listed.into_iter().map(|AccountSummary { account, octets, messages, quota }| {
            (Mailbox { account: account.id, octets, messages, quota }, account.used_at)
        });
        assert_eq!(Vec::from_iter(listed), expected, "after {calls:?}");
    }

    fn domain(&self) -> String {
        format!("{}.example", self.history)
    }

    fn text(&self, name: usize) -> String {
        format!("{}@{}", NAMES[name], self.domain())
    }
}
