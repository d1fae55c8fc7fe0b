//! Limits that servers on one store keep together: about once a second each tells the others what it has counted, and hears what they
//! have. However much happens, that is one exchange; what does not fit into it is told with the next one.

use std::sync::Arc;
use std::time::{Duration, Instant};

use store::{COUNTS_TOLD_MAX, Count, CountElsewhere, Store, StoreError, Timestamp};
use tokio::time::sleep;

use crate::clock;
use crate::driver::stops;
use crate::shared::Shared;
use crate::tally::{News, Shareable};

/// The time between two exchanges.
const INTERVAL: Duration = Duration::from_secs(1);
/// How many tallies there are.
pub(crate) const TALLIES: usize = 5;

/// Tells and hears until the server stops.
pub(crate) async fn run<S: Store>(shared: Arc<Shared<S>>) {
    let mut stopping = shared.stopping.subscribe();
    let exchanges = async {
        while exchange(shared.tallies(), clock::steady(), async |mine, now| shared.store.share_counts(mine, now).await)
            .await
        {
            sleep(INTERVAL).await;
        }
        // Nobody else uses this store.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = stops(&mut stopping) => {}
        () = exchanges => {}
    }
}

/// One exchange. Whether there is anybody to tell.
async fn exchange(
    tallies: [&dyn Shareable; TALLIES],
    now: Timestamp,
    share: impl AsyncFnOnce(Vec<Count>, Timestamp) -> Result<Option<Vec<CountElsewhere>>, StoreError>,
) -> bool {
    let mut mine = Vec::new();
    for (kind, tally) in (0..).zip(tallies) {
        let news = tally.news(COUNTS_TOLD_MAX / TALLIES, Instant::now());
        mine.extend(news.into_iter().map(|news| count_of(kind, news, now)));
    }
    match share(mine, now).await {
        Ok(None) => return false,
        Ok(Some(theirs)) => {
            for CountElsewhere { server, count } in theirs {
                // A server of another version may count what is not counted here.
                if let Some(tally) = tallies.get(usize::from(count.kind)) {
                    tally.learn(server, news_of(count, now), Instant::now());
                }
            }
        }
        Err(error) => {
            tracing::debug!(%error, "cannot exchange with the other servers what is counted: each keeps limits by itself");
            tallies.iter().for_each(|tally| tally.tell_anew());
        }
    }
    true
}

/// Of a second that is not over all counts.
fn count_of(kind: u8, News { key, times, left }: News, now: Timestamp) -> Count {
    Count { kind, key, times, until: clock::after(now, left + Duration::from_secs(1)) }
}

fn news_of(Count { key, times, until, .. }: Count, now: Timestamp) -> News {
    let seconds = until.0.saturating_sub(now.0);
    News { key, times, left: Duration::from_secs(u64::try_from(seconds).unwrap_or_default()) }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;
    use crate::tally::{Share, Tally};

    const NOW: Timestamp = Timestamp(1_800_000_000);
    const PERIOD: Duration = Duration::from_secs(900);

    /// What a store does, with every server's counts by its number.
    #[derive(Default)]
    struct Board(RefCell<Vec<CountElsewhere>>);

    impl Board {
        fn share(&self, server: i64, mine: Vec<Count>) -> Result<Option<Vec<CountElsewhere>>, StoreError> {
            assert!(mine.len() <= COUNTS_TOLD_MAX, "{}", mine.len());
            let mut all = self.0.borrow_mut();
            for count in mine {
                all.retain(|there| {
                    there.server != server || there.count.key != count.key || there.count.kind != count.kind
                });
                all.push(CountElsewhere { server, count });
            }
            Ok(Some(all.iter().filter(|there| there.server != server).cloned().collect()))
        }
    }

    fn server() -> [Tally<usize>; TALLIES] {
        [(); TALLIES].map(|()| Tally::over(PERIOD))
    }

    fn of(tallies: &[Tally<usize>; TALLIES]) -> [&dyn Shareable; TALLIES] {
        tallies.each_ref().map(|tally| tally as &dyn Shareable)
    }

    #[tokio::test]
    async fn servers_keep_one_limit_together() {
        let (board, servers, now) = (Board::default(), [(); 3].map(|()| server()), Instant::now());
        for round in 1..=4 {
            for (number, tallies) in servers.iter().enumerate() {
                let share = tallies[1].take(7, 6, now);
                assert_eq!(share == Share::Left, round <= 2, "round {round} at {number}");
            }
            // The first one hears of the last one's when all have told.
            for (number, tallies) in (0..).zip(&servers).chain((0..).zip(&servers)) {
                assert!(exchange(of(tallies), NOW, async |mine, _| board.share(number, mine)).await);
            }
        }
        for tallies in &servers {
            assert_eq!((tallies[0].count_of(&7, now), tallies[1].count_of(&8, now)), (0, 0), "of nothing else");
        }
    }

    #[tokio::test]
    async fn what_could_not_be_told_is_told_later() {
        let (board, [here, there], now) = (Board::default(), [(); 2].map(|()| server()), Instant::now());
        here[4].add(7, now);
        let down = async |_, _| Err(StoreError::TryAgain("no database".into()));
        assert!(exchange(of(&here), NOW, down).await, "it may be there again");
        for (number, tallies) in (0..).zip([&here, &there]) {
            exchange(of(tallies), NOW, async |mine, _| board.share(number, mine)).await;
        }
        assert_eq!(there[4].count_of(&7, now), 1);
    }

    #[tokio::test]
    async fn a_flood_is_told_in_parts_that_are_not_too_large() {
        let (board, [here, there], now) = (Board::default(), [(); 2].map(|()| server()), Instant::now());
        for tally in &here {
            for key in 1..=2 * COUNTS_TOLD_MAX / TALLIES {
                tally.add(key, now);
            }
        }
        let mut told = 0;
        while told < 2 * COUNTS_TOLD_MAX {
            exchange(of(&here), NOW, async |mine, _| {
                told += mine.len();
                assert!(!mine.is_empty());
                board.share(0, mine)
            })
            .await;
        }
        exchange(of(&there), NOW, async |mine, _| board.share(1, mine)).await;
        assert_eq!(there[3].count_of(&(2 * COUNTS_TOLD_MAX / TALLIES), now), 1);
    }

    #[tokio::test]
    async fn a_server_that_is_alone_stops_asking() {
        assert!(!exchange(of(&server()), NOW, async |_, _| Ok(None)).await);
    }

    #[tokio::test]
    async fn what_a_newer_server_counts_is_passed_over() {
        let (tallies, count) =
            (server(), Count { kind: 200, key: "7".to_owned(), times: 1, until: Timestamp(i64::MAX) });
        let theirs = [count.clone(), Count { kind: 0, ..count }].map(|count| CountElsewhere { server: 1, count });
        assert!(exchange(of(&tallies), NOW, async |_, _| Ok(Some(theirs.to_vec()))).await);
        assert_eq!(tallies[0].count_of(&7, Instant::now()), 1);
    }
}
