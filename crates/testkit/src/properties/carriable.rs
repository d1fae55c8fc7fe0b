//! What is made of messages: lines of what is binary, what is known of a header, and reports.

use bytes::BytesMut;
use proto::Address;
use proto::carriable::Carrier;
use proto::data::LineCheck;
use proto::header::Scan;
use proto::report::{Action, Fate, Report, Returned};
use proto::smtp::dsn::OriginalRecipient;
use proto::smtp::{Enhanced, Reply};

use super::{parted, segments};
use crate::world::hostname;

/// Longest line of a report, in octets without its end (RFC 5322 §2.1.1).
const LINE_OCTETS_MAX: usize = 998;

/// An input is four octets of choices and a message.
pub fn carriable(input: &[u8]) {
    let ([seed, kind, action, text], message) = parted(input);
    let whole = carry(&[message]);
    for seed in [0, u64::from(seed) + 1] {
        let pieces = segments(seed, message);
        assert_eq!(carry(&pieces), whole, "the split makes a difference");
        assert_eq!(scan(&pieces), scan(&[message]), "the split makes a difference");
    }
    assert!(is_made_of_lines(&whole), "what is carried is not lines");
    assert_eq!(carry(&[&whole]), whole, "what is carried is not what its reader sees");
    let says_binary = message.to_ascii_lowercase().windows(6).any(|window| window == b"binary");
    if is_made_of_lines(message) && !says_binary {
        assert_eq!(whole, message, "a message of lines was changed");
    }
    report(message, kind, action, usize::from(text));
}

fn carry(pieces: &[&[u8]]) -> Vec<u8> {
    let (mut carrier, mut out) = (Carrier::new(), BytesMut::new());
    pieces.iter().for_each(|piece| carrier.write(piece, &mut out));
    carrier.finish(&mut out);
    out.to_vec()
}

fn scan(pieces: &[&[u8]]) -> Scan {
    let mut scan = Scan::default();
    pieces.iter().for_each(|piece| scan.read(piece));
    scan
}

fn is_made_of_lines(message: &[u8]) -> bool {
    let mut lines = LineCheck::default();
    lines.read(message);
    !lines.found_bare_line_end(true) && !lines.is_inside_line()
}

/// A report on the message, in which what peers said comes from it too: three parts, of lines that anybody takes.
fn report(message: &[u8], kind: u8, action: u8, text_octets: usize) {
    let text = String::from_utf8_lossy(&message[..text_octets.min(message.len())]).into_owned();
    let original: Option<OriginalRecipient> = text.parse().ok();
    let recipient: Address = text.parse().unwrap_or_else(|_| Address::numbered(9, &hostname()));
    let actions = [Action::Failed, Action::Delayed, Action::Delivered, Action::Relayed, Action::Expanded];
    let fate = Fate {
        recipient: recipient.clone(),
        original,
        action: actions[usize::from(action) % actions.len()],
        status: Enhanced(5, 1, 1),
        diagnostic: Some(Reply::new(550, Some(Enhanced(5, 1, 1)), text.clone())),
        will_retry_until: None,
    };
    let envelope_id = text.parse().ok();
    let written = Report {
        reporting_mta: &hostname(),
        to: &recipient,
        date: "Mon, 1 Jan 2024 00:00:00 +0000",
        id: "report.1",
        arrived: "Mon, 1 Jan 2024 00:00:00 +0000",
        envelope_id: envelope_id.as_ref(),
        recipients: &[fate],
        utf8: kind & 2 != 0,
        returned: if kind & 1 == 0 { Returned::Message(message) } else { Returned::Headers(message) },
    }
    .write();
    assert!(is_made_of_lines(&written), "a report is not lines");
    assert!(!written.contains(&0), "NUL in a report");
    let longest = written.split(|octet| *octet == b'\n').map(|line| line.len().saturating_sub(1)).max();
    assert!(longest <= Some(LINE_OCTETS_MAX), "a line of {longest:?} octets");
    assert_eq!(parts(&written), 3, "{}", String::from_utf8_lossy(&written));
}

/// How many parts a multipart has, by the boundary in its header; panics if it has no end, or something behind it that looks
/// like a part.
fn parts(report: &[u8]) -> usize {
    let text = String::from_utf8_lossy(report);
    let (header, body) = text.split_once("\r\n\r\n").expect("a header and a body");
    let boundary = header.split_once("boundary=\"").and_then(|(_, rest)| rest.split_once('"')).expect("a boundary").0;
    let delimiter = format!("--{boundary}");
    let found: Vec<&str> = body.split("\r\n").filter_map(|line| line.strip_prefix(&delimiter)).collect();
    let (last, parts) = found.split_last().expect("delimiters");
    assert_eq!(*last, "--", "the end of a report");
    assert!(parts.iter().all(|rest| rest.is_empty()), "{found:?}");
    parts.len()
}
