//! Files that go along with a mail: encoded a line at a time, so that a large one never is in memory.

use std::fs::File;
use std::io::{self, BufReader, Read, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mail_builder::mime::MimePart;

use crate::media_type;

/// Octets of a file that make one line of base64, of 76 characters (RFC 2045 §6.8).
const BASE64_LINE_OCTETS: u64 = 57;

/// A file that goes along.
#[derive(Debug)]
pub(crate) struct Attachment {
    name: String,
    media_type: &'static str,
    file: File,
}

impl Attachment {
    /// Opens a file to attach it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = open_file(path)?;
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        Ok(Self { name, media_type: media_type::guess(path), file })
    }

    /// Writes it as a part of a message.
    pub(crate) fn write(self, output: &mut impl Write) -> io::Result<()> {
        let mut header = Vec::new();
        MimePart::new(self.media_type, &[][..])
            .attachment(self.name)
            .transfer_encoding("base64")
            .write_part(&mut header);
        output.write_all(&header)?;
        write_base64(BufReader::new(self.file), output)
    }
}

/// Opens what is to be read: a folder can be opened too, but not read.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() { Err(io::ErrorKind::IsADirectory.into()) } else { Ok(file) }
}

/// Octets in base64, in lines that mail may have.
pub(crate) fn base64_lines(octets: &[u8]) -> String {
    octets.chunks(BASE64_LINE_OCTETS as usize).map(|line| STANDARD.encode(line) + "\r\n").collect()
}

fn write_base64(mut input: impl Read, output: &mut impl Write) -> io::Result<()> {
    let (mut octets, mut line) = (Vec::new(), String::new());
    while input.by_ref().take(BASE64_LINE_OCTETS).read_to_end(&mut octets)? > 0 {
        STANDARD.encode_string(&octets, &mut line);
        line.push_str("\r\n");
        output.write_all(line.as_bytes())?;
        octets.clear();
        line.clear();
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_no_attachment() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(Attachment::open(folder.path()).unwrap_err().kind(), io::ErrorKind::IsADirectory);
    }
}
