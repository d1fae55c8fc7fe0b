//! Waiting for what happens in its own time: it is looked for again and again, up to a deadline.

use std::io;
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// What has not happened by then never will.
pub const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);

/// Looks until it is so.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> io::Result<bool>) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !is_so().await? {
        assert!(Instant::now() < deadline, "it never happens that {what}");
        sleep(PAUSE).await;
    }
    Ok(())
}
