//! Waiting for what happens in its own time: it is looked for again and again, up to a deadline.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::ensure;

/// What has not happened by then never will.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// Looks until it is there.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        ensure!(Instant::now() < deadline, "it never happens that {what}");
        sleep(PAUSE);
    }
}
