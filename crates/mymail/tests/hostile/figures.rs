//! What is measured: how long honest mail took, and what the server holds.

use std::fmt;
use std::io;
use std::time::Duration;

use crate::stage::Stage;

/// How long messages took, from the connection to the goodbye.
#[derive(Debug, Default)]
pub(crate) struct Latencies(Vec<Duration>);

impl Latencies {
    pub(crate) const HEADING: &str = "messages   p50 ms   p99 ms   max ms";

    pub(crate) fn add(&mut self, latency: Duration) {
        self.0.push(latency);
    }

    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort();
        // The smallest that so many are not above.
        let rank = (sorted.len() * percent).div_ceil(100).saturating_sub(1);
        sorted.get(rank).copied().unwrap_or_default()
    }
}

impl fmt::Display for Latencies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [half, most, all] = [50, 99, 100].map(|percent| self.percentile(percent).as_secs_f64() * 1000.0);
        write!(f, "{:>8} {half:>8.1} {most:>8.1} {all:>8.1}", self.0.len())
    }
}

/// What was seen at the end of a minute of the soak.
pub(crate) struct Minute {
    elapsed: Duration,
    memory_kib: u64,
    sockets: usize,
    pub(crate) latencies: Latencies,
}

impl Minute {
    pub(crate) const HEADING: &str = "seconds  RSS KiB  sockets  messages   p50 ms   p99 ms   max ms";

    pub(crate) fn now(elapsed: Duration, stage: &Stage, latencies: Latencies) -> io::Result<Self> {
        let (memory_kib, sockets) = (stage.memory_kib()?, stage.sockets()?);
        Ok(Self { elapsed, memory_kib, sockets, latencies })
    }
}

impl fmt::Display for Minute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { elapsed, memory_kib, sockets, latencies } = self;
        write!(f, "{:>7} {memory_kib:>8} {sockets:>8}  {latencies}", elapsed.as_secs())
    }
}

/// The last quarter is as the second one was: by then everything had its size.
pub(crate) fn expect_no_growth(minutes: &[Minute]) {
    const LEAST: usize = 8;
    if minutes.len() < LEAST {
        return;
    }
    let quarter = minutes.len() / 4;
    let (second, last) = (&minutes[quarter..2 * quarter], &minutes[minutes.len() - quarter..]);
    for (what, of) in [
        ("memory", (|minute| minute.memory_kib as f64) as fn(&Minute) -> f64),
        ("sockets", |minute| minute.sockets as f64),
        ("median latency", |minute| minute.latencies.percentile(50).as_secs_f64()),
    ] {
        let (before, after) = (median(second, of), median(last, of));
        println!("{what}: {before:.3} in the second quarter, {after:.3} in the last");
        assert!(after <= before * 1.25, "{what} grows");
    }
}

fn median(minutes: &[Minute], of: fn(&Minute) -> f64) -> f64 {
    let mut figures: Vec<f64> = minutes.iter().map(of).collect();
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

#[test]
fn percentiles_are_those_of_the_sample() {
    let latencies = Latencies((1..=200).rev().map(Duration::from_millis).collect());
    assert_eq!([50, 99, 100].map(|percent| latencies.percentile(percent).as_millis()), [100, 198, 200]);
}
