//! Reports, kept with the message that they are about.

use store::{Form, NewMessage, REPORT_OCTETS_MAX, REPORTS_MAX, Report, Store, StoreError};

use crate::common::{NOW, address, body, contents, deliver, entries, message, noise, register, report};

pub(crate) async fn a_message_and_its_reports_are_kept(store: &impl Store) {
    let (alice, bob) = (register(store, "alice@example.org").await, register(store, "bob@example.org").await);
    let carol = register(store, "carol@example.org").await;
    let form = Form::Binary { carried_octets: 9 };
    let of_its_own = Report {
        message: NewMessage { form, trace: "Received: x\r\n".to_owned(), ..message(&[carol]) },
        ..report(&[], b"!")
    };
    let reports = vec![report(&[bob, carol], b"to both"), of_its_own];
    store.deliver(message(&[alice, bob]), body(store, b"hello").await, reports).await.unwrap();
    assert_eq!(contents(store, alice).await, [b"hello"]);
    assert_eq!(contents(store, bob).await, [&b"hello"[..], b"to both"]);
    assert_eq!(contents(store, carol).await, [&b"to both"[..], b"!"]);

    let (stored, _) = store.open(carol, entries(store, carol).await[1]).await.unwrap().unwrap();
    assert_eq!((stored.form, stored.octets, stored.trace.as_str()), (form, 1, "Received: x\r\n"));
    for (text, octets, messages) in
        [("alice@example.org", 5, 1), ("bob@example.org", 12, 2), ("carol@example.org", 8, 2)]
    {
        let mailbox = store.mailbox(&address(text)).await.unwrap().unwrap();
        assert_eq!((mailbox.octets, mailbox.messages), (octets, messages), "{text}");
    }
}

pub(crate) async fn of_a_message_to_nobody_the_reports_are_kept(store: &impl Store) {
    let alice = register(store, "alice@example.org").await;
    for octets in [5, 1_000_000] {
        let body = body(store, &noise(1, octets)).await;
        let nowhere = store.deliver(message(&[]), body, vec![report(&[alice], b"it went nowhere")]).await.unwrap();
        assert_eq!(contents(store, alice).await, [b"it went nowhere"]);
        let there = entries(store, alice).await;
        store.flush(alice, &there).await.unwrap();
        assert!(deliver(store, &[alice], b"an id of its own").await.message > nowhere.message);
        let there = entries(store, alice).await;
        store.flush(alice, &there).await.unwrap();
    }
    store.deliver(message(&[]), body(store, b"nothing at all").await, Vec::new()).await.unwrap();
}

pub(crate) async fn a_report_to_an_ended_account_is_passed_over(store: &impl Store) {
    let (alice, bob) = (register(store, "alice@example.org").await, register(store, "bob@example.org").await);
    store.end_account(bob, NOW).await.unwrap();
    let reports = vec![report(&[bob], b"to bob"), report(&[bob, alice], b"to both"), report(&[], b"to nobody")];
    let delivered = store.deliver(message(&[alice]), body(store, b"hello").await, reports).await.unwrap();
    assert_eq!(delivered.gone, []);
    assert_eq!(contents(store, alice).await, [&b"hello"[..], b"to both"]);
    assert_eq!(entries(store, bob).await, []);
}

pub(crate) async fn reports_are_limited(store: &impl Store) {
    let (alice, bob) = (register(store, "alice@example.org").await, register(store, "bob@example.org").await);
    let longest = noise(1, REPORT_OCTETS_MAX);
    let too_long = vec![report(&[bob], b"fits"), report(&[bob], &noise(1, REPORT_OCTETS_MAX + 1))];
    let too_many = vec![report(&[bob], b"fits"); REPORTS_MAX + 1];
    for reports in [too_long, too_many] {
        let refused = store.deliver(message(&[alice]), body(store, b"hello").await, reports).await;
        assert!(matches!(refused, Err(StoreError::Failed(_))), "{refused:?}");
    }
    assert_eq!(entries(store, alice).await, []);
    assert_eq!(entries(store, bob).await, []);

    let reports = vec![report(&[bob], &longest); REPORTS_MAX];
    store.deliver(message(&[alice]), body(store, b"hello").await, reports).await.unwrap();
    assert_eq!(contents(store, alice).await, [b"hello"]);
    assert!(contents(store, bob).await == vec![longest; REPORTS_MAX]);
}
