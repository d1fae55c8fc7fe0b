//! What has let one message hide in another (SMTP smuggling).

/// What may stand before and behind a dot: line ends, halves of them, what strips to nothing or looks like a line end to
/// somebody.
pub const AROUND: [&[u8]; 17] = [
    b"",
    b"\r",
    b"\n",
    b"\r\n",
    b"\n\r",
    b"\r\r",
    b"\n\n",
    b"\0",
    b" ",
    b"\t",
    b"\x0b",
    b"\x0c",
    b"\x1b",
    b"\x85",
    b"\xc2\x85",
    b"\x8d\x8a",
    b"\xe2\x80\xa8",
];

/// Where the most lenient of readers sees the end of a message: each of CR, LF and CRLF ends a line for it.
pub fn lenient_end(wire: &[u8]) -> Option<usize> {
    let (mut line, mut at) = (0, 0);
    while at < wire.len() {
        let end = match wire[at..] {
            [b'\r', b'\n', ..] => 2,
            [b'\r' | b'\n', ..] => 1,
            _ => 0,
        };
        if end > 0 && wire[line..at] == *b"." {
            return Some(at + end);
        }
        at += end.max(1);
        line = if end > 0 { at } else { line };
    }
    None
}
