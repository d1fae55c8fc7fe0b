//! How far a large transfer has come: on standard error, and only if that is a terminal.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressStyle};

/// Transfers of fewer octets are over before anybody could read a bar.
const SHOWN_FROM_OCTETS: u64 = 1 << 20;

/// A transfer that people can watch, if it is large.
#[derive(Debug)]
pub(crate) struct Progress {
    octets: u64,
    /// `None` when nobody knows.
    octets_total: Option<u64>,
    bar: Option<ProgressBar>,
}

impl Progress {
    /// A transfer of so many octets.
    pub(crate) fn of(octets_total: u64) -> Self {
        Self { octets: 0, octets_total: Some(octets_total), bar: None }
    }

    /// A transfer whose length nobody knows.
    pub(crate) fn unknown() -> Self {
        Self { octets: 0, octets_total: None, bar: None }
    }

    /// Work on a whole store has come so far. It may find that there is more to do.
    pub(crate) fn follow(&mut self, progress: store::Progress) {
        let store::Progress { octets, octets_total } = progress;
        self.octets_total = Some(octets_total);
        self.reached(octets);
        if let Some(bar) = &self.bar {
            bar.set_length(octets_total);
        }
    }

    /// So many octets have gone by, all in all.
    pub(crate) fn reached(&mut self, octets: u64) {
        self.octets = octets;
        if self.octets_total.unwrap_or(octets) >= SHOWN_FROM_OCTETS {
            self.bar.get_or_insert_with(|| bar(self.octets_total)).set_position(octets);
        }
    }

    /// So many more octets have gone by.
    pub(crate) fn add(&mut self, octets: usize) {
        self.reached(self.octets + octets as u64);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(octets_total: Option<u64>) -> ProgressBar {
    let (bar, template) = match octets_total {
        _ if !io::stderr().is_terminal() => return ProgressBar::hidden(),
        Some(octets) => (ProgressBar::new(octets), "{bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}"),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes} {bytes_per_sec}"),
    };
    bar.with_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_large_transfers_have_a_bar() {
        let mut small = Progress::of(SHOWN_FROM_OCTETS - 1);
        small.reached(SHOWN_FROM_OCTETS - 1);
        assert!(small.bar.is_none());
        let mut large = Progress::of(SHOWN_FROM_OCTETS);
        large.reached(1);
        assert!(large.bar.is_some());
        let mut unknown = Progress::unknown();
        unknown.add(1000);
        assert!(unknown.bar.is_none());
        unknown.add(SHOWN_FROM_OCTETS as usize);
        assert!(unknown.bar.is_some());
    }
}
