//! What a server may say: lines, and nothing else.

use proto::sasl::AUTH_OCTETS_MAX;

/// Longest reply line, its end included (RFC 5321 §4.5.3.1.5); POP3 has the same (RFC 2449 §4). A challenge may be as long as
/// its response (RFC 4954 §4).
const LINE_OCTETS_MAX: usize = 512;

/// Panics unless the octets are lines that a client takes for what they are: ended by CRLF, short, without controls.
pub(super) fn assert_lines(octets: &[u8]) {
    let text = str::from_utf8(octets).expect("the server speaks UTF-8");
    assert!(text.is_empty() || text.ends_with("\r\n"), "half a line: {text:?}");
    for line in text.split_terminator("\r\n") {
        assert!(!line.contains(char::is_control), "a control in {line:?}");
        let is_challenge = line.starts_with("334 ") || line.starts_with("+ ");
        let octets_max = if is_challenge { AUTH_OCTETS_MAX } else { LINE_OCTETS_MAX };
        assert!(line.len() + 2 <= octets_max, "{} octets: {line:?}", line.len());
    }
}

/// The codes of SMTP's replies, of each its last line. Panics at a line that belongs to none.
pub(super) fn codes(octets: &[u8]) -> Vec<u16> {
    let text = str::from_utf8(octets).expect("the server speaks UTF-8");
    let (mut codes, mut begun) = (Vec::new(), None);
    for line in text.split_terminator("\r\n") {
        let code: u16 =
            line.get(..3).and_then(|code| code.parse().ok()).unwrap_or_else(|| panic!("no reply: {line:?}"));
        assert!((200..600).contains(&code), "no code: {line:?}");
        assert!(begun.is_none_or(|begun| begun == code), "two codes in one reply: {text:?}");
        begun = match line.as_bytes().get(3) {
            Some(b'-') => Some(code),
            Some(b' ') => {
                codes.push(code);
                None
            }
            _ => panic!("no reply: {line:?}"),
        };
    }
    assert_eq!(begun, None, "half a reply: {text:?}");
    codes
}
