//! The tables: made once, by whoever comes first; and what is wrong in them is noticed.

use store::postgres::Postgres;
use store::{Body, Reader, Store, StoreError};
use testkit::postgres::{Cluster, fresh_database};

use super::{connect, database, options};
use crate::common::{NOW, contents, deliver, entries, message, noise, read_all, register};

#[tokio::test]
#[ignore = "needs Debian's package postgresql"]
async fn many_make_the_tables_at_once() {
    let url = fresh_database();
    let options = options(&url);
    let made = tokio::join!(
        Postgres::connect(&options),
        Postgres::connect(&options),
        Postgres::connect(&options),
        Postgres::connect(&options),
    );
    let stores = [made.0.unwrap(), made.1.unwrap(), made.2.unwrap(), made.3.unwrap()];
    let alice = register(&stores[0], "alice@example.org").await;
    for store in &stores {
        deliver(store, &[alice], b"hello").await;
    }
    assert_eq!(contents(&stores[3], alice).await.len(), 4);
}

#[tokio::test]
#[ignore = "needs Debian's package postgresql"]
async fn tables_of_a_newer_version_are_left_alone() {
    let cluster = Cluster::quick();
    let url = cluster.fresh_database();
    drop(connect(&url).await);
    // One that this version can live with, and one that it can't.
    cluster.psql(database(&url), "UPDATE schema_version SET version = 1000");
    drop(connect(&url).await);
    cluster.psql(database(&url), "UPDATE schema_version SET usable_since = 1000");
    let refused = Postgres::connect(&options(&url)).await.err().unwrap().to_string();
    assert!(refused.contains("newer version"), "{refused}");
}

#[tokio::test]
#[ignore = "needs Debian's package postgresql"]
async fn a_message_of_which_a_part_is_missing_is_not_delivered() {
    let cluster = Cluster::quick();
    let url = cluster.fresh_database();
    let store = connect(&url).await;
    let alice = register(&store, "alice@example.org").await;
    for lost in ["DELETE FROM chunk WHERE number = 1", "DELETE FROM spool WHERE id NOT IN (SELECT spool FROM message)"]
    {
        let mut body = store.body();
        body.write(&noise(1, 700_000)).await.unwrap();
        // It comes to the end of a chunk, so that nothing more is written.
        body.write(&noise(2, 3 * (256 << 10) - 700_000)).await.unwrap();
        body.write(b"!").await.unwrap();
        // As if another server with less of it had become the primary.
        cluster.psql(database(&url), lost);
        let refused = store.deliver(message(&[alice]), body, Vec::new()).await;
        assert!(matches!(refused, Err(StoreError::TryAgain(_))), "{lost}: {refused:?}");
        assert_eq!(entries(&store, alice).await, []);
    }
}

#[tokio::test]
#[ignore = "needs Debian's package postgresql"]
async fn bytes_that_have_rotted_are_not_handed_over() {
    let cluster = Cluster::quick();
    let url = cluster.fresh_database();
    let store = connect(&url).await;
    let alice = register(&store, "alice@example.org").await;
    deliver(&store, &[alice], b"hello").await;
    deliver(&store, &[alice], &noise(1, 700_000)).await;
    deliver(&store, &[alice], b"whole").await;
    cluster.psql(
        database(&url),
        "UPDATE message SET body = '\\x00' WHERE octets = 5 AND id = (SELECT min(id) FROM message)",
    );
    cluster.psql(database(&url), "UPDATE chunk SET octets = '\\x00' WHERE number = 1");
    let there = entries(&store, alice).await;
    let opened = store.open_all(alice, &there).await;
    assert!(matches!(opened[0], Err(StoreError::Failed(_))), "it is short, so it is looked at at once");
    assert!(matches!(opened[2], Ok(Some(_))));
    let (_, mut reader) = store.open(alice, there[1]).await.unwrap().unwrap();
    let read = async {
        while reader.next().await?.is_some() {}
        Ok::<_, StoreError>(())
    };
    let outcome = read.await;
    assert!(matches!(outcome, Err(StoreError::Failed(_))), "{outcome:?}");
    let (_, whole) = store.open(alice, there[2]).await.unwrap().unwrap();
    assert_eq!(read_all(whole).await, b"whole");
}

/// Chunks that are whole, each by itself, and not those of the message.
#[tokio::test]
#[ignore = "needs Debian's package postgresql"]
async fn chunks_of_another_message_are_not_handed_over() {
    let cluster = Cluster::quick();
    let url = cluster.fresh_database();
    let store = connect(&url).await;
    let alice = register(&store, "alice@example.org").await;
    for seed in [1, 2] {
        deliver(&store, &[alice], &noise(seed, 700_000)).await;
    }
    let exchange =
        "UPDATE chunk SET spool = (SELECT sum(id) FROM (SELECT DISTINCT spool AS id FROM chunk) AS two) - spool
        WHERE number = 1";
    // In one statement both are there twice for a moment.
    cluster.psql(database(&url), "ALTER TABLE chunk DROP CONSTRAINT chunk_pkey");
    cluster.psql(database(&url), exchange);
    let (_, mut reader) = store.open(alice, entries(&store, alice).await[0]).await.unwrap().unwrap();
    let mut octets = 0;
    let outcome = loop {
        match reader.next().await {
            Ok(Some(chunk)) => octets += chunk.len(),
            end => break end,
        }
    };
    assert!(matches!(outcome, Err(StoreError::Failed(_))), "{outcome:?}");
    assert!(octets < 700_000, "not its end, by which it would look whole");
}

#[tokio::test]
#[ignore = "needs Debian's package postgresql"]
async fn nothing_is_left_of_bodies_that_nobody_has() {
    let cluster = Cluster::quick();
    let url = cluster.fresh_database();
    let store = connect(&url).await;
    let alice = register(&store, "alice@example.org").await;
    deliver(&store, &[alice], &noise(1, 700_000)).await;
    store.flush(alice, &entries(&store, alice).await).await.unwrap();
    let mut unwanted = store.body();
    unwanted.write(&noise(2, 700_000)).await.unwrap();
    drop(unwanted);
    store.sweep(NOW, NOW).await.unwrap();
    assert_eq!(cluster.psql(database(&url), "SELECT count(*) FROM message"), "0");
    // Who reads one still may for a while, which is over now.
    cluster.psql(database(&url), "UPDATE spool SET kept_until = now() - INTERVAL '1 second'");
    store.sweep(NOW, NOW).await.unwrap();
    assert_eq!(cluster.psql(database(&url), "SELECT count(*) FROM chunk"), "0");
    assert_eq!(cluster.psql(database(&url), "SELECT count(*) FROM spool"), "0");
}
