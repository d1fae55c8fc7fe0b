//! The base64 content transfer encoding (RFC 2045 §6.8), as octets come.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, BytesMut};

/// What a line of 76 characters, the longest, is made of.
const LINE_OCTETS: usize = 57;

/// Writes lines of base64.
#[derive(Debug, Default)]
pub(super) struct Base64Lines {
    /// Octets that fill no line yet.
    held: Vec<u8>,
    text: String,
}

impl Base64Lines {
    /// Encodes the next octets.
    pub(super) fn write(&mut self, mut octets: &[u8], out: &mut BytesMut) {
        while !octets.is_empty() {
            let room = LINE_OCTETS - self.held.len();
            let (fitting, rest) = octets.split_at(room.min(octets.len()));
            self.held.extend_from_slice(fitting);
            if self.held.len() == LINE_OCTETS {
                self.end_line(out);
            }
            octets = rest;
        }
    }

    /// Writes what is left, as a line of its own.
    pub(super) fn finish(&mut self, out: &mut BytesMut) {
        if !self.held.is_empty() {
            self.end_line(out);
        }
    }

    fn end_line(&mut self, out: &mut BytesMut) {
        STANDARD.encode_string(&self.held, &mut self.text);
        out.put_slice(self.text.as_bytes());
        out.put_slice(b"\r\n");
        self.held.clear();
        self.text.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn lines_are_full_and_decode(pieces in vec(vec(any::<u8>(), 0..130), 0..6)) {
            let (mut encoder, mut out) = (Base64Lines::default(), BytesMut::new());
            pieces.iter().for_each(|piece| encoder.write(piece, &mut out));
            encoder.finish(&mut out);
            let text = String::from_utf8(out.to_vec()).unwrap();
            let lines: Vec<_> = text.split_terminator("\r\n").collect();
            prop_assert!(text.is_empty() || text.ends_with("\r\n"));
            if let Some((last, full)) = lines.split_last() {
                prop_assert!(full.iter().all(|line| line.len() == 76) && (1..=76).contains(&last.len()));
            }
            prop_assert_eq!(STANDARD.decode(lines.concat()).unwrap(), pieces.concat());
        }
    }
}
