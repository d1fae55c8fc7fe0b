//! What can happen to files, as an input says.
//!
//! It is a row of strokes. Each has four octets (what is done, to which file, and where, in 65,536ths of it), then one that says
//! how many octets are put there, and those.

use std::collections::BTreeMap;

use xxhash_rust::xxh3::xxh3_64;

use super::image::{Files, Letter};

/// What happens to the files of a store.
#[derive(Debug, Default)]
pub(super) struct Damage {
    /// Whether some record has a checksum that is right, and was written by nobody.
    pub(super) is_forged: bool,
    /// Whether something else than a segment of the journal is damaged, or all of one.
    reaches_all: bool,
    /// From where on the segments are damaged that are.
    journal_from: BTreeMap<String, usize>,
    strokes: usize,
}

#[derive(Debug)]
struct Stroke {
    what: u8,
    file: u8,
    place: u16,
    octets: Vec<u8>,
}

impl Damage {
    /// Does it to the files.
    pub(super) fn strike(input: &[u8], files: &mut Files) -> Self {
        let (mut damage, mut rest) = (Self::default(), input);
        while let [what, file, high, low, octets, behind @ ..] = rest {
            let (octets, behind) = behind.split_at(behind.len().min(usize::from(*octets)));
            let place = u16::from_be_bytes([*high, *low]);
            Stroke { what: *what, file: *file, place, octets: octets.to_vec() }.strike(files, &mut damage);
            damage.strokes += 1;
            rest = behind;
        }
        damage
    }

    pub(super) fn is_none(&self) -> bool {
        self.strokes == 0
    }

    /// Whether it may have taken this message: one whose record stands before all damage is safe.
    pub(super) fn may_reach(&self, letter: &Letter) -> bool {
        self.reaches_all || self.journal_from.get(&letter.segment).is_some_and(|from| letter.ends_at > *from)
    }
}

impl Stroke {
    fn strike(&self, files: &mut Files, damage: &mut Damage) {
        let names: Vec<String> = files.keys().cloned().collect();
        let Some(name) = names.get(usize::from(self.file) % names.len().max(1)) else { return };
        let other = files[&names[usize::from(self.place) % names.len()]].clone();
        let file = files.get_mut(name).expect("a file of this name");
        let at = (file.len() * usize::from(self.place)) >> 16;
        let is_journal = name.starts_with("journal/");
        match self.what % 8 {
            0 => file.iter_mut().skip(at).zip(&self.octets).for_each(|(octet, new)| *octet = *new),
            1 => drop(file.splice(at..at, self.octets.iter().copied())),
            2 => file.truncate(at),
            3 => file.iter_mut().skip(at).take(16 * self.octets.len()).for_each(|octet| *octet = 0),
            4 if is_journal => {
                file.truncate(at);
                file.extend(record(&self.octets));
                damage.is_forged = true;
            }
            5 => {
                files.remove(name);
                damage.reaches_all = true;
            }
            6 => {
                let folder = if self.place & 1 == 0 { "journal" } else { "bodies" };
                files.insert(format!("{folder}/{}", self.file), self.octets.clone());
                damage.reaches_all = true;
            }
            _ => {
                *file = other;
                damage.reaches_all = true;
            }
        }
        if is_journal {
            let from = damage.journal_from.entry(name.clone()).or_insert(usize::MAX);
            *from = at.min(*from);
        } else {
            damage.reaches_all = true;
        }
    }
}

/// A record of these octets, some for its kind and some for its table, with the checksum that belongs to it.
fn record(octets: &[u8]) -> Vec<u8> {
    let (kind, table) = octets.split_first().unwrap_or((&0, &[]));
    let kind = if kind & 1 == 0 { b"mYjD" } else { b"mYjM" };
    let table_octets = u32::try_from(table.len()).unwrap_or_default().to_le_bytes();
    let behind = [kind.as_slice(), &[0; 4], &table_octets, &[0; 8], table].concat();
    [&xxh3_64(&behind).to_le_bytes(), behind.as_slice()].concat()
}
