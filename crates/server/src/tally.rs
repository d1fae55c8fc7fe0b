//! How often something happened lately, for each key: of a peer, of an account.
//!
//! Counting begins with the first time and is forgotten a period later. So many keys are remembered; when there are more, those
//! that were counted longest are forgotten, for a stranger who has many addresses must not fill the memory.
//!
//! Where several servers share a store they tell each other what they count (`sharing.rs`): what counts is the sum.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many keys are remembered at most.
const REMEMBERED_MAX: usize = 100_000;
/// Of how many other servers the counts of one key are remembered. One that starts anew is another one.
const SERVERS_MAX: usize = 64;

/// What is counted by.
pub(crate) trait Key: Clone + Eq + Hash + Send {
    /// What other servers know it by; `None`: it is another one there.
    fn elsewhere(&self) -> Option<String>;
}

/// How often something happened, for each key.
#[derive(Debug)]
pub(crate) struct Tally<K> {
    period: Duration,
    counts: Mutex<HashMap<K, Count>>,
    elsewhere: Mutex<HashMap<String, Vec<Elsewhere>>>,
}

#[derive(Debug)]
struct Count {
    since: Instant,
    times: u32,
    /// What the other servers know of them.
    told: u32,
    /// Whether it has been more often than it may.
    is_beyond: bool,
}

impl Count {
    fn new(now: Instant) -> Self {
        Self { since: now, times: 0, told: 0, is_beyond: false }
    }

    fn is_over(&self, period: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= period
    }
}

/// What another server has counted.
#[derive(Debug)]
struct Elsewhere {
    server: i64,
    times: u32,
    until: Instant,
}

/// What is left of what may happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    /// This time was no more than may be.
    Left,
    /// This was the first time that was too many.
    JustUsed,
    /// There have been too many before.
    Used,
}

impl<K: Key> Tally<K> {
    /// Remembers for so long.
    pub(crate) fn over(period: Duration) -> Self {
        Self { period, counts: Mutex::default(), elsewhere: Mutex::default() }
    }

    pub(crate) fn count_of(&self, key: &K, now: Instant) -> u32 {
        let here =
            self.counts().get(key).filter(|count| !count.is_over(self.period, now)).map_or(0, |count| count.times);
        here.saturating_add(self.count_elsewhere(key, now))
    }

    /// How often it has happened with this time.
    pub(crate) fn add(&self, key: K, now: Instant) -> u32 {
        let elsewhere = self.count_elsewhere(&key, now);
        self.add_here(key, now, |count| count.times.saturating_add(elsewhere))
    }

    /// Counts, and says what is left where it may happen so often.
    pub(crate) fn take(&self, key: K, most: u32, now: Instant) -> Share {
        let elsewhere = self.count_elsewhere(&key, now);
        self.add_here(key, now, |count| match count.times.saturating_add(elsewhere) > most {
            false => Share::Left,
            true if std::mem::replace(&mut count.is_beyond, true) => Share::Used,
            true => Share::JustUsed,
        })
    }

    fn add_here<T>(&self, key: K, now: Instant, look: impl FnOnce(&mut Count) -> T) -> T {
        let mut counts = self.counts();
        if counts.len() >= REMEMBERED_MAX && !counts.contains_key(&key) {
            tracing::warn!("more peers or accounts are counted than can be: the first are forgotten");
            self.forget_half(&mut counts, now);
        }
        let count = counts.entry(key).or_insert_with(|| Count::new(now));
        if count.is_over(self.period, now) {
            *count = Count::new(now);
        }
        count.times = count.times.saturating_add(1);
        look(count)
    }

    fn count_elsewhere(&self, key: &K, now: Instant) -> u32 {
        let elsewhere = lock(&self.elsewhere);
        // One server alone writes no key down.
        let counts = if elsewhere.is_empty() { None } else { key.elsewhere().and_then(|key| elsewhere.get(&key)) };
        let counts = counts.into_iter().flatten().filter(|count| count.until > now);
        counts.fold(0, |sum: u32, count| sum.saturating_add(count.times))
    }

    /// At least the half that was counted longest: a few at a time would be a search each time.
    fn forget_half(&self, counts: &mut HashMap<K, Count>, now: Instant) {
        let mut since: Vec<Instant> = counts.values().map(|count| count.since).collect();
        let middle = since.len() / 2;
        let (_, last_forgotten, _) = since.select_nth_unstable(middle);
        counts.retain(|_, count| count.since > *last_forgotten && !count.is_over(self.period, now));
    }

    pub(crate) fn forget_old(&self, now: Instant) {
        let mut counts = self.counts();
        counts.retain(|_, count| !count.is_over(self.period, now));
        counts.shrink_to_fit();
        let mut elsewhere = lock(&self.elsewhere);
        retain_elsewhere(&mut elsewhere, 1, now);
        elsewhere.shrink_to_fit();
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<K, Count>> {
        lock(&self.counts)
    }
}

/// Those that are not over, and were at least so many.
fn retain_elsewhere(elsewhere: &mut HashMap<String, Vec<Elsewhere>>, least: u32, now: Instant) {
    elsewhere.retain(|_, counts| {
        counts.retain(|count| count.until > now && count.times >= least);
        !counts.is_empty()
    });
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What other servers are to know of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct News {
    pub(crate) key: String,
    pub(crate) times: u32,
    /// For how long it counts still.
    pub(crate) left: Duration,
}

/// A tally as other servers see it.
pub(crate) trait Shareable: Sync {
    /// What they do not know yet, at most so many, the greatest first. From now on it is known to them.
    fn news(&self, most: usize, now: Instant) -> Vec<News>;

    /// They know of nothing: it has not come to them, or they have forgotten it.
    fn tell_anew(&self);

    /// Another server has counted this.
    fn learn(&self, server: i64, news: News, now: Instant);
}

impl<K: Key> Shareable for Tally<K> {
    fn news(&self, most: usize, now: Instant) -> Vec<News> {
        let mut counts = self.counts();
        let is_news = |count: &Count| count.times != count.told && !count.is_over(self.period, now);
        let mut news: Vec<_> = counts.iter_mut().filter(|(_, count)| is_news(count)).collect();
        if news.len() > most {
            news.select_nth_unstable_by_key(most, |(_, count)| Reverse(count.times));
            news.truncate(most);
        }
        let told = news.into_iter().filter_map(|(key, count)| {
            count.told = count.times;
            let left = self.period.saturating_sub(now.saturating_duration_since(count.since));
            Some(News { key: key.elsewhere()?, times: count.times, left })
        });
        told.collect()
    }

    fn tell_anew(&self) {
        self.counts().values_mut().for_each(|count| count.told = 0);
    }

    fn learn(&self, server: i64, news: News, now: Instant) {
        let News { key, times, left } = news;
        let mut elsewhere = lock(&self.elsewhere);
        if elsewhere.len() >= REMEMBERED_MAX && !elsewhere.contains_key(&key) {
            // Those that happened once are no loss.
            retain_elsewhere(&mut elsewhere, 2, now);
            if elsewhere.len() >= REMEMBERED_MAX {
                return;
            }
        }
        let counts = elsewhere.entry(key).or_default();
        counts.retain(|count| count.server != server && count.until > now);
        if counts.len() < SERVERS_MAX {
            counts.push(Elsewhere { server, times, until: now + left.min(self.period) });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(900);

    impl Key for usize {
        fn elsewhere(&self) -> Option<String> {
            // Zero is somebody else everywhere.
            (*self > 0).then(|| self.to_string())
        }
    }

    /// Tells one tally what another one, of this server, has to tell.
    fn tell(server: i64, from: &Tally<usize>, to: &Tally<usize>, now: Instant) -> usize {
        let news = from.news(10, now);
        let count = news.len();
        news.into_iter().for_each(|news| to.learn(server, news, now));
        count
    }

    #[test]
    fn what_happened_is_forgotten() {
        let (tally, now) = (Tally::over(PERIOD), Instant::now());
        tally.add(1, now);
        assert_eq!(tally.add(1, now + PERIOD / 2), 2);
        assert_eq!(tally.count_of(&1, now + PERIOD / 2), 2);
        assert_eq!(tally.count_of(&1, now + PERIOD), 0);
        assert_eq!(tally.add(1, now + PERIOD), 1);
        tally.forget_old(now + 2 * PERIOD);
        assert!(tally.counts().is_empty());
    }

    #[test]
    fn what_is_remembered_has_a_limit() {
        let (tally, start) = (Tally::over(PERIOD), Instant::now());
        let at = |n: usize| start + Duration::from_micros(n as u64);
        for n in 0..=REMEMBERED_MAX {
            tally.add(n, at(n));
        }
        let count = tally.counts().len();
        assert!((REMEMBERED_MAX / 2 - 1..=REMEMBERED_MAX / 2 + 1).contains(&count), "{count}");
        assert_eq!(tally.count_of(&0, at(REMEMBERED_MAX)), 0, "the first is forgotten");
        assert_eq!(tally.add(REMEMBERED_MAX, at(REMEMBERED_MAX)), 2);
    }

    #[test]
    fn a_share_is_used_up_once() {
        let (tally, now) = (Tally::over(PERIOD), Instant::now());
        let take = |now| tally.take(1, 2, now);
        assert_eq!([(); 4].map(|()| take(now)), [Share::Left, Share::Left, Share::JustUsed, Share::Used]);
        assert_eq!(take(now + PERIOD), Share::Left);
    }

    #[test]
    fn what_happened_elsewhere_counts_as_long_as_there() {
        let ([a, b, c], now) = ([(); 3].map(|()| Tally::over(PERIOD)), Instant::now());
        for _ in 0..2 {
            a.add(1, now);
            b.add(1, now + PERIOD / 2);
        }
        let later = now + PERIOD / 2;
        assert_eq!([tell(1, &a, &c, later), tell(2, &b, &c, later)], [1, 1]);
        assert_eq!((c.count_of(&1, later), c.count_of(&2, later)), (4, 0));
        assert_eq!(c.take(1, 4, later), Share::JustUsed, "however it came to that");
        assert_eq!(c.add(1, now + PERIOD), 4, "the first server has forgotten it");
        // What is told again replaces what was told.
        a.add(1, later);
        assert_eq!([tell(1, &a, &c, later), tell(1, &a, &c, later)], [1, 0]);
        assert_eq!(c.count_of(&1, later), 7);
        assert_eq!(a.count_of(&1, later), 3, "nobody has told it of the others");
        c.forget_old(now + 2 * PERIOD);
        assert!(lock(&c.elsewhere).is_empty());
    }

    #[test]
    fn news_are_told_once_and_the_greatest_first() {
        let (tally, now) = (Tally::over(PERIOD), Instant::now());
        for key in [0, 0, 0, 0, 1, 2, 2, 2, 3, 3] {
            tally.add(key, now);
        }
        let keys = |most| Vec::from_iter(tally.news(most, now).into_iter().map(|news| (news.key, news.times)));
        assert_eq!(keys(2), [("2".to_owned(), 3)], "zero is here alone");
        assert_eq!(keys(1), [("3".to_owned(), 2)]);
        assert_eq!(keys(9), [("1".to_owned(), 1)]);
        assert_eq!(keys(9), []);
        tally.tell_anew();
        assert_eq!(keys(9).len(), 3);
        tally.tell_anew();
        assert_eq!(tally.news(9, now + PERIOD), []);
    }

    #[test]
    fn what_is_remembered_of_others_has_limits() {
        let (tally, now) = (Tally::<usize>::over(PERIOD), Instant::now());
        let learn = |server, key: usize, times| {
            tally.learn(server, News { key: key.to_string(), times, left: 2 * PERIOD }, now);
        };
        (0..1000).for_each(|server| learn(server, 1, 1));
        assert_eq!(tally.count_of(&1, now), SERVERS_MAX as u32);
        assert_eq!(tally.count_of(&1, now + PERIOD), 0, "no longer than here");
        (2..=REMEMBERED_MAX).for_each(|key| learn(1, key, if key % 2 == 0 { 1 } else { 2 }));
        learn(1, REMEMBERED_MAX + 1, 2);
        assert_eq!((tally.count_of(&2, now), tally.count_of(&3, now)), (0, 2));
        assert_eq!(tally.count_of(&(REMEMBERED_MAX + 1), now), 2);
    }
}
