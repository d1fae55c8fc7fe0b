//! Who sent a message that a POP3 server gives: POP3 has no envelope, but the server that delivered the message may have kept
//! the reverse-path in a line before it (RFC 5321 §4.4).

use proto::ReversePath;

/// The most octets of a message in which its first line must end to be read: the most that a text line may have (RFC 5321
/// §4.5.3.1.6).
pub(crate) const FIRST_LINE_OCTETS_MAX: usize = 1000;

/// The address in a message's first line if that is its Return-Path, `<>` otherwise.
pub(crate) fn sender(message: &[u8]) -> String {
    let line = message.split(|octet| *octet == b'\n').next().unwrap_or_default();
    let path = std::str::from_utf8(line).ok().and_then(|line| {
        let (name, path) = line.split_once(':')?;
        name.trim_end().eq_ignore_ascii_case("Return-Path").then(|| path.trim().parse().ok())?
    });
    match path {
        Some(ReversePath::Address(address)) => address.to_string(),
        Some(ReversePath::Null) | None => "<>".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sender_stands_in_the_first_line() {
        for (message, from) in [
            ("Return-Path: <9@mymailserver>\r\nReceived: x\r\n", "9@mymailserver"),
            ("return-path:<a.b+c@mail.example>\r\n", "a.b+c@mail.example"),
            ("Return-Path: <>\r\n", "<>"),
            ("Return-Path: nonsense\r\n", "<>"),
            ("Return-Path: <a\r@b>\r\n", "<>"),
            ("Received: x\r\nReturn-Path: <9@mymailserver>\r\n", "<>"),
            ("Hello\r\n", "<>"),
            ("", "<>"),
        ] {
            assert_eq!(sender(message.as_bytes()), from, "{message}");
        }
        assert_eq!(sender(b"Return-Path: <\xff@a>\r\n"), "<>");
    }
}
