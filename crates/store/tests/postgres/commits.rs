//! A COMMIT of which no answer comes, or one that must not be believed.

use std::time::Duration;

use store::postgres::Postgres;
use store::{RegisterError, Store};
use testkit::postgres::{Cluster, fresh_database};
use tokio::time::{sleep, timeout};

use super::relay::{Cut, Relay};
use super::{PATIENCE, connect, database, with_standbys};
use crate::common::{NOW, address, contents, deliver, entries, noise, register, verifier};

/// A store whose line to the database can be cut.
async fn behind_a_relay(cut: Cut) -> (Relay, Postgres, Postgres) {
    let url = fresh_database();
    let hosts = url.split('@').nth(1).unwrap().split('/').next().unwrap().to_owned();
    let relay = Relay::to(hosts.clone(), cut).await;
    let through = url.replace(&hosts, &relay.address.to_string());
    (relay, connect(&through).await, connect(&url).await)
}

#[tokio::test]
#[ignore = "needs Debian's package postgresql"]
async fn a_lost_commit_is_done_once() {
    for cut in [Cut::BeforeCommit, Cut::BeforeAnswer] {
        let (relay, store, direct) = behind_a_relay(cut).await;
        let alice = register(&store, "alice@example.org").await;
        // What was done is not tried again, so it is not cut again.
        let times = if cut == Cut::BeforeCommit { 3 } else { 1 };
        for (times, octets) in [(1, 1000), (1, 700_000), (times, 1000)] {
            let text = noise(octets as u64, octets);
            relay.cut(times);
            deliver(&store, &[alice], &text).await;
            assert!(!relay.is_to_cut(), "{cut:?}: {octets}");
            let there = contents(&direct, alice).await;
            assert!(there == [text], "{cut:?}: {octets}: {} are there", there.len());
            relay.cut(1);
            store.flush(alice, &entries(&direct, alice).await).await.unwrap();
            assert!(!relay.is_to_cut());
            assert_eq!(entries(&direct, alice).await, []);
        }

        relay.cut(1);
        let bob = store.register(&address("bob@example.org"), Some(&verifier(1)), NOW).await.unwrap();
        assert!(!relay.is_to_cut());
        assert!(direct.account(bob).await.unwrap().is_some());
        let again = direct.register(&address("bob@example.org"), None, NOW).await;
        assert!(matches!(again, Err(RegisterError::Taken)), "{again:?}");
    }
}

/// How many sessions of the database wait for a standby.
fn waiting(cluster: &Cluster) -> String {
    cluster.psql("postgres", "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Debian's package postgresql"]
async fn a_commit_that_no_standby_has_is_not_acknowledged() {
    let (cluster, url) = with_standbys(1);
    let store = connect(&url).await;
    let alice = register(&store, "alice@example.org").await;
    cluster.server(1).freeze();
    let to = [alice];
    let mut delivering = Box::pin(deliver(&store, &to, b"hello"));
    let cancelled = async {
        for _ in 0..3 {
            while waiting(&cluster) == "0" {
                sleep(Duration::from_millis(20)).await;
            }
            cluster
                .psql("postgres", "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'");
        }
    };
    tokio::select! {
        _ = &mut delivering => panic!("acknowledged, and no standby has it"),
        done = timeout(PATIENCE, cancelled) => done.unwrap(),
    }
    // On the primary it is there all the same, which proves nothing.
    assert_eq!(cluster.psql(database(&url), "SELECT count(*) FROM entry"), "1");
    cluster.server(1).thaw();
    timeout(PATIENCE, delivering).await.unwrap();
    assert_eq!(contents(&store, alice).await, [b"hello"]);
}
