//! How fast mail data comes: a peer that has fallen silent, or sends too slowly over the whole of it, has had its time.

use std::time::{Duration, Instant};

use super::config::Config;

/// How fast octets come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    began: Instant,
    /// When some were last seen.
    fed: Instant,
    octets: u64,
}

impl Pace {
    /// From now on.
    pub(super) fn new(now: Instant) -> Self {
        Self { began: now, fed: now, octets: 0 }
    }

    /// After a pause that does not count: what goes by between two chunks is the time of a command.
    pub(super) fn resumed(self, now: Instant) -> Self {
        Self { began: self.began + now.saturating_duration_since(self.fed), fed: now, ..self }
    }

    /// Octets have come.
    pub(super) fn feed(&mut self, octets: usize, now: Instant) {
        if octets > 0 {
            self.fed = now;
            self.octets += octets as u64;
        }
    }

    /// Until when more must have come.
    pub(super) fn deadline(&self, config: &Config) -> Instant {
        let patience = config.timeouts.data;
        let earned = Duration::from_secs(self.octets / config.limits.data_octets_per_second_min.max(1));
        (self.fed + patience).min(self.began + patience + earned)
    }
}
