//! Who has a mailbox.

use store::{Account, AccountId, AccountSummary, Mailbox, Quota, RegisterError, Store, StoreError, Swept, Timestamp};

use crate::common::{NOW, address, contents, deliver, domain, later, register, verifier};

pub(crate) async fn an_account_is_as_registered(store: &impl Store) {
    let id = store.register(&address("Alice@Example.org"), None, NOW).await.unwrap();
    let account = Account { id, address: address("Alice@example.org"), verifier: None, used_at: NOW };
    assert_eq!(store.account(id).await.unwrap(), Some(account));
    for form in ["alice@example.org", "ALICE+lists@example.org", "\"alice\"@EXAMPLE.ORG"] {
        let mailbox = store.mailbox(&address(form)).await.unwrap();
        let expected = Mailbox { account: id, octets: 0, messages: 0, quota: Quota::default() };
        assert_eq!(mailbox, Some(expected), "{form}");
    }
    for other in ["bob@example.org", "alice@example.com", "+alice@example.org"] {
        assert_eq!(store.mailbox(&address(other)).await.unwrap(), None, "{other}");
    }
}

pub(crate) async fn an_address_has_one_account(store: &impl Store) {
    register(store, "alice@example.org").await;
    for form in ["alice@example.org", "Alice@example.org", "alice+x@example.org"] {
        let again = store.register(&address(form), None, later(1_000_000)).await;
        assert!(matches!(again, Err(RegisterError::Taken)), "{form}: {again:?}");
    }
    register(store, "alice@example.com").await;
}

pub(crate) async fn an_ended_account_leaves_a_hold(store: &impl Store) {
    let id = register(store, "7@example.org").await;
    store.end_account(id, later(60)).await.unwrap();
    assert_eq!(store.account(id).await.unwrap(), None);
    assert_eq!(store.mailbox(&address("7@example.org")).await.unwrap(), None);

    let held = store.register(&address("7@example.org"), None, later(59)).await;
    assert!(matches!(held, Err(RegisterError::Taken)), "{held:?}");
    let next = store.register(&address("7@example.org"), None, later(60)).await.unwrap();
    assert_ne!(next, id);
    assert_eq!(store.account(id).await.unwrap(), None);
}

pub(crate) async fn an_address_is_held_for_a_while(store: &impl Store) {
    let is_held = async |text, now| store.is_held(&address(text), now).await.unwrap();
    assert!(!is_held("Alice@example.org", NOW).await);
    let id = register(store, "Alice@example.org").await;
    assert!(!is_held("Alice@example.org", NOW).await);
    store.end_account(id, later(60)).await.unwrap();
    for form in ["Alice@example.org", "alice@example.org", "ALICE+lists@example.org", "\"alice\"@EXAMPLE.ORG"] {
        assert!(is_held(form, later(59)).await, "{form}");
        assert!(!is_held(form, later(60)).await, "{form}");
    }
    for other in ["bob@example.org", "alice@example.com", "+alice@example.org"] {
        assert!(!is_held(other, NOW).await, "{other}");
    }

    // What is somebody's again is not held any more, whatever the time.
    store.register(&address("alice@example.org"), Some(&verifier(1)), later(60)).await.unwrap();
    assert!(!is_held("alice@example.org", NOW).await);

    store.register(&address("7@example.org"), None, NOW).await.unwrap();
    store.end_unclaimed(later(60)).await.unwrap();
    assert!(is_held("7@example.org", later(59)).await);
    store.sweep(NOW, later(60)).await.unwrap();
    assert!(!is_held("7@example.org", later(59)).await);
}

/// How long accounts with a number are kept, and addresses held, in what follows.
const LEASE: i64 = 100;

/// Three accounts that were used at different times, the last one now, and two addresses, one held for 60 seconds from now on, one
/// free again.
async fn used_until_now(store: &impl Store) {
    for (text, seconds) in [("5@example.org", -90), ("alice@example.org", -30), ("6@example.org", 0)] {
        store.register(&address(text), Some(&verifier(1)), later(seconds)).await.unwrap();
    }
    for (text, held_until) in [("7@example.org", 60), ("8@example.org", -10)] {
        let id = store.register(&address(text), Some(&verifier(1)), later(-90)).await.unwrap();
        store.end_account(id, later(held_until)).await.unwrap();
    }
}

/// Sweeps at this time. Which of the three accounts are there after that, and which of the two addresses are held.
async fn left_at(store: &impl Store, now: Timestamp) -> Vec<&'static str> {
    store.sweep(Timestamp(now.0 - LEASE), now).await.unwrap();
    let mut left = Vec::new();
    for text in ["5@example.org", "alice@example.org", "6@example.org", "7@example.org", "8@example.org"] {
        let is_there = store.mailbox(&address(text)).await.unwrap().is_some();
        if is_there || store.is_held(&address(text), now).await.unwrap() {
            left.push(text.split('@').next().unwrap());
        }
    }
    left
}

pub(crate) async fn leases_go_on_after_a_jump_of_the_clock(store: &impl Store) {
    const YEAR: i64 = 366 * 24 * 60 * 60;
    used_until_now(store).await;
    // There and back, and as far again to the other side: what is left of each lease stays the same.
    let mut time = NOW;
    for jump in [YEAR, -YEAR, -YEAR, YEAR, LEASE + 1, -1] {
        let now = Timestamp(time.0 + jump);
        let moved = store.resume(Timestamp(now.0 - LEASE), now).await.unwrap();
        assert_eq!(moved, jump);
        time = now;
        assert_eq!(left_at(store, time).await, ["5", "alice", "6", "7"], "after a jump by {jump}");
    }
    assert_eq!(left_at(store, Timestamp(time.0 + 10)).await, ["5", "alice", "6", "7"]);
    assert_eq!(left_at(store, Timestamp(time.0 + 11)).await, ["alice", "6", "7"]);
    assert_eq!(left_at(store, Timestamp(time.0 + 59)).await, ["alice", "6", "7"]);
    assert_eq!(left_at(store, Timestamp(time.0 + 60)).await, ["alice", "6"]);
    assert_eq!(left_at(store, Timestamp(time.0 + 101)).await, ["alice"]);
}

pub(crate) async fn time_goes_by_between_two_starts(store: &impl Store) {
    assert_eq!(store.resume(later(-LEASE), NOW).await.unwrap(), 0, "nobody was ever here");
    used_until_now(store).await;
    for seconds in [0, 11, LEASE] {
        assert_eq!(store.resume(later(seconds - LEASE), later(seconds)).await.unwrap(), 0);
    }
    assert_eq!(left_at(store, later(11)).await, ["alice", "6", "7"]);
}

pub(crate) async fn a_start_makes_no_hold_longer_than_a_lease(store: &impl Store) {
    // The operator removes an account that nobody has used for long.
    let id = register(store, "alice@example.org").await;
    store.end_account(id, later(1000 + LEASE)).await.unwrap();
    assert_eq!(store.resume(later(1050 - LEASE), later(1050)).await.unwrap(), 1050);
    assert!(store.is_held(&address("alice@example.org"), later(1149)).await.unwrap());
    assert!(!store.is_held(&address("alice@example.org"), later(1150)).await.unwrap());
}

pub(crate) async fn idle_accounts_with_names_stay_idle(store: &impl Store) {
    let id = register(store, "alice@example.org").await;
    store.resume(later(1000 - LEASE), later(1000)).await.unwrap();
    assert_eq!(store.account(id).await.unwrap().unwrap().used_at, NOW);
    // But nobody was here in times to come.
    store.resume(later(-1000 - LEASE), later(-1000)).await.unwrap();
    assert_eq!(store.account(id).await.unwrap().unwrap().used_at, later(-1000));
}

pub(crate) async fn ending_twice_is_ending_once(store: &impl Store) {
    let id = register(store, "7@example.org").await;
    store.end_account(id, later(60)).await.unwrap();
    store.end_account(id, later(6000)).await.unwrap();
    let next = store.register(&address("7@example.org"), None, later(60)).await.unwrap();
    store.end_account(id, later(6000)).await.unwrap();
    assert!(store.account(next).await.unwrap().is_some());
}

pub(crate) async fn the_next_free_number(store: &impl Store) {
    let free = async |from, now| store.next_free_number(&domain(), from, now).await.unwrap();
    assert_eq!(free(0, NOW).await, 0);
    for text in ["5@example.org", "6@example.org", "8@example.org", "9@example.com", "10x@example.org"] {
        register(store, text).await;
    }
    let held = register(store, "7@example.org").await;
    store.end_account(held, later(60)).await.unwrap();
    assert_eq!(free(4, NOW).await, 4);
    assert_eq!(free(5, NOW).await, 9);
    assert_eq!(free(10, NOW).await, 10);
    assert_eq!(free(5, later(59)).await, 9);
    assert_eq!(free(5, later(60)).await, 7);

    register(store, "4294967295@example.org").await;
    let none = store.next_free_number(&domain(), u32::MAX, NOW).await;
    assert!(matches!(none, Err(StoreError::Failed(_))), "{none:?}");
}

pub(crate) async fn a_password_can_be_set(store: &impl Store) {
    let id = store.register(&address("alice@example.org"), None, NOW).await.unwrap();
    for salt in [1, 2] {
        store.set_verifier(id, &verifier(salt)).await.unwrap();
        assert_eq!(store.account(id).await.unwrap().unwrap().verifier, Some(verifier(salt)));
    }
    store.end_account(id, NOW).await.unwrap();
    let late = store.set_verifier(id, &verifier(3)).await;
    assert!(matches!(late, Err(StoreError::Failed(_))), "{late:?}");
    register(store, "bob@example.org").await;
}

pub(crate) async fn a_quota_can_be_set(store: &impl Store) {
    let (id, bob) = (register(store, "alice@example.org").await, register(store, "bob@example.org").await);
    let found = async |text| store.mailbox(&address(text)).await.unwrap().unwrap().quota;
    deliver(store, &[id], b"more than the quota").await;
    for (octets, messages) in [(Some(0), None), (None, Some(7)), (Some(i64::MAX as u64), Some(1)), (None, None)] {
        let quota = Quota { octets, messages };
        store.set_quota(id, quota).await.unwrap();
        assert_eq!(found("alice@example.org").await, quota);
        assert_eq!(store.summary(id).await.unwrap().unwrap().quota, quota);
        assert_eq!(found("bob@example.org").await, Quota::default());
    }

    let quota = Quota { octets: Some(5), messages: Some(6) };
    store.set_quota(id, quota).await.unwrap();
    for endless in [Quota { octets: Some(u64::MAX), ..quota }, Quota { messages: Some(u64::MAX), ..quota }] {
        let refused = store.set_quota(id, endless).await;
        assert!(matches!(refused, Err(StoreError::Failed(_))), "{refused:?}");
    }
    assert_eq!(found("alice@example.org").await, quota);

    // It goes with the account.
    store.end_account(id, NOW).await.unwrap();
    let late = store.set_quota(id, quota).await;
    assert!(matches!(late, Err(StoreError::Failed(_))), "{late:?}");
    register(store, "alice@example.org").await;
    assert_eq!(found("alice@example.org").await, Quota::default());
    store.set_quota(bob, quota).await.unwrap();
}

pub(crate) async fn accounts_are_listed_by_key(store: &impl Store) {
    assert_eq!(store.accounts(None, 10).await.unwrap(), []);
    let texts = ["bob@example.org", "7@example.org", "Alice@example.org", "zoë@example.org", "alice@example.com"];
    let mut expected = Vec::new();
    for text in texts {
        let id = store.register(&address(text), None, NOW).await.unwrap();
        let account = Account { id, address: address(text), verifier: None, used_at: NOW };
        expected.push(AccountSummary { account, octets: 0, messages: 0, quota: Quota::default() });
    }
    let ended = register(store, "carol@example.org").await;
    store.end_account(ended, later(60)).await.unwrap();
    assert_eq!(store.summary(ended).await.unwrap(), None);

    store.set_verifier(expected[0].account.id, &verifier(1)).await.unwrap();
    expected[0].account.verifier = Some(verifier(1));
    deliver(store, &[expected[0].account.id, expected[1].account.id], b"hello").await;
    deliver(store, &[expected[1].account.id], b"hello again").await;
    (expected[0].octets, expected[0].messages) = (5, 1);
    (expected[1].octets, expected[1].messages) = (16, 2);
    for summary in &expected {
        assert_eq!(store.summary(summary.account.id).await.unwrap().as_ref(), Some(summary));
    }

    let key = |summary: &AccountSummary| summary.account.address.key();
    expected.sort_by_key(key);
    assert_eq!(store.accounts(None, usize::MAX).await.unwrap(), expected);
    for limit in [1, 2, 5] {
        let (mut listed, mut after) = (Vec::new(), None);
        loop {
            let page = store.accounts(after.as_deref(), limit).await.unwrap();
            let Some(last) = page.last() else { break };
            assert!(page.len() <= limit && listed.len() < expected.len());
            after = Some(key(last));
            listed.extend(page);
        }
        assert_eq!(listed, expected, "by {limit}");
    }
    assert_eq!(store.accounts(None, 0).await.unwrap(), []);
    // The key need not be an account's, or not any more.
    let behind = store.accounts(Some(&address("carol@example.org").key()), 1).await.unwrap();
    assert_eq!(
        behind,
        [expected.into_iter().find(|summary| key(summary) > address("carol@example.org").key()).unwrap()]
    );
}

pub(crate) async fn accounts_without_a_password_end(store: &impl Store) {
    let claimed = register(store, "alice@example.org").await;
    let mut unclaimed = Vec::new();
    for text in ["bob@example.org", "7@example.org"] {
        unclaimed.push(store.register(&address(text), None, NOW).await.unwrap());
    }
    assert_eq!(store.end_unclaimed(later(60)).await.unwrap(), 2);
    assert_eq!(store.end_unclaimed(later(60)).await.unwrap(), 0);
    assert!(store.account(claimed).await.unwrap().is_some());
    for id in unclaimed {
        assert_eq!(store.account(id).await.unwrap(), None);
    }
    assert_eq!(store.next_free_number(&domain(), 7, later(59)).await.unwrap(), 8);
    assert_eq!(store.next_free_number(&domain(), 7, later(60)).await.unwrap(), 7);
}

pub(crate) async fn a_touched_account_is_used(store: &impl Store) {
    let (alice, bob) = (register(store, "alice@example.org").await, register(store, "bob@example.org").await);
    assert_eq!(store.touch(&[alice], later(10)).await.unwrap(), []);
    assert_eq!(store.account(alice).await.unwrap().unwrap().used_at, later(10));
    assert_eq!(store.account(bob).await.unwrap().unwrap().used_at, NOW);
}

pub(crate) async fn who_touches_learns_of_what_has_ended(store: &impl Store) {
    let living = register(store, "alice@example.org").await;
    let (removed, swept) = (register(store, "bob@example.org").await, register(store, "7@example.org").await);
    store.touch(&[living], later(10)).await.unwrap();
    store.end_account(removed, later(60)).await.unwrap();
    store.sweep(later(10), later(10)).await.unwrap();
    // Bob's address belongs to somebody else by now.
    store.register(&address("bob@example.org"), None, later(60)).await.unwrap();
    let ended = store.touch(&[removed, living, swept, removed], later(60)).await.unwrap();
    assert_eq!(sorted(ended), [removed, swept]);
    assert_eq!(store.account(living).await.unwrap().unwrap().used_at, later(60));
}

fn sorted(mut accounts: Vec<AccountId>) -> Vec<AccountId> {
    accounts.sort();
    accounts
}

pub(crate) async fn a_sweep_ends_accounts_that_lost_their_session(store: &impl Store) {
    let mut accounts = Vec::new();
    for text in ["7@example.org", "alice@example.org", "8@example.org", "bob@example.org"] {
        accounts.push(store.register(&address(text), None, NOW).await.unwrap());
    }
    store.touch(&accounts[2..], later(10)).await.unwrap();
    deliver(store, &accounts, b"hello").await;
    assert_eq!(store.sweep(NOW, NOW).await.unwrap(), Swept { accounts: 0, addresses: 0 });
    assert_eq!(store.sweep(later(10), later(10)).await.unwrap(), Swept { accounts: 2, addresses: 2 });
    assert_eq!(sorted(store.touch(&accounts, later(10)).await.unwrap()), accounts[..2]);
    assert_eq!(contents(store, accounts[2]).await, [b"hello"]);
    // Their addresses have had their time.
    for text in ["7@example.org", "alice@example.org"] {
        store.register(&address(text), None, later(10)).await.unwrap();
    }
}

pub(crate) async fn a_sweep_ends_idle_leases_and_old_holds(store: &impl Store) {
    let swept = async |idle_since: Timestamp, now| store.sweep(idle_since, now).await.unwrap();
    let idle = register(store, "7@example.org").await;
    let touched = register(store, "8@example.org").await;
    let named = register(store, "alice@example.org").await;
    let unclaimed = store.register(&address("9@example.org"), None, NOW).await.unwrap();
    let ended = register(store, "10@example.org").await;
    deliver(store, &[idle, named], b"hello").await;
    store.touch(&[touched, unclaimed], later(10)).await.unwrap();
    store.end_account(ended, later(60)).await.unwrap();

    assert_eq!(swept(NOW, NOW).await, Swept { accounts: 0, addresses: 0 });
    assert_eq!(swept(later(10), later(10)).await, Swept { accounts: 1, addresses: 1 });
    assert_eq!(store.account(idle).await.unwrap(), None);
    for id in [touched, named, unclaimed] {
        assert!(store.account(id).await.unwrap().is_some(), "{id:?}");
    }
    assert_eq!(store.next_free_number(&domain(), 7, later(10)).await.unwrap(), 7);
    assert_eq!(store.mailbox(&address("alice@example.org")).await.unwrap().unwrap().octets, 5);

    assert_eq!(swept(NOW, later(59)).await, Swept { accounts: 0, addresses: 0 });
    assert_eq!(swept(NOW, later(60)).await, Swept { accounts: 0, addresses: 1 });
}
