//! Several servers on one database.

use std::collections::HashSet;
use std::time::Duration;

use store::postgres::{Options, Postgres};
use store::{RegisterError, Store, StoreError, Swept, Timestamp};
use testkit::postgres::{Cluster, fresh_database};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::{PATIENCE, connect, database, options};
use crate::common::{NOW, address, contents, deliver, domain, entries, later, noise, register, try_deliver, verifier};

/// How long a server in these tests may show no sign of life.
const NODE_LEASE: Duration = Duration::from_secs(1);
/// How long accounts with a number are kept, in seconds.
const LEASE: i64 = 100;

async fn short_lived(url: &str) -> Postgres {
    Postgres::connect(&Options { node_lease: NODE_LEASE, ..options(url) }).await.unwrap()
}

#[tokio::test]
#[ignore = "needs Debian's package postgresql"]
async fn what_one_does_the_others_see() {
    let url = fresh_database();
    let (one, two, three) = (connect(&url).await, connect(&url).await, connect(&url).await);
    let alice = register(&one, "alice@example.org").await;
    let taken = two.register(&address("Alice@example.org"), None, NOW).await;
    assert!(matches!(taken, Err(RegisterError::Taken)), "{taken:?}");
    assert_eq!(two.mailbox(&address("alice@example.org")).await.unwrap().unwrap().account, alice);

    let texts = [noise(1, 1000), noise(2, 1_000_000)];
    let mut arrivals = three.arrivals(alice);
    for text in &texts {
        deliver(&two, &[alice], text).await;
        timeout(PATIENCE, arrivals.wait()).await.unwrap();
    }
    assert!(contents(&three, alice).await == texts);
    three.flush(alice, &entries(&three, alice).await).await.unwrap();
    assert_eq!(entries(&one, alice).await, []);

    two.end_account(alice, later(60)).await.unwrap();
    assert_eq!(one.touch(&[alice], NOW).await.unwrap(), [alice]);
    assert!(three.is_held(&address("alice@example.org"), NOW).await.unwrap());
}

/// Whoever waits is told even if the hint is lost.
#[tokio::test]
#[ignore = "needs Debian's package postgresql"]
async fn mail_wakes_without_a_hint() {
    let cluster = Cluster::quick();
    let url = cluster.fresh_database();
    let (one, two) = (connect(&url).await, connect(&url).await);
    let alice = register(&one, "alice@example.org").await;
    let mut arrivals = one.arrivals(alice);
    // As a server does whose connection is lost between its delivery and its hint.
    cluster.psql(database(&url), &format!("UPDATE account SET messages = 1 WHERE id = {}", alice.0));
    timeout(PATIENCE, arrivals.wait()).await.unwrap();
    drop(two);
}

#[tokio::test]
#[ignore = "needs Debian's package postgresql"]
async fn many_register_at_once_and_no_number_is_given_twice() {
    const SERVERS: usize = 3;
    const CLIENTS: u32 = 60;
    let url = fresh_database();
    let mut registering = JoinSet::new();
    for _ in 0..SERVERS {
        let url = url.clone();
        registering.spawn(async move {
            let store = connect(&url).await;
            let mut numbers = Vec::new();
            for _ in 0..CLIENTS {
                // As a server does: the first number that is free, unless another one was quicker.
                let mut from = 9;
                loop {
                    let number = store.next_free_number(&domain(), from, NOW).await.unwrap();
                    match store.register(&address(&format!("{number}@example.org")), None, NOW).await {
                        Ok(_) => break numbers.push(number),
                        Err(RegisterError::Taken) => from = number + 1,
                        Err(RegisterError::Store(error)) => panic!("{error}"),
                    }
                }
            }
            numbers
        });
    }
    let numbers: Vec<u32> = registering.join_all().await.concat();
    assert_eq!(numbers.len(), SERVERS * CLIENTS as usize);
    assert_eq!(HashSet::<u32>::from_iter(numbers.iter().copied()).len(), numbers.len());
}

/// Sweeps until that does something.
async fn swept(store: &Postgres, now: Timestamp) -> Swept {
    let sweep = async {
        loop {
            let swept = store.sweep(Timestamp(now.0 - LEASE), now).await.unwrap();
            if swept != Swept::default() {
                return swept;
            }
        }
    };
    timeout(PATIENCE, sweep).await.unwrap()
}

#[tokio::test]
#[ignore = "needs Debian's package postgresql"]
async fn what_a_dead_server_held_goes_after_its_lease() {
    let url = fresh_database();
    let (dying, living) = (short_lived(&url).await, short_lived(&url).await);
    let unclaimed = dying.register(&address("7@example.org"), None, NOW).await.unwrap();
    let claimed = dying.register(&address("8@example.org"), Some(&verifier(1)), NOW).await.unwrap();
    let named = dying.register(&address("bob@example.org"), None, NOW).await.unwrap();
    dying.set_verifier(named, &verifier(2)).await.unwrap();
    let elsewhere = living.register(&address("9@example.org"), None, NOW).await.unwrap();
    // A new server takes nobody's accounts for abandoned that are another one's.
    let starting = short_lived(&url).await;
    assert_eq!(starting.end_unclaimed(later(LEASE)).await.unwrap(), 0);
    assert_eq!(living.sweep(later(-LEASE), NOW).await.unwrap(), Swept::default());

    // Its tasks end, and with them its signs of life; it does not say so.
    drop(dying);
    assert_eq!(swept(&living, NOW).await, Swept { accounts: 1, addresses: 0 });
    assert_eq!(living.account(unclaimed).await.unwrap(), None);
    for id in [claimed, named, elsewhere] {
        assert!(living.account(id).await.unwrap().is_some(), "{id:?}");
    }
    assert!(living.is_held(&address("7@example.org"), later(LEASE - 1)).await.unwrap());
    assert_eq!(living.next_free_number(&domain(), 7, NOW).await.unwrap(), 10);
    assert_eq!(living.next_free_number(&domain(), 7, later(LEASE)).await.unwrap(), 7);
}

#[tokio::test]
#[ignore = "needs Debian's package postgresql"]
async fn a_server_that_leaves_takes_along_what_lived_with_its_connections() {
    let url = fresh_database();
    let (leaving, staying) = (connect(&url).await, connect(&url).await);
    let named = register(&leaving, "alice@example.org").await;
    let gone = leaving.register(&address("7@example.org"), None, NOW).await.unwrap();
    let other = staying.register(&address("8@example.org"), None, NOW).await.unwrap();
    leaving.leave(later(60)).await.unwrap();
    assert_eq!(staying.account(gone).await.unwrap(), None);
    assert!(staying.is_held(&address("7@example.org"), later(59)).await.unwrap());
    for id in [named, other] {
        assert!(staying.account(id).await.unwrap().is_some());
    }
}

#[tokio::test]
#[ignore = "needs Debian's package postgresql"]
async fn who_was_taken_for_dead_registers_nobody_until_it_is_a_new_server() {
    let cluster = Cluster::quick();
    let url = cluster.fresh_database();
    let store = short_lived(&url).await;
    let before = store.register(&address("7@example.org"), None, NOW).await.unwrap();
    // As another server does.
    cluster.psql(database(&url), "DELETE FROM node");
    let fenced = store.register(&address("8@example.org"), None, NOW).await;
    // It may have noticed by now.
    let is_refused = matches!(fenced, Err(RegisterError::Store(StoreError::TryAgain(_))));
    assert!(is_refused || fenced.is_ok(), "{fenced:?}");
    register(&store, "alice@example.org").await;

    let register_later = async {
        while let Err(error) = store.register(&address("9@example.org"), None, NOW).await {
            assert!(matches!(error, RegisterError::Store(StoreError::TryAgain(_))), "{error}");
        }
    };
    timeout(PATIENCE, register_later).await.unwrap();
    // What it held before it holds no longer: it goes with what nobody holds.
    let another = short_lived(&url).await;
    another.end_unclaimed(later(60)).await.unwrap();
    assert_eq!(another.account(before).await.unwrap(), None);
    assert_eq!(store.touch(&[before], NOW).await.unwrap(), [before]);
    assert!(another.mailbox(&address("9@example.org")).await.unwrap().is_some());
}

/// One that another server locks for long keeps nobody else's mail from being delivered.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs Debian's package postgresql"]
async fn a_locked_mailbox_keeps_up_nobody_else() {
    let cluster = std::sync::Arc::new(Cluster::quick());
    let url = cluster.fresh_database();
    let store = std::sync::Arc::new(Postgres::connect(&Options { connections: 2, ..options(&url) }).await.unwrap());
    let locked = register(&*store, "locked@example.org").await;
    let mut others = Vec::new();
    for number in 0..20 {
        others.push(register(&*store, &format!("{number}@example.org")).await);
    }
    let lock = format!("BEGIN; SELECT 1 FROM account WHERE id = {} FOR UPDATE; SELECT pg_sleep(20); COMMIT", locked.0);
    let (locker, name) = (cluster.clone(), database(&url).to_owned());
    let locking = tokio::task::spawn_blocking(move || locker.psql(&name, &lock));
    let holding = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    while cluster.psql(database(&url), holding) != "1" {
        tokio::task::yield_now().await;
    }
    let mut delivering = JoinSet::new();
    for account in others.into_iter().chain([locked]) {
        let store = store.clone();
        delivering.spawn(async move { (account, try_deliver(&*store, &[account], b"hello").await) });
    }
    for (account, delivered) in delivering.join_all().await {
        assert_eq!(delivered.is_ok(), account != locked, "{account:?}: {delivered:?}");
    }
    locking.await.unwrap();
}

/// Time that no server was there does not count, whoever comes first and however many do.
#[tokio::test]
#[ignore = "needs Debian's package postgresql"]
async fn leases_go_on_after_an_outage_of_all_servers() {
    let url = fresh_database();
    // As a server does: for how many seconds nobody was there, and what has run out.
    let round = async |store: &Postgres, now: Timestamp| {
        let idle_since = Timestamp(now.0 - LEASE);
        match store.resume(idle_since, now).await.unwrap() {
            0 => (0, store.sweep(idle_since, now).await.unwrap()),
            away => (away, Swept::default()),
        }
    };
    let nothing = Swept::default();
    let stores = [connect(&url).await, connect(&url).await];
    let account = register(&stores[0], "7@example.org").await;
    assert_eq!(round(&stores[0], later(10)).await, (0, nothing));
    // They run on, but the database is away.
    assert_eq!(round(&stores[1], later(10_000)).await, (9_990, nothing));
    assert_eq!(round(&stores[0], later(10_090)).await, (0, nothing));
    // They start together.
    drop(stores);
    let stores = [connect(&url).await, connect(&url).await];
    assert_eq!(round(&stores[0], later(20_000)).await, (20_000 - 10_090, nothing));
    assert_eq!(round(&stores[1], later(20_000)).await, (0, nothing));
    assert!(stores[0].account(account).await.unwrap().is_some());
    // Then it does count again: ten seconds before the first outage and ninety after it were the whole lease.
    assert_eq!(round(&stores[1], later(20_001)).await, (0, Swept { accounts: 1, addresses: 1 }));
}

#[tokio::test]
#[ignore = "needs Debian's package postgresql"]
async fn a_server_whose_clock_is_wrong_ends_nothing() {
    let url = fresh_database();
    let store = connect(&url).await;
    let account = register(&store, "7@example.org").await;
    let wrong = Postgres::connect(&Options { difference_max: Duration::from_secs(60), ..options(&url) }).await.unwrap();
    // With that a round begins, and ends here.
    let outcome = wrong.resume(later(1_000_000), later(1_000_000 + LEASE)).await;
    assert!(outcome.as_ref().is_err_and(|error| error.to_string().contains("clock")), "{outcome:?}");
    assert!(store.account(account).await.unwrap().is_some());
}

/// Servers that deliver, flush and end accounts all at once are in each other's way, and what is left makes sense.
#[tokio::test]
#[ignore = "needs Debian's package postgresql"]
async fn servers_that_get_in_each_others_way_leave_everything_in_order() {
    const ACCOUNTS: usize = 6;
    const ROUNDS: u64 = 40;
    let cluster = Cluster::quick();
    let url = cluster.fresh_database();
    let store = connect(&url).await;
    let mut accounts = Vec::new();
    for number in 0..ACCOUNTS {
        accounts.push(register(&store, &format!("{number}@example.org")).await);
    }
    let mut working = JoinSet::new();
    for server in 0..2 {
        let store = std::sync::Arc::new(connect(&url).await);
        for worker in 0..4_u64 {
            let (store, mut accounts) = (store.clone(), accounts.clone());
            working.spawn(async move {
                for round in 0..ROUNDS {
                    // Each in an order of its own.
                    accounts.rotate_left((worker + server + round) as usize % ACCOUNTS);
                    deliver(&*store, &accounts[..3], &round.to_le_bytes()).await;
                    let there = entries(&*store, accounts[0]).await;
                    store.flush(accounts[0], &there[..there.len() / 2]).await.unwrap();
                    store.touch(&accounts, NOW).await.unwrap();
                    if round == ROUNDS - 1 && worker == 0 {
                        store.end_account(accounts[server as usize], NOW).await.unwrap();
                    }
                }
            });
        }
    }
    working.join_all().await;
    // What is not counted down yet is now.
    store.sweep(NOW, NOW).await.unwrap();
    assert_in_order(&cluster, &url);
    for account in accounts {
        let summary = store.summary(account).await.unwrap();
        let there = entries(&store, account).await.len() as u64;
        assert_eq!(summary.map_or(0, |summary| summary.messages), there, "{account:?}");
    }
}

/// What several rows say is the same everywhere.
fn assert_in_order(cluster: &Cluster, url: &str) {
    for (what, sql) in [
        (
            "an account's sums are those of its entries",
            "SELECT count(*) FROM account LEFT JOIN (
                SELECT account, sum(octets) AS octets, count(*) AS messages FROM entry GROUP BY account
             ) AS there ON there.account = account.id
             WHERE account.octets <> coalesce(there.octets, 0) OR account.messages <> coalesce(there.messages, 0)",
        ),
        (
            "a message knows how many mailboxes have it",
            "SELECT count(*) FROM message LEFT JOIN (
                SELECT message, count(*) AS mailboxes FROM entry GROUP BY message
             ) AS there ON there.message = message.id
             WHERE message.mailboxes <> there.mailboxes OR there.mailboxes IS NULL",
        ),
        (
            "an entry has a message",
            "SELECT count(*) FROM entry WHERE NOT EXISTS (SELECT 1 FROM message WHERE message.id = entry.message)",
        ),
    ] {
        assert_eq!(cluster.psql(database(url), sql), "0", "{what}");
    }
}

#[tokio::test]
#[ignore = "needs Debian's package postgresql"]
async fn numbers_grow_in_each_mailbox_whoever_delivers() {
    let url = fresh_database();
    let (one, two) = (connect(&url).await, connect(&url).await);
    let alice = [register(&one, "alice@example.org").await];
    let mut seen = 0;
    for round in 0..30 {
        let (first, second) = tokio::join!(deliver(&one, &alice, b"1"), deliver(&two, &alice, b"2"));
        let there = entries(&one, alice[0]).await;
        assert_eq!(there.len(), 2, "round {round}");
        assert!(there.iter().all(|entry| entry.0 > seen));
        seen = first.message.0.max(second.message.0);
        one.flush(alice[0], &there).await.unwrap();
    }
}
