//! What is in a store that moves, and how the work is broken off.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use proto::ReversePath;
use store::{
    Account, AccountId, AccountSummary, EntryId, Form, HeldAddress, NewMessage, Progress, Quota, Recipient,
    RegistrationMode, Store, Token,
};

use crate::common::{NOW, address, body, entries, later, noise, read, register, verifier};

pub(crate) const SECRET: [u8; 32] = [7; 32];
/// So small that there are many files.
pub(crate) const SMALL_PART: u64 = 20_000;

/// What is in a store, but for the ids of its accounts.
#[derive(Debug, PartialEq)]
pub(crate) struct Contents {
    pub(crate) accounts: Vec<(String, Account, u64, u64, Quota)>,
    pub(crate) holds: Vec<HeldAddress>,
    tokens: Vec<Token>,
    mode: RegistrationMode,
    secret: [u8; 32],
    /// By the key of the account and the id: envelope, octets and bytes.
    pub(crate) mail: BTreeMap<(String, i64), (NewMessage, u64, Vec<u8>)>,
}

pub(crate) async fn contents_of(store: &impl Store) -> Contents {
    let (mut accounts, mut mail) = (Vec::new(), BTreeMap::new());
    let listed = store.messages(None, usize::MAX).await.unwrap();
    for AccountSummary { account, octets, messages, quota } in store.accounts(None, usize::MAX).await.unwrap() {
        let key = account.address.key();
        let there = entries(store, account.id).await;
        for kept in &listed {
            let places = &kept.message.recipients;
            let Some(place) = places.iter().find(|to| to.account == account.id) else { continue };
            assert!(there.contains(&EntryId(kept.id.0)));
            let recipients = vec![Recipient { account: AccountId(0), address: place.address.clone() }];
            let envelope = NewMessage { recipients, ..kept.message.clone() };
            let bytes = read(store, account.id, EntryId(kept.id.0)).await.unwrap();
            mail.insert((key.clone(), kept.id.0), (envelope, kept.octets, bytes));
        }
        assert_eq!(there.len() as u64, messages);
        accounts.push((key, Account { id: AccountId(0), ..account }, octets, messages, quota));
    }
    Contents {
        accounts,
        holds: store.holds(None, usize::MAX).await.unwrap(),
        tokens: store.tokens().await.unwrap(),
        mode: store.registration_mode().await.unwrap(),
        secret: store.keep_secret(&SECRET).await.unwrap(),
        mail,
    }
}

/// A few of everything.
pub(crate) async fn fill(store: &impl Store) {
    let (alice, bob) = (register(store, "Alice@example.org").await, register(store, "7@example.org").await);
    store.touch(&[bob], later(5)).await.unwrap();
    store.set_quota(alice, Quota { octets: Some(1), messages: None }).await.unwrap();
    store.set_verifier(alice, &verifier(2)).await.unwrap();
    for (number, octets) in [0, 5, 70_000, 1_000_000].into_iter().enumerate() {
        let recipients = [
            Recipient { account: bob, address: address("anybody@example.com") },
            Recipient { account: alice, address: address("ALICE+lists@example.org") },
        ];
        let envelope = NewMessage {
            reverse_path: ReversePath::Address(address("\"a b\"@[192.0.2.1]")),
            recipients: recipients[number % 2..].to_vec(),
            trace: "Return-Path: <>\r\nReceived: by ä\r\n\twith \"b\"\r\n".to_owned(),
            received_at: later(number as i64),
            form: if octets > 5 { Form::Binary { carried_octets: 7 } } else { Form::Text },
        };
        store.deliver(envelope, body(store, &noise(number as u64, octets)).await, Vec::new()).await.unwrap();
    }
    // So that the ids have gaps.
    store.flush(alice, &entries(store, alice).await[..1]).await.unwrap();
    store.flush(bob, &entries(store, bob).await[..1]).await.unwrap();
    for text in ["8@example.org", "zoë@example.org"] {
        let ended = register(store, text).await;
        store.end_account(ended, later(100)).await.unwrap();
    }
    store.add_token(&Token { name: "bob's".to_owned(), digest: [200; 32], made_at: NOW }).await.unwrap();
    store.set_registration_mode(RegistrationMode::ByToken).await.unwrap();
    store.keep_secret(&[9; 32]).await.unwrap();
}

/// Stops the work when it has been told of so many steps.
pub(crate) fn stop_after(mut steps: usize) -> impl FnMut(Progress) -> ControlFlow<()> + Send {
    move |_| {
        steps = steps.saturating_sub(1);
        if steps == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
