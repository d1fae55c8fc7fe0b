//! What servers tell each other of how often things have happened.

use store::postgres::Postgres;
use store::{Count, Store, Timestamp};
use testkit::postgres::fresh_database;

use super::connect;
use crate::common::{NOW, later};

fn count(kind: u8, key: &str, times: u32, until: Timestamp) -> Count {
    Count { kind, key: key.to_owned(), times, until }
}

/// What this server hears from others when it tells this, in an order of its own.
async fn heard(store: &Postgres, mine: &[Count], now: Timestamp) -> Vec<(u8, String, u32, Timestamp)> {
    let theirs = store.share_counts(mine.to_vec(), now).await.unwrap().unwrap();
    let mut heard: Vec<_> = theirs
        .into_iter()
        .map(|there| (there.count.kind, there.count.key, there.count.times, there.count.until))
        .collect();
    heard.sort();
    heard
}

#[tokio::test]
#[ignore = "needs Debian's package postgresql"]
async fn servers_tell_each_other_what_they_have_counted() {
    let url = fresh_database();
    let (one, two) = (connect(&url).await, connect(&url).await);
    // A name that somebody wants to log in with may be anything.
    let odd = "192.0.2.1 \0'\u{fc}";
    let told = [count(0, odd, 3, later(60)), count(1, odd, u32::MAX, later(90))];
    assert_eq!(heard(&one, &told, NOW).await, []);
    let as_heard = |counts: &[Count]| -> Vec<_> {
        counts.iter().map(|count| (count.kind, count.key.clone(), count.times, count.until)).collect()
    };
    assert_eq!(heard(&two, &[], NOW).await, as_heard(&told));

    // What is told again replaces what was told, and who comes later hears of all.
    heard(&one, &[count(0, odd, 4, later(60))], NOW).await;
    heard(&two, &[count(0, odd, 1, later(70))], NOW).await;
    let three = connect(&url).await;
    let all = [count(0, odd, 1, later(70)), count(0, odd, 4, later(60)), told[1].clone()];
    assert_eq!(heard(&three, &[], NOW).await, as_heard(&all));
    assert_eq!(heard(&three, &[], later(60)).await, as_heard(&[all[0].clone(), all[2].clone()]), "one is over");

    // A server that has stopped has counted all the same, until that is over.
    one.leave(later(60)).await.unwrap();
    drop(one);
    three.sweep(NOW, later(70)).await.unwrap();
    assert_eq!(heard(&connect(&url).await, &[], NOW).await, as_heard(&all[2..]));
}
