//! What is in a mailbox.

use proto::ReversePath;
use store::{EntryId, Form, MaildropEntry, NewMessage, Recipient, Store, StoreError, StoredMessage};

use crate::common::{NOW, address, body, contents, deliver, entries, message, noise, read, register};

pub(crate) async fn a_message_is_in_all_its_mailboxes(store: &impl Store) {
    let (alice, bob) = (register(store, "alice@example.org").await, register(store, "bob@example.org").await);
    let carol = register(store, "carol@example.org").await;
    deliver(store, &[alice, bob], b"to both").await;
    deliver(store, &[bob], b"to bob").await;
    assert_eq!(contents(store, alice).await, [b"to both"]);
    assert_eq!(contents(store, bob).await, [&b"to both"[..], b"to bob"]);
    assert_eq!(contents(store, carol).await, [b""; 0]);
    for (text, octets, messages) in
        [("alice@example.org", 7, 1), ("bob@example.org", 13, 2), ("carol@example.org", 0, 0)]
    {
        let mailbox = store.mailbox(&address(text)).await.unwrap().unwrap();
        assert_eq!((mailbox.octets, mailbox.messages), (octets, messages), "{text}");
    }
}

pub(crate) async fn a_recipient_named_twice_gets_it_once(store: &impl Store) {
    let alice = register(store, "alice@example.org").await;
    assert_eq!(deliver(store, &[alice, alice], b"hello").await.gone, []);
    assert_eq!(contents(store, alice).await, [b"hello"]);
    let mailbox = store.mailbox(&address("alice@example.org")).await.unwrap().unwrap();
    assert_eq!((mailbox.octets, mailbox.messages), (5, 1));
}

pub(crate) async fn ended_accounts_are_passed_over(store: &impl Store) {
    let (alice, bob) = (register(store, "alice@example.org").await, register(store, "bob@example.org").await);
    store.end_account(alice, NOW).await.unwrap();
    deliver(store, &[alice, bob], b"hello").await;
    assert_eq!(contents(store, bob).await, [b"hello"]);
    assert_eq!(entries(store, alice).await, []);

    store.end_account(bob, NOW).await.unwrap();
    let nobodys = deliver(store, &[alice, bob], b"hello").await.message;
    let carol = register(store, "carol@example.org").await;
    assert!(deliver(store, &[carol], b"hello").await.message > nobodys);
}

pub(crate) async fn who_is_gone_is_named_once(store: &impl Store) {
    let (alice, bob) = (register(store, "alice@example.org").await, register(store, "bob@example.org").await);
    let carol = register(store, "carol@example.org").await;
    assert_eq!(deliver(store, &[carol, alice, bob], b"hello").await.gone, []);
    store.end_account(alice, NOW).await.unwrap();
    store.end_account(carol, NOW).await.unwrap();
    // Whoever has the address by now is somebody else.
    let next = register(store, "alice@example.org").await;
    for octets in [5, 100_000] {
        let delivered = deliver(store, &[carol, bob, alice, carol, bob, alice], &noise(1, octets)).await;
        assert_eq!(delivered.gone, [carol, alice]);
        assert_eq!(deliver(store, &[alice, carol, alice], &noise(1, octets)).await.gone, [alice, carol]);
    }
    assert_eq!(deliver(store, &[], b"hello").await.gone, []);
    assert_eq!(entries(store, bob).await.len(), 3);
    assert_eq!(entries(store, next).await, []);
}

pub(crate) async fn the_envelope_is_kept(store: &impl Store) {
    let (alice, bob) = (register(store, "alice@example.org").await, register(store, "bob@example.org").await);
    let recipients = [(alice, "Alice+lists@example.org"), (bob, "bob@example.org")];
    for sender in [ReversePath::Null, ReversePath::Address(address("\"a b\"@[192.0.2.1]"))] {
        let envelope = NewMessage {
            reverse_path: sender.clone(),
            recipients: recipients.map(|(account, text)| Recipient { account, address: address(text) }).to_vec(),
            trace: "Received: by a\r\n\twith b\r\n".to_owned(),
            received_at: NOW,
            form: Form::Text,
        };
        store.deliver(envelope, body(store, b"hello").await, Vec::new()).await.unwrap();
        for (account, text) in recipients {
            let entry = entries(store, account).await[0];
            let (message, _) = store.open(account, entry).await.unwrap().unwrap();
            let expected = StoredMessage {
                reverse_path: sender.clone(),
                recipient: address(text),
                trace: "Received: by a\r\n\twith b\r\n".to_owned(),
                octets: 5,
                form: Form::Text,
            };
            assert_eq!(message, expected);
            store.flush(account, &[entry]).await.unwrap();
        }
    }
}

pub(crate) async fn the_form_is_kept(store: &impl Store) {
    let alice = register(store, "alice@example.org").await;
    let binary = |carried_octets| Form::Binary { carried_octets };
    for form in [Form::Text, binary(0), binary(700), binary(i64::MAX as u64)] {
        for octets in [500, 100_000] {
            let message = NewMessage { form, ..message(&[alice]) };
            store.deliver(message, body(store, &noise(1, octets)).await, Vec::new()).await.unwrap();
            let entry = store.maildrop(alice).await.unwrap().entries[0];
            let (stored, _) = store.open(alice, entry.id).await.unwrap().unwrap();
            assert_eq!((entry.form, stored.form), (form, form));
            assert_eq!((entry.octets, stored.octets), (octets as u64, octets as u64));
            // A binary message counts as it was sent.
            let mailbox = store.mailbox(&address("alice@example.org")).await.unwrap().unwrap();
            assert_eq!(mailbox.octets, octets as u64);
            store.flush(alice, &[entry.id]).await.unwrap();
        }
    }

    let endless = NewMessage { form: binary(u64::MAX), ..message(&[alice]) };
    let refused = store.deliver(endless, body(store, b"hello").await, Vec::new()).await;
    assert!(matches!(refused, Err(StoreError::Failed(_))), "{refused:?}");
    deliver(store, &[alice], b"the store goes on").await;
}

pub(crate) async fn a_maildrop_is_a_snapshot_in_order(store: &impl Store) {
    let (alice, bob) = (register(store, "alice@example.org").await, register(store, "bob@example.org").await);
    for octets in 0..20 {
        deliver(store, &[bob], b"between").await;
        deliver(store, &[alice], &vec![b'x'; octets]).await;
    }
    let before = store.maildrop(alice).await.unwrap();
    let octets: Vec<u64> = before.entries.iter().map(|entry| entry.octets).collect();
    assert_eq!(octets, Vec::from_iter(0..20));
    assert!(before.entries.is_sorted_by_key(|entry| entry.id));
    let trace_octets = message(&[alice]).trace.len() as u64;
    assert!(before.entries.iter().all(|entry| entry.trace_octets == trace_octets && entry.received_at == NOW));

    deliver(store, &[alice], b"later").await;
    let after = store.maildrop(alice).await.unwrap().entries;
    assert_eq!(after[..20], before.entries);
    assert!(matches!(after[20..], [MaildropEntry { octets: 5, .. }]));
}

pub(crate) async fn only_ones_own_mail_can_be_read(store: &impl Store) {
    let (alice, bob) = (register(store, "alice@example.org").await, register(store, "bob@example.org").await);
    deliver(store, &[alice], b"to alice").await;
    let entry = entries(store, alice).await[0];
    assert_eq!(read(store, bob, entry).await, None);
    assert_eq!(read(store, alice, EntryId(entry.0 + 1)).await, None);
    assert_eq!(read(store, alice, entry).await.unwrap(), b"to alice");
}

pub(crate) async fn flushing_is_idempotent(store: &impl Store) {
    let alice = register(store, "alice@example.org").await;
    for text in ["a", "bb", "ccc", "dddd"] {
        deliver(store, &[alice], text.as_bytes()).await;
    }
    let all = entries(store, alice).await;
    store.flush(alice, &[]).await.unwrap();
    for gone in [&all[1..2], &all[0..3], &all[0..3]] {
        store.flush(alice, gone).await.unwrap();
    }
    assert_eq!(entries(store, alice).await, all[3..]);
    let mailbox = store.mailbox(&address("alice@example.org")).await.unwrap().unwrap();
    assert_eq!((mailbox.octets, mailbox.messages), (4, 1));
}

pub(crate) async fn flushing_leaves_other_mail_alone(store: &impl Store) {
    let (alice, bob) = (register(store, "alice@example.org").await, register(store, "bob@example.org").await);
    deliver(store, &[alice, bob], b"to both").await;
    deliver(store, &[bob], b"to bob").await;
    let all = entries(store, bob).await;
    store.flush(alice, &all).await.unwrap();
    assert_eq!(entries(store, alice).await, []);
    assert_eq!(contents(store, bob).await, [&b"to both"[..], b"to bob"]);
    store.flush(bob, &all).await.unwrap();
    assert_eq!(entries(store, bob).await, []);
}

pub(crate) async fn ids_are_not_used_again(store: &impl Store) {
    let alice = register(store, "alice@example.org").await;
    let (mut messages, mut all) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        messages.push(deliver(store, &[alice], b"hello").await.message);
        let there = entries(store, alice).await;
        store.flush(alice, &there).await.unwrap();
        all.extend(there);
    }
    assert!(messages.is_sorted_by(|a, b| a < b), "{messages:?}");
    assert!(all.is_sorted_by(|a, b| a < b), "{all:?}");

    let last = register(store, "bob@example.org").await;
    store.end_account(last, NOW).await.unwrap();
    store.sweep(NOW, NOW).await.unwrap();
    assert!(register(store, "carol@example.org").await > last);
}

pub(crate) async fn an_account_takes_its_mail_along(store: &impl Store) {
    let (alice, bob) = (register(store, "alice@example.org").await, register(store, "bob@example.org").await);
    deliver(store, &[alice, bob], b"to both").await;
    deliver(store, &[alice], b"to alice").await;
    let entry = entries(store, alice).await[0];
    store.end_account(alice, NOW).await.unwrap();
    assert_eq!(entries(store, alice).await, []);
    assert_eq!(read(store, alice, entry).await, None);
    assert_eq!(contents(store, bob).await, [b"to both"]);

    let next = register(store, "alice@example.org").await;
    assert_eq!(entries(store, next).await, []);
    let mailbox = store.mailbox(&address("alice@example.org")).await.unwrap().unwrap();
    assert_eq!((mailbox.octets, mailbox.messages), (0, 0));
}
