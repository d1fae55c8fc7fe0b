//! What a move to another store asks for, and what it puts there.

use proto::ReversePath;
use store::{
    EntryId, Form, HeldAddress, KeptMessage, MessageId, NewMessage, PUT_BACK_MAX, Recipient, Store, StoreError,
};

use crate::common::{NOW, address, body, contents, deliver, entries, later, message, noise, read, register};

/// Puts one message back.
async fn put_back<S: Store>(store: &S, id: i64, message: NewMessage, bytes: &[u8]) -> Result<(), StoreError> {
    let body = body(store, bytes).await;
    store.put_back(vec![(MessageId(id), message, body)]).await
}

pub(crate) async fn messages_are_listed_with_all_their_places(store: &impl Store) {
    let (alice, bob) = (register(store, "alice@example.org").await, register(store, "bob@example.org").await);
    assert_eq!(store.messages(None, 10).await.unwrap(), []);
    let mut expected = Vec::new();
    for (seconds, octets, form) in
        [(0, 5, Form::Text), (1, 100_000, Form::Binary { carried_octets: 7 }), (2, 0, Form::Text), (3, 9, Form::Text)]
    {
        let recipients = vec![
            Recipient { account: alice, address: address("Alice+lists@example.org") },
            Recipient { account: bob, address: address("anybody@example.com") },
        ];
        let message = NewMessage {
            reverse_path: ReversePath::Address(address("carol@example.org")),
            recipients: if seconds == 2 { recipients[1..].to_vec() } else { recipients },
            trace: format!("Received: by {seconds}\r\n"),
            received_at: later(seconds),
            form,
        };
        let body = body(store, &noise(1, octets)).await;
        let id = store.deliver(message.clone(), body, Vec::new()).await.unwrap().message;
        expected.push(KeptMessage { id, octets: octets as u64, message });
    }
    assert_eq!(store.messages(None, 10).await.unwrap(), expected);
    assert_eq!(store.messages(None, 3).await.unwrap(), expected[..3]);
    assert_eq!(store.messages(Some(expected[0].id), 2).await.unwrap(), expected[1..3]);
    assert_eq!(store.messages(Some(expected[3].id), 2).await.unwrap(), []);
    // That is where its bytes are.
    let entry = EntryId(expected[1].id.0);
    assert!(read(store, bob, entry).await.unwrap() == noise(1, 100_000));

    // A place that is flushed is none any more, and a message without any is gone.
    store.flush(bob, &[entry, EntryId(expected[2].id.0)]).await.unwrap();
    expected.remove(2);
    expected[1].message.recipients.pop();
    assert_eq!(store.messages(None, 10).await.unwrap(), expected);
    store.end_account(alice, NOW).await.unwrap();
    expected.remove(1);
    expected.iter_mut().for_each(|kept| drop(kept.message.recipients.remove(0)));
    assert_eq!(store.messages(None, 10).await.unwrap(), expected);
}

pub(crate) async fn holds_are_listed_by_key(store: &impl Store) {
    let mut expected = Vec::new();
    for (seconds, text) in (1..).zip(["bob@example.org", "7@example.org", "Alice@example.org", "zoë@example.org"]) {
        let id = register(store, text).await;
        store.touch(&[id], later(seconds)).await.unwrap();
        assert_eq!(store.holds(None, 10).await.unwrap().len(), expected.len(), "{text} lives");
        let held = HeldAddress { address: address(text), used_at: later(seconds), held_until: later(60 + seconds) };
        store.end_account(id, held.held_until).await.unwrap();
        expected.push(held);
    }
    expected.sort_by_key(|held| held.address.key());
    assert_eq!(store.holds(None, 10).await.unwrap(), expected);
    assert_eq!(store.holds(None, 2).await.unwrap(), expected[..2]);
    let after = expected[1].address.key();
    assert_eq!(store.holds(Some(&after), 10).await.unwrap(), expected[2..]);

    // The hold of the first that ended is over, that of the last begins anew.
    store.sweep(NOW, later(61)).await.unwrap();
    expected.retain(|held| held.held_until > later(61));
    assert_eq!(store.holds(None, 10).await.unwrap(), expected);
    store.sweep(NOW, later(100)).await.unwrap();
    assert_eq!(store.holds(None, 10).await.unwrap(), []);
}

pub(crate) async fn what_is_put_back_keeps_its_id(store: &impl Store) {
    let (alice, bob) = (register(store, "alice@example.org").await, register(store, "bob@example.org").await);
    let ended = register(store, "carol@example.org").await;
    store.end_account(ended, NOW).await.unwrap();
    let form = Form::Binary { carried_octets: 7 };
    let texts = [noise(1, 5), noise(2, 100_000), noise(3, 0), noise(4, 1_000_000)];
    let mut messages = Vec::new();
    for (id, text) in [7, 8, 1000, 1001].into_iter().zip(&texts) {
        let to = if id == 8 { &[alice, ended][..] } else { &[alice, bob] };
        messages.push((MessageId(id), NewMessage { form, ..message(to) }, body(store, text).await));
    }
    store.put_back(messages).await.unwrap();
    assert_eq!(entries(store, alice).await, [7, 8, 1000, 1001].map(EntryId));
    assert_eq!(entries(store, bob).await, [7, 1000, 1001].map(EntryId));
    assert!(contents(store, alice).await == texts);
    let listed = store.messages(None, 10).await.unwrap();
    assert_eq!(Vec::from_iter(listed.iter().map(|kept| kept.id.0)), [7, 8, 1000, 1001]);
    assert_eq!(listed[0].message, NewMessage { form, ..message(&[alice, bob]) });
    assert_eq!(listed[1].message, NewMessage { form, ..message(&[alice]) });
    let mailbox = store.mailbox(&address("bob@example.org")).await.unwrap().unwrap();
    assert_eq!((mailbox.octets, mailbox.messages), (1_000_005, 3));

    // One that nobody gets takes its id along all the same.
    put_back(store, 2000, message(&[ended]), b"hello").await.unwrap();
    assert!(deliver(store, &[alice], b"later").await.message.0 > 2000);
    store.put_back(Vec::new()).await.unwrap();
}

pub(crate) async fn what_is_put_back_again_is_passed_over(store: &impl Store) {
    let alice = register(store, "alice@example.org").await;
    put_back(store, 5, message(&[alice]), b"five").await.unwrap();
    put_back(store, 9, message(&[alice]), b"nine").await.unwrap();
    // Other bytes, so that it shows which are there.
    for id in [1, 5, 7, 9] {
        for octets in [3, 100_000, 1_000_000] {
            put_back(store, id, message(&[alice]), &noise(1, octets)).await.unwrap();
        }
    }
    assert_eq!(contents(store, alice).await, [b"five", b"nine"]);
    store.flush(alice, &[EntryId(9)]).await.unwrap();
    put_back(store, 9, message(&[alice]), b"nine").await.unwrap();
    assert_eq!(entries(store, alice).await, [EntryId(5)]);

    // Of those that are put back together only some may be new.
    let mut messages = Vec::new();
    for id in 8..12 {
        messages.push((MessageId(id), message(&[alice]), body(store, id.to_string().as_bytes()).await));
    }
    store.put_back(messages).await.unwrap();
    assert_eq!(contents(store, alice).await, [&b"five"[..], b"10", b"11"]);
    let delivered = deliver(store, &[alice], b"later").await.message;
    put_back(store, delivered.0, message(&[alice]), b"of another store").await.unwrap();
    assert_eq!(contents(store, alice).await.last().unwrap(), b"later");
}

pub(crate) async fn ids_that_make_no_sense_are_refused(store: &impl Store) {
    let alice = register(store, "alice@example.org").await;
    let too_many = Vec::from_iter(1..=PUT_BACK_MAX as i64 + 1);
    for ids in [&[5, 4][..], &[5, 5], &[i64::MAX], &too_many] {
        let mut messages = Vec::new();
        for id in ids {
            messages.push((MessageId(*id), message(&[alice]), body(store, b"hello").await));
        }
        let refused = store.put_back(messages).await;
        assert!(matches!(refused, Err(StoreError::Failed(_))), "{ids:?}: {refused:?}");
    }
    assert_eq!(entries(store, alice).await, []);
    let mut messages = Vec::new();
    for id in &too_many[1..] {
        messages.push((MessageId(*id), message(&[alice]), body(store, b"hello").await));
    }
    store.put_back(messages).await.unwrap();
    assert_eq!(entries(store, alice).await.len(), PUT_BACK_MAX);
}
