//! Lines of JSON, read and written.

use std::io::{self, ErrorKind};

use serde::Serialize;
use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// The next line, without its end. `None`: the peer closed before there was a whole one. Fails for one of more than `octets_max`.
pub(super) async fn read(input: &mut (impl AsyncBufRead + Unpin), octets_max: usize) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    input.take(octets_max as u64).read_until(b'\n', &mut line).await?;
    match line.pop() {
        Some(b'\n') => Ok(Some(line)),
        Some(_) if line.len() + 1 == octets_max => Err(io::Error::new(ErrorKind::InvalidData, "a line is too long")),
        _ => Ok(None),
    }
}

/// Appends a value as a line.
pub(super) fn write(output: &mut Vec<u8>, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *output, value)?;
    output.push(b'\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_line_is_whole_and_not_too_long() {
        for (text, line) in [("one\ntwo\n", Some("one")), ("\n", Some("")), ("one", None), ("", None)] {
            assert_eq!(
                read(&mut text.as_bytes(), 100).await.unwrap(),
                line.map(|line| line.as_bytes().to_vec()),
                "{text:?}"
            );
        }
        assert_eq!(read(&mut b"four\n".as_slice(), 5).await.unwrap(), Some(b"four".to_vec()));
        assert!(read(&mut b"four\n".as_slice(), 4).await.is_err());
    }
}
