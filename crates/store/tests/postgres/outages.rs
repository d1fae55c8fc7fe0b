//! The database goes away, and comes back.

use store::postgres::Postgres;
use store::{Store, StoreError};
use testkit::postgres::Cluster;
use tokio::time::timeout;

use super::{PATIENCE, connect, options, until_done, with_standbys};
use crate::common::{NOW, address, contents, deliver, noise, register, try_deliver, verifier};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Debian's package postgresql"]
async fn what_was_acknowledged_outlives_a_crash_and_the_rest_is_tried_again() {
    let mut cluster = Cluster::start();
    let url = cluster.fresh_database();
    let store = connect(&url).await;
    let alice = register(&store, "alice@example.org").await;
    let texts = [noise(1, 1000), noise(2, 1_000_000), noise(3, 10)];
    deliver(&store, &[alice], &texts[0]).await;
    deliver(&store, &[alice], &texts[1]).await;
    cluster.primary().kill();

    for outcome in [
        try_deliver(&store, &[alice], b"not now").await.map(drop),
        store.mailbox(&address("alice@example.org")).await.map(drop),
        store.set_verifier(alice, &verifier(2)).await,
        store.maildrop(alice).await.map(drop),
    ] {
        assert!(matches!(outcome, Err(StoreError::TryAgain(_))), "{outcome:?}");
    }
    let unreachable = Postgres::connect(&options(&url)).await.err().unwrap().to_string();
    assert!(unreachable.contains("127.0.0.1"), "it says where: {unreachable}");

    cluster.restart();
    until_done(async || try_deliver(&store, &[alice], &texts[2]).await).await;
    assert!(contents(&store, alice).await == texts);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Debian's package postgresql"]
async fn a_standby_takes_the_place_of_the_primary() {
    let (mut cluster, url) = with_standbys(2);
    let (store, idle) = (connect(&url).await, connect(&url).await);
    let alice = register(&store, "alice@example.org").await;
    deliver(&store, &[alice], b"first").await;
    // It hangs, so that nobody is told that its connections are of no use.
    cluster.primary().freeze();
    let delivering = until_done(async || try_deliver(&store, &[alice], b"second").await);
    let promoted = async { cluster.promote() };
    timeout(PATIENCE, async { tokio::join!(delivering, promoted) }).await.unwrap();

    // The old one comes back and knows of nothing. Whoever has seen the new one stays there.
    cluster.server(0).thaw();
    deliver(&store, &[alice], b"third").await;
    until_done(async || idle.register(&address("bob@example.org"), None, NOW).await.map_err(in_store)).await;
    let fresh = connect(&url).await;
    assert_eq!(contents(&fresh, alice).await, [&b"first"[..], b"second", b"third"]);
    assert!(fresh.mailbox(&address("bob@example.org")).await.unwrap().is_some());
}

fn in_store(error: store::RegisterError) -> StoreError {
    match error {
        store::RegisterError::Store(error) => error,
        store::RegisterError::Taken => panic!("taken"),
    }
}
