//! Whether there is room for more mail.
//!
//! `limits.reserve` of the disk is left free, for what has to be written though no mail comes in any more: what is flushed, who
//! registers and who leaves. At MAIL all of it must be there and what the message will take. A message that has taken more than
//! it said, or many at once, may use up half of it, and no more.
//!
//! The store is asked once in a while. In between what comes in is subtracted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytesize::ByteSize;
use store::Store;

use crate::shared::Shared;

/// How long the store's answer is good for.
const INTERVAL: Duration = Duration::from_secs(1);

/// What is known of the room. Each number stands for itself, so nothing is locked.
#[derive(Debug)]
pub(crate) struct KnownRoom {
    start: Instant,
    /// When the store is asked again, in milliseconds from the start on.
    ask_at: AtomicU64,
    free_octets: AtomicU64,
    /// The octets of messages that have come since it was asked.
    taken_octets: AtomicU64,
    is_short: AtomicBool,
}

impl Default for KnownRoom {
    fn default() -> Self {
        Self {
            start: Instant::now(),
            ask_at: AtomicU64::new(0),
            free_octets: AtomicU64::new(u64::MAX),
            taken_octets: AtomicU64::new(0),
            is_short: AtomicBool::new(false),
        }
    }
}

impl KnownRoom {
    /// Whether it is time to ask the store; said to one caller alone.
    fn is_due(&self) -> bool {
        let milliseconds = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let (now, due) = (milliseconds(self.start.elapsed()), self.ask_at.load(Ordering::Relaxed));
        let next = now.saturating_add(milliseconds(INTERVAL));
        now >= due && self.ask_at.compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    fn learn(&self, free_octets: u64) {
        self.free_octets.store(free_octets, Ordering::Relaxed);
        self.taken_octets.store(0, Ordering::Relaxed);
    }

    /// So much less is free.
    fn take(&self, octets: u64) {
        self.taken_octets.fetch_add(octets, Ordering::Relaxed);
    }

    fn free_octets(&self) -> u64 {
        self.free_octets.load(Ordering::Relaxed).saturating_sub(self.taken_octets.load(Ordering::Relaxed))
    }

    /// Whether so many octets leave the reserve free. Without a reserve there always is: the disk itself says when it is full.
    fn is_enough_for(&self, octets: u64, reserve: u64) -> bool {
        reserve == 0 || self.free_octets() >= reserve.saturating_add(octets)
    }

    /// Whether half of the reserve is left.
    fn is_enough_to_go_on(&self, reserve: u64) -> bool {
        self.free_octets() >= reserve / 2
    }
}

impl<S: Store> Shared<S> {
    /// Whether a message of so many octets may come, where so much is to be left free.
    pub(crate) fn has_room_for(&self, octets: u64, reserve: ByteSize) -> bool {
        self.look_for_room();
        let is_enough = self.room.is_enough_for(octets, reserve.as_u64());
        if !is_enough {
            self.tell_of_room();
        }
        is_enough
    }

    /// So many octets of a message have come. Whether it may go on.
    pub(crate) fn take_room(&self, octets: usize, reserve: ByteSize) -> bool {
        self.look_for_room();
        self.room.take(octets as u64);
        self.room.is_enough_to_go_on(reserve.as_u64())
    }

    /// Asks the store if it is time to.
    pub(crate) fn look_for_room(&self) {
        if self.room.is_due() {
            match self.store.free_octets() {
                Ok(free) => self.room.learn(free),
                Err(error) => tracing::warn!(%error, "cannot find out how much room is left"),
            }
            self.tell_of_room();
        }
    }

    /// Tells the operator when the reserve is used up, and when it is there again and some more: what comes and goes at the
    /// border is not worth a word.
    fn tell_of_room(&self) {
        let reserve = self.settings().config.limits.reserve;
        let was_short = self.room.is_short.load(Ordering::Relaxed);
        let more = if was_short { reserve.as_u64() / 8 } else { 0 };
        let is_short = !self.room.is_enough_for(more, reserve.as_u64());
        if self.room.is_short.swap(is_short, Ordering::Relaxed) == is_short {
            return;
        }
        let free = ByteSize::b(self.room.free_octets());
        if is_short {
            tracing::warn!(%free, %reserve, "the disk is almost full: no mail is taken; free some space or lower limits.reserve");
        } else {
            tracing::info!(%free, %reserve, "there is room on the disk again: mail is taken");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESERVE: u64 = 100;

    fn known(free_octets: u64) -> KnownRoom {
        let room = KnownRoom::default();
        room.learn(free_octets);
        room
    }

    #[test]
    fn the_reserve_is_left_free() {
        for (free, octets, is_enough) in
            [(100, 0, true), (99, 0, false), (120, 20, true), (120, 21, false), (u64::MAX, 1 << 40, true)]
        {
            assert_eq!(known(free).is_enough_for(octets, RESERVE), is_enough, "{free} {octets}");
        }
        assert!(known(5).is_enough_for(6, 0), "no reserve");
    }

    #[test]
    fn what_comes_in_is_subtracted() {
        let room = known(120);
        assert!(room.is_enough_for(20, RESERVE));
        room.take(20);
        assert!(room.is_enough_for(0, RESERVE) && !room.is_enough_for(1, RESERVE));
        room.take(50);
        assert!(room.is_enough_to_go_on(RESERVE));
        room.take(1);
        assert!(!room.is_enough_to_go_on(RESERVE));
        room.take(1000);
        assert!(!room.is_enough_to_go_on(1000) && room.is_enough_to_go_on(0));
    }

    #[test]
    fn the_store_is_asked_once_in_a_while() {
        let mut room = KnownRoom::default();
        assert!(room.is_due());
        assert!(!room.is_due(), "it has just been asked");
        room.start -= INTERVAL;
        assert!(room.is_due() && !room.is_due());
    }
}
