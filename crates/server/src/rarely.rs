//! What may happen thousands of times a second is told to the log once in a while, and how often it has happened.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How often the log is told at most.
const INTERVAL: Duration = Duration::from_secs(10);

/// Something that may happen very often.
#[derive(Debug, Default)]
pub(crate) struct Rarely {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    told_at: Option<Instant>,
    times: u64,
}

impl Rarely {
    /// It happened. How many times since it was last told, if it is to be told now.
    pub(crate) fn happened(&self, now: Instant) -> Option<u64> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.times += 1;
        if state.told_at.is_some_and(|told_at| now.saturating_duration_since(told_at) < INTERVAL) {
            return None;
        }
        state.told_at = Some(now);
        Some(std::mem::take(&mut state.times))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_told_once_in_a_while() {
        let (rarely, start) = (Rarely::default(), Instant::now());
        let told: Vec<u64> = (0..1000).filter_map(|n| rarely.happened(start + n * INTERVAL / 100)).collect();
        assert_eq!(told, [1, 100, 100, 100, 100, 100, 100, 100, 100, 100]);
    }
}
