//! Messages whose octets follow from a number, their seed, and reports about them.

use testkit::noise::{message, noise, seed_of};

/// The domain of all accounts.
pub(crate) const DOMAIN: &str = "mymailserver";

/// What is in a mailbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Item {
    /// The message of this seed.
    Mail(u64),
    /// The report about it.
    Report(u64),
}

/// How long a message is. Its seed tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    /// About 1 KiB.
    Small,
    /// About 56 KiB.
    Middle,
    /// About 100 KiB.
    Big,
    /// More than 300 KiB.
    Huge,
}

/// A message in so many is long in one way or another.
const KINDS: u64 = 16;

impl Size {
    pub(crate) fn of(seed: u64) -> Self {
        match seed % KINDS {
            0 => Self::Huge,
            1 => Self::Big,
            2 => Self::Middle,
            _ => Self::Small,
        }
    }

    /// The seed of a message of this size; a different one for each number.
    pub(crate) fn seed(self, number: u64) -> u64 {
        number * KINDS
            + match self {
                Self::Huge => 0,
                Self::Big => 1,
                Self::Middle => 2,
                Self::Small => 3,
            }
    }

    fn octets(self, chance: u64) -> usize {
        let (least, range) = match self {
            Self::Small => (500, 1000),
            Self::Middle => (56_000, 4000),
            Self::Big => (90_000, 20_000),
            Self::Huge => (310_000, 90_000),
        };
        least + (chance % range) as usize
    }
}

/// A message's octets. The first line is its seed; each of the long lines of a long one is a piece of noise under the seed and
/// the line's number, so that none can stand for another.
pub(crate) fn content(seed: u64) -> Vec<u8> {
    let size = Size::of(seed);
    let octets = size.octets(noise(seed));
    if size == Size::Small {
        return message(seed, octets);
    }
    let mut text = message(seed, 2000);
    let piece: Vec<u8> = text[seed.to_string().len() + 2..].iter().copied().filter(|octet| *octet > b' ').collect();
    for line in 0.. {
        if text.len() >= octets {
            break;
        }
        let skipped = noise(seed + line) as usize % (piece.len() / 2);
        text.extend(format!("{seed} {line} ").as_bytes());
        text.extend(&piece[skipped..skipped + 900.min(piece.len() / 2)]);
        text.extend(b"\r\n");
    }
    text
}

/// What a reader by POP3 has got. Only what is whole can be read.
#[derive(Debug)]
pub(crate) struct Letter {
    pub(crate) item: Item,
    /// Its reverse-path.
    pub(crate) from: String,
    /// Without the server's trace lines.
    pub(crate) octets: u64,
}

/// Reads a message with its trace lines, or says what is wrong with it.
pub(crate) fn read(text: &[u8]) -> Result<Letter, String> {
    let mut rest = text;
    let path = line(&mut rest).strip_prefix("Return-Path: ").ok_or("no Return-Path")?.to_owned();
    if path == "<>" {
        let item = Item::Report(read_report(rest)?);
        return Ok(Letter { item, from: path, octets: rest.len() as u64 });
    }
    for begin in ["Received: from ", "\tby ", "\t", ""] {
        let line = line(&mut rest);
        if !line.starts_with(begin) || (begin.is_empty() && !line.is_empty()) {
            return Err(format!("{line:?} among the trace lines"));
        }
    }
    let from = path.trim_matches(['<', '>']).to_owned();
    Ok(Letter { item: Item::Mail(read_mail(rest)?), from, octets: rest.len() as u64 })
}

/// The seed of a message as its sender sent it.
pub(crate) fn read_mail(text: &[u8]) -> Result<u64, String> {
    let first = text.split(|octet| *octet == b'\r').next().unwrap_or_default();
    let is_number = !first.is_empty() && first.len() < 20 && first.iter().all(u8::is_ascii_digit);
    if !is_number {
        return Err(format!("a message of {} octets that tells no seed", text.len()));
    }
    let seed = seed_of(text);
    if text == content(seed) { Ok(seed) } else { Err(format!("message {seed} is torn: {} octets", text.len())) }
}

/// The seed of the message that a report is about.
pub(crate) fn read_report(text: &[u8]) -> Result<u64, String> {
    let text = String::from_utf8_lossy(text);
    let boundary = text.split_once("boundary=\"").and_then(|(_, rest)| Some(rest.split_once('"')?.0));
    let boundary = boundary.ok_or("a report without a boundary")?;
    if !text.ends_with(&format!("\r\n--{boundary}--\r\n")) {
        return Err("a report without an end".to_owned());
    }
    let id = text.split_once("\r\nOriginal-Envelope-Id: ").and_then(|(_, rest)| Some(rest.split_once("\r\n")?.0));
    let id = id.and_then(|id| id.parse().ok());
    id.ok_or_else(|| "a report about nothing".to_owned())
}

/// Takes a line off, and gives it without its end.
fn line(rest: &mut &[u8]) -> String {
    let end = rest.iter().position(|octet| *octet == b'\n').map_or(rest.len(), |at| at + 1);
    let (line, behind) = rest.split_at(end);
    *rest = behind;
    String::from_utf8_lossy(line).trim_end_matches("\r\n").to_owned()
}
