//! Who has a mailbox.

use store::{Account, Mailbox, RegisterError, Store, StoreError, Swept, Timestamp};

use crate::common::{NOW, address, deliver, domain, later, register, verifier};

pub(crate) async fn an_account_is_as_registered(store: &impl Store) {
    let id = store.register(&address("Alice@Example.org"), None, NOW).await.unwrap();
    let account = Account { id, address: address("Alice@example.org"), verifier: None, used_at: NOW };
    assert_eq!(store.account(id).await.unwrap(), Some(account));
    for form in ["alice@example.org", "ALICE+lists@example.org", "\"alice\"@EXAMPLE.ORG"] {
        let mailbox = store.mailbox(&address(form)).await.unwrap();
        assert_eq!(mailbox, Some(Mailbox { account: id, octets: 0 }), "{form}");
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
    store.touch(&[alice], later(10)).await.unwrap();
    assert_eq!(store.account(alice).await.unwrap().unwrap().used_at, later(10));
    assert_eq!(store.account(bob).await.unwrap().unwrap().used_at, NOW);
}

pub(crate) async fn a_sweep_ends_idle_leases_and_old_holds(store: &impl Store) {
    let swept = async |idle_since: Timestamp, now| store.sweep(idle_since, now).await.unwrap();
    let idle = register(store, "7@example.org").await;
    let touched = register(store, "8@example.org").await;
    let named = register(store, "alice@example.org").await;
    let unclaimed = store.register(&address("9@example.org"), None, NOW).await.unwrap();
    let ended = register(store, "10@example.org").await;
    deliver(store, &[idle, named], b"hello").await;
    store.touch(&[touched], later(10)).await.unwrap();
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
