//! Where a stream of TLS records stands: between two of them, or within one that can't be decrypted yet.

/// Octets of a record's header: its type, its version and the length of what follows (RFC 8446 §5.1).
const HEADER_OCTETS: usize = 5;

/// Follows records over the octets that pass, however they are cut.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// How much of the header is there; all of it within a record's content.
    header_octets: usize,
    /// How much content the header announces, less what has passed.
    content_octets: usize,
}

impl Records {
    /// Takes note of the next octets.
    pub(super) fn pass(&mut self, mut octets: &[u8]) {
        while let Some((&octet, rest)) = octets.split_first() {
            if self.header_octets < HEADER_OCTETS {
                self.header_octets += 1;
                // The length is the last of the header, so what was shifted out before it is of no interest.
                self.content_octets = (self.content_octets << 8 | usize::from(octet)) & 0xffff;
                octets = rest;
            } else {
                let passed = self.content_octets.min(octets.len());
                self.content_octets -= passed;
                octets = &octets[passed..];
            }
            if self.header_octets == HEADER_OCTETS && self.content_octets == 0 {
                *self = Self::default();
            }
        }
    }

    /// Whether every record that has begun is whole.
    pub(super) fn is_between(&self) -> bool {
        self.header_octets == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn record(kind: u8, length: u16) -> Vec<u8> {
        let [high, low] = length.to_be_bytes();
        let mut record = vec![kind, 3, 3, high, low];
        record.resize(HEADER_OCTETS + usize::from(length), kind);
        record
    }

    proptest! {
        #[test]
        fn between_records_at_their_ends_alone(
            lengths in vec((any::<u8>(), prop_oneof![0..4u16, 250..260u16, Just(0x4100)]), 0..8),
            cuts in vec(1..600usize, 1..20),
        ) {
            let mut ends = vec![0];
            let mut stream = Vec::new();
            for (kind, length) in lengths {
                stream.extend(record(kind, length));
                ends.push(stream.len());
            }
            let mut records = Records::default();
            let mut at = 0;
            for cut in cuts.iter().cycle() {
                prop_assert_eq!(records.is_between(), ends.contains(&at));
                if at == stream.len() {
                    break;
                }
                let next = stream.len().min(at + cut);
                records.pass(&stream[at..next]);
                at = next;
            }
        }
    }
}
