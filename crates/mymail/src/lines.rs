//! Line ends: `<CRLF>` in mail, `<LF>` in files of this computer.

use std::io::{self, Write};

/// Passes text on with every line ended by `<CRLF>`, whichever of the two ends its lines had. A `<CR>` elsewhere stays as it
/// is, for the server to judge.
#[derive(Debug)]
pub(crate) struct ToCrlf<W> {
    inner: W,
    last: Option<u8>,
}

impl<W: Write> ToCrlf<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, last: None }
    }

    /// Ends the last line if it isn't ended.
    pub(crate) fn end(mut self) -> io::Result<W> {
        if self.last.is_some_and(|last| last != b'\n') {
            self.write_all(b"\n")?;
        }
        Ok(self.inner)
    }
}

impl<W: Write> Write for ToCrlf<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        for line in octets.split_inclusive(|&b| b == b'\n') {
            match line.strip_suffix(b"\n") {
                Some(text) => {
                    self.inner.write_all(text)?;
                    let ended = text.last().copied().or(self.last) == Some(b'\r');
                    self.inner.write_all(if ended { b"\n" } else { b"\r\n" })?;
                }
                None => self.inner.write_all(line)?,
            }
            self.last = line.last().copied();
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Passes text on with every `<CRLF>` as `<LF>`.
#[derive(Debug)]
pub(crate) struct ToLf<W> {
    inner: W,
    /// A `<CR>` came last, and may be the beginning of a line end.
    after_cr: bool,
    last: Option<u8>,
}

impl<W: Write> ToLf<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self { inner, after_cr: false, last: None }
    }

    /// Ends a text, and its last line if that isn't ended. Another text may follow.
    pub(crate) fn end_text(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.after_cr) {
            self.inner.write_all(b"\r")?;
        }
        if self.last.take().is_some_and(|last| last != b'\n') {
            self.inner.write_all(b"\n")?;
        }
        Ok(())
    }

    /// Ends the last text.
    pub(crate) fn end(mut self) -> io::Result<W> {
        self.end_text()?;
        Ok(self.inner)
    }
}

impl<W: Write> Write for ToLf<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        for piece in octets.split_inclusive(|&b| b == b'\r') {
            if self.after_cr && piece[0] != b'\n' {
                self.inner.write_all(b"\r")?;
            }
            let text = piece.strip_suffix(b"\r");
            self.after_cr = text.is_some();
            self.inner.write_all(text.unwrap_or(piece))?;
            self.last = piece.last().copied();
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crlf(input: &[u8], step: usize) -> Vec<u8> {
        let mut writer = ToCrlf::new(Vec::new());
        input.chunks(step).for_each(|piece| writer.write_all(piece).unwrap());
        writer.end().unwrap()
    }

    fn lf(input: &[u8], step: usize) -> Vec<u8> {
        let mut writer = ToLf::new(Vec::new());
        input.chunks(step).for_each(|piece| writer.write_all(piece).unwrap());
        writer.end().unwrap()
    }

    #[test]
    fn mail_has_crlf() {
        for step in 1..8 {
            assert_eq!(crlf(b"a\nb\r\n\n\r\nc\rd\n\re", step), b"a\r\nb\r\n\r\n\r\nc\rd\r\n\re\r\n");
            assert_eq!(crlf(b"cut\r", step), b"cut\r\n");
            assert_eq!(crlf(b"", step), b"");
        }
    }

    #[test]
    fn files_have_lf() {
        for step in 1..8 {
            assert_eq!(lf(b"a\r\n\r\nb\rc\r\r\nd", step), b"a\n\nb\rc\r\nd\n");
            assert_eq!(lf(b"cut\r", step), b"cut\r\n");
            assert_eq!(lf(b"", step), b"");
        }
    }
}
