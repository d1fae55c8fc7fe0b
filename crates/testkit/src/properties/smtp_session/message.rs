//! The message that a session keeps is the one that the client has said, and ended: read a second time, by simpler rules.

use proto::smtp::server::Body;

use crate::properties::data_reader::message_of;

/// Where the last command line in these octets begins, which they end with.
pub(super) fn command_before(said: &[u8]) -> usize {
    let line = &said[..said.len() - 1];
    line.iter().rposition(|octet| *octet == b'\n').map_or(0, |at| at + 1)
}

/// Panics unless the octets, from DATA or the first BDAT on, are this message and nothing more.
pub(super) fn assert_said(said: &[u8], content: &[u8], body: Body) {
    let (command, rest) = split_line(said);
    let line_end: &[u8] = if command.ends_with(b"\r\n") { b"\r\n" } else { b"\n" };
    let message = match words(command).first() {
        Some(verb) if verb.eq_ignore_ascii_case("DATA") => message_of(rest, line_end),
        _ => chunks(said, line_end).map(|message| if body == Body::Binary { message } else { with_line_end(message) }),
    };
    let message = message.unwrap_or_else(|| panic!("kept, but it has not ended: {:?}", String::from_utf8_lossy(said)));
    assert_eq!(String::from_utf8_lossy(content), String::from_utf8_lossy(&message));
    assert_eq!(content, message);
    let is_lines = String::from_utf8_lossy(content).replace("\r\n", "").find(['\r', '\n']).is_none();
    assert!(is_lines || body == Body::Binary, "a bare line end was kept");
}

/// What the chunks bring, up to one that is the last; other commands may stand between them.
pub(in crate::properties) fn chunks(said: &[u8], line_end: &[u8]) -> Option<Vec<u8>> {
    let (mut message, mut rest) = (Vec::new(), said);
    loop {
        let end = rest.windows(line_end.len()).position(|window| window == line_end)? + line_end.len();
        let (command, behind) = rest.split_at(end);
        rest = behind;
        let words = words(command);
        let octets = match words.as_slice() {
            [verb, octets, ..] if verb.eq_ignore_ascii_case("BDAT") => octets.parse().ok()?,
            _ => continue,
        };
        let (chunk, behind) = rest.split_at_checked(octets)?;
        rest = behind;
        match words.get(2..) {
            Some([]) => message.extend_from_slice(chunk),
            Some([last]) if last.eq_ignore_ascii_case("LAST") => {
                message.extend_from_slice(chunk);
                return rest.is_empty().then_some(message);
            }
            // Refused, and its octets with it.
            _ => {}
        }
    }
}

fn with_line_end(mut message: Vec<u8>) -> Vec<u8> {
    if !message.is_empty() && !message.ends_with(b"\r\n") {
        message.extend_from_slice(b"\r\n");
    }
    message
}

fn split_line(octets: &[u8]) -> (&[u8], &[u8]) {
    octets.split_at(octets.iter().position(|octet| *octet == b'\n').map_or(octets.len(), |at| at + 1))
}

fn words(command: &[u8]) -> Vec<&str> {
    str::from_utf8(command)
        .unwrap_or_default()
        .trim_end_matches(['\r', '\n'])
        .split(' ')
        .filter(|word| !word.is_empty())
        .collect()
}
