//! What holds of any input: functions that take octets and panic when a property fails.
//!
//! The fuzzers of `fuzz/` call them, and so do the property tests of the crates, with the inputs that once made one fail
//! (`fuzz/regressions/`). An input begins with some octets of choices (who the peer is, how the octets are split, what the driver
//! answers); the rest is what is said. What is missing of the choices is zero, so that every input is one.

mod addresses;
mod answers;
mod carriable;
mod command_parser;
mod data_reader;
mod hostile_server;
mod pop3_client;
mod pop3_session;
mod proxy_header;
mod replies;
mod sasl;
mod smtp_client;
mod smtp_session;

use std::panic::{self, RefUnwindSafe};
use std::path::Path;

pub use self::addresses::addresses;
pub use self::carriable::carriable;
pub use self::command_parser::{Moment, Understood, command_parser, understand};
pub use self::data_reader::data_reader;
pub use self::pop3_client::pop3_client;
pub use self::pop3_session::pop3_session;
pub use self::proxy_header::proxy_header;
pub use self::sasl::sasl;
pub use self::smtp_client::smtp_client;
pub use self::smtp_session::smtp_session;

use crate::noise::noise;

/// Tries a property with every input that once made it fail: the files in `folder/name/`, of which there may be none.
pub fn replay(folder: &Path, name: &str, property: impl Fn(&[u8]) + RefUnwindSafe) {
    assert!(folder.is_dir(), "{}: no such folder", folder.display());
    let Ok(entries) = folder.join(name).read_dir() else { return };
    for entry in entries {
        let path = entry.expect("a readable folder").path();
        let input = std::fs::read(&path).expect("a readable input");
        panic::catch_unwind(|| property(&input)).unwrap_or_else(|_| panic!("{} fails again", path.display()));
    }
}

/// Choices for a world, and what is said in it.
fn parted<const N: usize>(input: &[u8]) -> ([u8; N], &[u8]) {
    let mut choices = [0; N];
    let taken = N.min(input.len());
    choices[..taken].copy_from_slice(&input[..taken]);
    (choices, &input[taken..])
}

/// The octets in pieces of 1 to 64 octets, the same ones for the same seed; a seed of 0 gives single octets.
fn segments(seed: u64, octets: &[u8]) -> Vec<&[u8]> {
    let (mut state, mut rest, mut segments) = (seed, octets, Vec::new());
    while !rest.is_empty() {
        state = noise(state);
        let most = if seed == 0 { 1 } else { 1 + (state % 64) as usize };
        let (segment, left) = rest.split_at(most.min(rest.len()));
        segments.push(segment);
        rest = left;
    }
    segments
}

/// The octets in lines, each with its end.
fn lines(octets: &[u8]) -> Vec<&[u8]> {
    octets.split_inclusive(|octet| *octet == b'\n').collect()
}
