//! The header that a proxy begins a connection with: nothing behind it is read, and nothing of it may be missing.

use std::fmt::Debug;

/// Longest header of version 1, and how it begins.
const LINE_OCTETS_MAX: usize = 107;
const LINE_PREFIX: &[u8] = b"PROXY ";
/// Longest header of version 2 that is read.
const BLOCK_OCTETS_MAX: usize = 16 + (4 << 10);

/// An input is what comes over a connection; `read` takes the header off its front and says whose connection it is.
pub fn proxy_header<T: PartialEq + Debug>(input: &[u8], read: impl Fn(&mut &[u8]) -> Option<T>) {
    let mut rest = input;
    let told = read(&mut rest);
    let header = &input[..input.len() - rest.len()];
    assert!(header.len() <= BLOCK_OCTETS_MAX, "{} octets are read", header.len());
    if told.is_none() {
        return;
    }
    if header.starts_with(LINE_PREFIX) {
        let text = header.strip_suffix(b"\r\n").expect("a line");
        assert!(!text.contains(&b'\r') && !text.contains(&b'\n'), "a bare line end in {}", header.escape_ascii());
        assert!(header.len() <= LINE_OCTETS_MAX);
    }
    let mut alone = header;
    assert_eq!((read(&mut alone), alone), (told, &b""[..]), "what follows makes a difference");
    let mut short = &header[..header.len() - 1];
    assert_eq!(read(&mut short), None, "an octet is missing");
}
