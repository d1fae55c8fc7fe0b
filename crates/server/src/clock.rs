//! The two clocks: that on the wall, for dates, and a steady one, for leases and holds, which must not end because the one on the
//! wall is put right. What only lives as long as the process goes by `Instant`.

use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use store::Timestamp;
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

/// Now, by the clock on the wall.
pub(crate) fn now() -> Timestamp {
    timestamp_of(SystemTime::now())
}

/// Now, by the steady clock: what the wall clock said when this was first asked, and the time that has passed since then. That of
/// a machine's sleep has not.
pub(crate) fn steady() -> Timestamp {
    static START: LazyLock<(SystemTime, Instant)> = LazyLock::new(|| (SystemTime::now(), Instant::now()));
    let (wall, steady) = *START;
    timestamp_of(wall.checked_add(steady.elapsed()).unwrap_or(wall))
}

/// When it was by the wall clock, as it goes now, if it was this by the steady one.
pub(crate) fn on_the_wall(steadily: Timestamp) -> Timestamp {
    Timestamp(steadily.0.saturating_add(now().0 - steady().0))
}

fn timestamp_of(time: SystemTime) -> Timestamp {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(i64::try_from(since_epoch.as_secs()).unwrap_or(i64::MAX))
}

/// So much later.
pub(crate) fn after(time: Timestamp, span: Duration) -> Timestamp {
    Timestamp(time.0.saturating_add(seconds(span)))
}

/// So much earlier.
pub(crate) fn before(time: Timestamp, span: Duration) -> Timestamp {
    Timestamp(time.0.saturating_sub(seconds(span)))
}

/// A date-time as header fields have it (RFC 5322 §3.3), in UTC.
pub(crate) fn date_time(time: Timestamp) -> String {
    let date_time = OffsetDateTime::from_unix_timestamp(time.0).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    // Only years before 1900 can't be said in this format.
    date_time.format(&Rfc2822).unwrap_or_default()
}

/// A date-time as RFC 3339 has it, in UTC: `1997-11-21T15:55:06Z`.
pub(crate) fn timestamp(time: Timestamp) -> String {
    let date_time = OffsetDateTime::from_unix_timestamp(time.0).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    // Only years before 0 can't be said in this format.
    date_time.format(&Rfc3339).unwrap_or_default()
}

fn seconds(span: Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn date_times_are_those_of_rfc_5322_and_rfc_3339() {
        assert_eq!(date_time(Timestamp(880_127_706)), "Fri, 21 Nov 1997 15:55:06 +0000");
        assert_eq!(timestamp(Timestamp(880_127_706)), "1997-11-21T15:55:06Z");
    }

    #[test]
    fn the_steady_clock_goes_with_the_wall() {
        let (before, steady, after) = (now(), steady(), now());
        for time in [steady, on_the_wall(steady)] {
            assert!((before.0 - 1..=after.0 + 1).contains(&time.0), "{before:?}, {time:?}, {after:?}");
        }
    }

    #[test]
    fn times_far_away_do_not_overflow() {
        assert_eq!(after(Timestamp(i64::MAX), Duration::MAX), Timestamp(i64::MAX));
        assert_eq!(before(Timestamp(-5), Duration::MAX), Timestamp(i64::MIN));
    }
}
