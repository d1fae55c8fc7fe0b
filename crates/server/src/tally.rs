//! How often something happened lately, for each key: of a peer, of an account.
//!
//! Counting begins with the first time and is forgotten a period later. So many keys are remembered; when there are more, those
//! that were counted longest are forgotten, for a stranger who has many addresses must not fill the memory.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How many keys are remembered at most.
const REMEMBERED_MAX: usize = 100_000;

/// How often something happened, for each key.
#[derive(Debug)]
pub(crate) struct Tally<K> {
    period: Duration,
    counts: Mutex<HashMap<K, Count>>,
}

#[derive(Debug)]
struct Count {
    since: Instant,
    times: u32,
}

impl Count {
    fn is_over(&self, period: Duration, now: Instant) -> bool {
        now.saturating_duration_since(self.since) >= period
    }
}

impl<K: Eq + Hash> Tally<K> {
    /// Remembers for so long.
    pub(crate) fn over(period: Duration) -> Self {
        Self { period, counts: Mutex::default() }
    }

    pub(crate) fn count_of<Q: Eq + Hash + ?Sized>(&self, key: &Q, now: Instant) -> u32
    where
        K: Borrow<Q>,
    {
        self.counts().get(key).filter(|count| !count.is_over(self.period, now)).map_or(0, |count| count.times)
    }

    /// How often it has happened with this time.
    pub(crate) fn add(&self, key: K, now: Instant) -> u32 {
        let mut counts = self.counts();
        if counts.len() >= REMEMBERED_MAX && !counts.contains_key(&key) {
            tracing::warn!("more peers or accounts are counted than can be: the first are forgotten");
            self.forget_half(&mut counts, now);
        }
        let count = counts.entry(key).or_insert(Count { since: now, times: 0 });
        if count.is_over(self.period, now) {
            *count = Count { since: now, times: 0 };
        }
        count.times = count.times.saturating_add(1);
        count.times
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
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<K, Count>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(900);

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
}
