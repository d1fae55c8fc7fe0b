//! A message as one chunk (RFC 3030 §2): its octets as they are, behind a command that says how many there are.

use super::{Failure, Wire};

/// A message on its way as one chunk. The server has all of it with the last octet that was announced, so this one is kept back
/// until it is certain that no other follows; a message that turns out longer or shorter is never completed.
#[derive(Debug)]
pub(super) struct ChunkWriter {
    octets: u64,
    octets_left: u64,
    last: Option<u8>,
}

impl ChunkWriter {
    /// For a message of so many octets.
    pub(super) fn new(octets: u64) -> Self {
        Self { octets, octets_left: octets, last: None }
    }

    /// Says a piece of the message. The command comes with the first one: a message that is longer than nothing must not be
    /// taken for an empty one.
    pub(super) fn write(&mut self, piece: &[u8], wire: &mut Wire) -> Result<(), Failure> {
        let Some((last, others)) = piece.split_last() else { return Ok(()) };
        let octets_left = self.octets_left.checked_sub(piece.len() as u64);
        let octets_left = octets_left.ok_or(Failure::TooLong { said: self.octets })?;
        if self.octets_left == self.octets {
            wire.begin_chunk(self.octets);
        }
        self.octets_left = octets_left;
        if octets_left > 0 {
            wire.chunk(piece);
        } else {
            wire.chunk(others);
            self.last = Some(*last);
        }
        Ok(())
    }

    /// Says what was kept back.
    pub(super) fn finish(self, wire: &mut Wire) -> Result<(), Failure> {
        if self.octets_left > 0 {
            return Err(Failure::TooShort { said: self.octets, octets: self.octets - self.octets_left });
        }
        if self.octets == 0 {
            wire.begin_chunk(0);
        }
        wire.end_chunk(self.last);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Octets;
    use proptest::prelude::*;

    /// What goes out for a message that comes in such pieces, and what comes of it.
    fn said(octets: u64, pieces: &[Vec<u8>]) -> (Vec<u8>, Result<(), Failure>) {
        let mut wire = Wire::new(None);
        let mut writer = ChunkWriter::new(octets);
        let written = pieces.iter().try_for_each(|piece| writer.write(piece, &mut wire));
        let finished = written.and_then(|()| writer.finish(&mut wire));
        (wire.output().to_vec(), finished)
    }

    proptest! {
        #[test]
        fn only_a_message_of_its_announced_length_is_completed(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..4), 0..5),
            octets in 0..16u64,
        ) {
            let message = pieces.concat();
            let (output, finished) = said(octets, &pieces);
            let command = format!("BDAT {octets} LAST\r\n").into_bytes();
            if message.len() as u64 == octets {
                prop_assert_eq!(output, [command, message].concat());
                prop_assert_eq!(finished, Ok(()));
            } else {
                // The command and all but the last octet, at most.
                prop_assert!((output.len() as u64) < command.len() as u64 + octets.max(1));
                let is_refused = matches!(finished, Err(Failure::TooLong { .. } | Failure::TooShort { .. }));
                prop_assert!(is_refused);
            }
        }
    }
}
