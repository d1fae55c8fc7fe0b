//! What holds for every message.

use mail_parser::{Message, MessageParser, PartType};
use proptest::collection::vec;
use proptest::prelude::*;

use super::tests::carry;
use crate::data::LineCheck;

fn is_made_of_lines(message: &[u8]) -> bool {
    let mut lines = LineCheck::default();
    lines.read(message);
    !lines.found_bare_line_end(true) && !lines.is_inside_line()
}

/// An entity that is sent.
#[derive(Debug, Clone)]
enum Sent {
    Octets(Vec<u8>),
    Text(Vec<String>),
    Message(Box<Sent>),
    Multipart(Vec<Sent>),
}

impl Sent {
    /// Puts it on the wire, with no line end behind it, and its binary bodies beside it.
    fn send(&self, multiparts: &mut usize, wire: &mut Vec<u8>, bodies: &mut Vec<Vec<u8>>) {
        let binary = "Content-Transfer-Encoding: binary\r\n\r\n";
        match self {
            Self::Octets(octets) => {
                wire.extend(format!("Content-Type: application/octet-stream\r\n{binary}").bytes());
                wire.extend(octets);
                bodies.push(octets.clone());
            }
            Self::Text(lines) => wire.extend(format!("Subject: text\r\n\r\n{}", lines.join("\r\n")).bytes()),
            Self::Message(inside) => {
                wire.extend(format!("Content-Type: message/rfc822\r\n{binary}").bytes());
                inside.send(multiparts, wire, bodies);
            }
            Self::Multipart(parts) => {
                let boundary = format!("=_{multiparts:03}_=");
                *multiparts += 1;
                wire.extend(
                    format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n{binary}preamble").bytes(),
                );
                for part in parts {
                    wire.extend(format!("\r\n--{boundary}\r\n").bytes());
                    part.send(multiparts, wire, bodies);
                }
                wire.extend(format!("\r\n--{boundary}--\r\nepilogue").bytes());
            }
        }
    }
}

fn sent() -> impl Strategy<Value = Sent> {
    let octets = prop_oneof![vec(any::<u8>(), 0..200), vec(proptest::sample::select(b"\r\n-=_a".to_vec()), 0..40)];
    let leaf = prop_oneof![3 => octets.prop_map(Sent::Octets), 1 => vec("[a-z -]{0,9}", 0..4).prop_map(Sent::Text)];
    leaf.prop_recursive(
        4,
        24,
        4,
        |inner| prop_oneof![1 => inner.clone().prop_map(in_message), 3 => vec(inner, 1..4).prop_map(Sent::Multipart)],
    )
}

/// The reader at hand knows no message that is all that another one holds.
fn in_message(inside: Sent) -> Sent {
    if matches!(inside, Sent::Message(_)) { inside } else { Sent::Message(Box::new(inside)) }
}

/// The bodies that come out of base64, as another program reads the message.
fn encoded_bodies(message: &Message<'_>, bodies: &mut Vec<Vec<u8>>) {
    for part in &message.parts {
        match &part.body {
            PartType::Message(inside) => encoded_bodies(inside, bodies),
            PartType::Binary(octets) => {
                assert_eq!(part.encoding, mail_parser::Encoding::Base64);
                bodies.push(octets.to_vec());
            }
            _ => {}
        }
    }
}

/// Words that messages are made of.
fn word() -> impl Strategy<Value = &'static [u8]> {
    proptest::sample::select(vec![
        b"\r\n".as_slice(),
        b"\r\n",
        b"\r\n\r\n",
        b"\r\n\r\n",
        b"Content-Type: multipart/mixed; boundary=b\r\n",
        b"Content-Type: multipart/digest;\r\n boundary=\"c\"\r\n",
        b"Content-Type: message/rfc822\r\n",
        b"Content-Transfer-Encoding: 8bit\r\n",
        b"\r\n--b\r\n",
        b"\r\n--c\r\n",
        b"\r\n--c--\r\n",
        b"\r\n--b--\r\n",
        b"--b \r\n",
        b"-",
        b"-",
        b"b",
        b"\0\xff text ",
    ])
}

/// Words that need not be made of lines.
fn any_word() -> impl Strategy<Value = &'static [u8]> {
    let binary = b"Content-Transfer-Encoding: binary\r\n".as_slice();
    let bare = proptest::sample::select(vec![b"\r".as_slice(), b"\n", b"\n--b\n", b"--c\r"]);
    prop_oneof![3 => word(), 1 => bare, 1 => Just(binary)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_message_made_of_lines_is_not_changed(words in vec(word(), 0..24)) {
        let message = words.concat();
        let line_end: &[u8] = if message.is_empty() || message.ends_with(b"\r\n") { b"" } else { b"\r\n" };
        prop_assert_eq!(carry(words), [&message, line_end].concat());
    }

    #[test]
    fn whatever_comes_becomes_lines(words in vec(any_word(), 0..24)) {
        let message = words.concat();
        let carried = carry([message.as_slice()]);
        prop_assert_eq!(&carry(words), &carried);
        prop_assert_eq!(&carry(message.chunks(1)), &carried);
        prop_assert!(is_made_of_lines(&carried));
        // Readers see the structure that the carrier saw: it finds nothing more to do.
        prop_assert_eq!(&carry([carried.as_slice()]), &carried);
    }

    #[test]
    fn binary_bodies_are_read_as_they_were_sent(sent in sent(), chunk in 1..100_usize) {
        let (mut wire, mut bodies, mut read) = (b"MIME-Version: 1.0\r\n".to_vec(), Vec::new(), Vec::new());
        sent.send(&mut 0, &mut wire, &mut bodies);
        let carried = carry(wire.chunks(chunk));
        prop_assert!(is_made_of_lines(&carried));
        encoded_bodies(&MessageParser::default().parse(&carried).unwrap(), &mut read);
        prop_assert_eq!(read, bodies);
    }
}
