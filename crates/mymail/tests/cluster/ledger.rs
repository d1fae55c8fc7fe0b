//! What was sent, acknowledged and read.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;

use testkit::client::Mail;
use testkit::noise::{message, noise, seed_of};

/// Sizes of messages: most are small, and the longest is kept in pieces.
const OCTETS: [usize; 8] = [200, 200, 500, 500, 1000, 2000, 20_000, 300_000];

/// All mail, by its seeds. Each attempt to send one is a message of its own.
#[derive(Default)]
pub(crate) struct Ledger(Mutex<Vec<Letter>>);

struct Letter {
    from: String,
    /// By the numbers of the readers.
    to: HashMap<usize, Reading>,
    is_accepted: bool,
}

/// How far a reader has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Not,
    /// It may come again: that it was handed over may be forgotten with whoever fails.
    Seen,
    /// It was not in the mailbox any more.
    Gone,
}

impl Ledger {
    /// What is sent next.
    pub(crate) fn send(&self, from: &str, to: &[usize]) -> (u64, Vec<u8>) {
        let mut letters = self.0.lock().unwrap();
        let to = to.iter().map(|reader| (*reader, Reading::Not)).collect();
        letters.push(Letter { from: from.to_owned(), to, is_accepted: false });
        let seed = letters.len() as u64 - 1;
        (seed, text(seed))
    }

    /// Its sender was told that it is kept.
    pub(crate) fn accepted(&self, seed: u64) {
        self.0.lock().unwrap()[seed as usize].is_accepted = true;
    }

    /// This is all that the reader has in its mailbox.
    pub(crate) fn listed(&self, reader: usize, mails: &[Mail]) {
        self.listed_texts(reader, mails.iter().map(|mail| mail.text.as_slice()));
        let letters = self.0.lock().unwrap();
        for mail in mails {
            assert_eq!(mail.from, letters[seed_of(&mail.text) as usize].from, "who has sent it");
        }
    }

    /// The same, where it is not said by whom they are.
    pub(crate) fn listed_texts<'t>(&self, reader: usize, texts: impl Iterator<Item = &'t [u8]>) {
        let mut letters = self.0.lock().unwrap();
        let mut listed = HashSet::new();
        for found in texts {
            let seed = seed_of(found);
            assert!(found == text(seed), "message {seed} is not what was sent");
            assert!(listed.insert(seed), "message {seed} is there twice");
            let reading = letters[seed as usize].to.get_mut(&reader);
            let reading = reading.unwrap_or_else(|| panic!("message {seed} came to {reader}, whom it is not for"));
            assert_ne!(*reading, Reading::Gone, "message {seed} came to {reader} when it was gone");
            *reading = Reading::Seen;
        }
        for (seed, letter) in (0..).zip(letters.iter_mut()) {
            let is_gone = letter.to.get(&reader) == Some(&Reading::Seen) && !listed.contains(&seed);
            if is_gone {
                letter.to.insert(reader, Reading::Gone);
            }
        }
    }

    /// Ends the test: whatever was acknowledged has been seen by all whom it is for.
    pub(crate) fn expect_all_seen(&self) {
        let letters = self.0.lock().unwrap();
        let is_lost =
            |letter: &Letter| letter.is_accepted && letter.to.values().any(|reading| *reading == Reading::Not);
        let lost: Vec<_> =
            (0..).zip(letters.iter()).filter(|(_, letter)| is_lost(letter)).map(|(seed, _)| seed).collect();
        assert_eq!(lost, [0_u64; 0], "these were acknowledged, and are lost");
        let accepted = letters.iter().filter(|letter| letter.is_accepted).count();
        let unknown = letters.iter().filter(|letter| !letter.is_accepted);
        let there = unknown.clone().filter(|letter| letter.to.values().any(|reading| *reading != Reading::Not)).count();
        println!(
            "{accepted} messages acknowledged: none lost, doubled or crossed; of {} others {there} are there",
            unknown.count()
        );
    }
}

fn text(seed: u64) -> Vec<u8> {
    message(seed, OCTETS[noise(seed) as usize % OCTETS.len()])
}
