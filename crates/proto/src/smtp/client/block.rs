//! The block that a retrieved message begins with: header fields between two lines of stars.

use super::Breach;

/// The most lines of a block, stars included. Ours has six.
pub const BLOCK_LINES_MAX: usize = 16;
/// Longest line of a block, in octets: a field's name and the longest path, quoted.
pub const BLOCK_LINE_OCTETS_MAX: usize = 1024;

const STARS: &[u8] = b"*****";

/// The envelope's addresses in the block, as the server wrote them: not made safe for a terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The address that the message was sent from, or `<>`.
    pub from: String,
    /// The address that it was sent to.
    pub to: String,
}

/// Reads a block, piece by piece.
#[derive(Debug, Default)]
pub(super) struct BlockReader {
    line: Vec<u8>,
    lines: Vec<String>,
}

impl BlockReader {
    /// Takes a piece of the message that reaches no further than to the end of a line. Returns the block when that was its
    /// last.
    pub(super) fn take(&mut self, piece: &[u8]) -> Result<Option<Block>, Breach> {
        if self.line.len() + piece.len() > BLOCK_LINE_OCTETS_MAX {
            return Err(Breach::Block);
        }
        self.line.extend_from_slice(piece);
        let Some(line) = self.line.strip_suffix(b"\r\n") else { return Ok(None) };
        let is_first = self.lines.is_empty();
        if line == STARS && !is_first {
            return self.block().map(Some).ok_or(Breach::Block);
        }
        if (is_first && line != STARS) || self.lines.len() == BLOCK_LINES_MAX {
            return Err(Breach::Block);
        }
        self.lines.push(String::from_utf8_lossy(line).into_owned());
        self.line.clear();
        Ok(None)
    }

    fn block(&self) -> Option<Block> {
        let field = |name: &str| {
            self.lines.iter().find_map(|line| {
                let (found, value) = line.split_once(':')?;
                found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        Some(Block { from: field("From")?, to: field("To")? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Option<Block>, Breach> {
        let mut reader = BlockReader::default();
        for line in text.split_inclusive('\n') {
            let (head, tail) = line.split_at(line.len() / 2);
            if let Some(block) = reader.take(head.as_bytes())?.or(reader.take(tail.as_bytes())?) {
                return Ok(Some(block));
            }
        }
        Ok(None)
    }

    const FIELDS: &str = "From: 9@m\r\nTo: 10@m\r\nMIME-Version: 1.0\r\nContent-Type: text\r\n";

    #[test]
    fn a_block_is_read() {
        let block = read(&format!("*****\r\n{FIELDS}*****\r\n")).unwrap().unwrap();
        assert_eq!((block.from.as_str(), block.to.as_str()), ("9@m", "10@m"));
        let swapped = read("*****\r\nto:a@b\r\nX: y\r\nfrom: <>\r\nmime-version: 1\r\ncontent-type: t\r\n*****\r\n");
        assert_eq!(swapped.unwrap().unwrap().from, "<>");
        assert_eq!(read(&format!("*****\r\n{FIELDS}")), Ok(None));
    }

    #[test]
    fn what_is_no_block_is_a_breach() {
        for text in [
            FIELDS.to_owned(),
            format!("****\r\n{FIELDS}*****\r\n"),
            "*****\r\n*****\r\n".to_owned(),
            "*****\r\nFrom: 9@m\r\nMIME-Version: 1.0\r\n*****\r\n".to_owned(),
            format!("*****\r\n{}", "X: y\r\n".repeat(BLOCK_LINES_MAX)),
            format!("*****\r\nFrom: {}", "x".repeat(BLOCK_LINE_OCTETS_MAX)),
        ] {
            assert_eq!(read(&text), Err(Breach::Block), "{text}");
        }
    }
}
