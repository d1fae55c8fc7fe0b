//! What honest clients have sent and read.

use std::collections::HashMap;
use std::sync::Mutex;

use testkit::noise::{message, noise, seed_of};

/// Sizes of messages: most are small.
const OCTETS: [usize; 8] = [200, 500, 1000, 2000, 4000, 8000, 20_000, 300_000];

/// All mail of honest clients that is on its way, by its seeds.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<HashMap<u64, Letter>>);

struct Letter {
    reader: usize,
    is_accepted: bool,
    times_read: u32,
}

impl Ledger {
    /// What is sent next, to this reader.
    pub(crate) fn send(&self, reader: usize) -> (u64, Vec<u8>) {
        let mut letters = self.0.lock().unwrap();
        let seed = letters.len() as u64;
        letters.insert(seed, Letter { reader, is_accepted: false, times_read: 0 });
        (seed, text(seed))
    }

    /// Its sender was told that it is taken.
    pub(crate) fn accepted(&self, seed: u64) {
        self.0.lock().unwrap().get_mut(&seed).unwrap().is_accepted = true;
    }

    /// This reader got it.
    pub(crate) fn read(&self, reader: usize, found: &[u8]) {
        let seed = seed_of(found);
        assert!(found == text(seed), "message {seed} is not what was sent");
        let mut letters = self.0.lock().unwrap();
        let letter = letters.get_mut(&seed).unwrap();
        assert_eq!(letter.reader, reader, "message {seed} came to somebody else");
        letter.times_read += 1;
        assert_eq!(letter.times_read, 1, "message {seed} came again");
    }

    /// How many were accepted and have not been read.
    pub(crate) fn under_way(&self) -> usize {
        let letters = self.0.lock().unwrap();
        letters.values().filter(|letter| letter.is_accepted && letter.times_read == 0).count()
    }

    pub(crate) fn accepted_count(&self) -> usize {
        self.0.lock().unwrap().values().filter(|letter| letter.is_accepted).count()
    }
}

fn text(seed: u64) -> Vec<u8> {
    message(seed, OCTETS[noise(seed) as usize % OCTETS.len()])
}
