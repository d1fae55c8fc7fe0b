//! No message hides in another one (SMTP smuggling): whatever stands around a dot, of all that some mail server takes for an
//! end, and however it is split, a message ends where RFC 5321 ends it, and what is kept ends at the same place for everybody.

use bytes::BytesMut;
use proto::data::DataWriter;
use proto::smtp::server::Role;
use testkit::smuggling::{AROUND, lenient_end};
use testkit::{Dialogue, Wire, World};

const RCPT: &str = "RCPT TO:<Postmaster>";

/// How a message comes.
#[derive(Debug, Clone, Copy)]
struct Way {
    role: Role,
    line_end: &'static str,
    /// Whether its octets are counted, not ended by a dot.
    chunk: bool,
    /// Whether it has got too large long before the dot.
    oversize: bool,
}

impl Way {
    const STRICT: Self = Self { role: Role::Clients, line_end: "\r\n", chunk: false, oversize: false };
    const ALL: [Self; 7] = [
        Self::STRICT,
        Self { line_end: "\n", ..Self::STRICT },
        Self { oversize: true, ..Self::STRICT },
        Self { line_end: "\n", oversize: true, ..Self::STRICT },
        Self { role: Role::Exchanger, ..Self::STRICT },
        Self { role: Role::Lmtp, ..Self::STRICT },
        Self { chunk: true, ..Self::STRICT },
    ];

    fn lines(self, lines: &[&str]) -> Vec<u8> {
        lines.iter().flat_map(|line| [line.as_bytes(), self.line_end.as_bytes()].concat()).collect()
    }

    /// A session in front of its message, to the postmaster.
    fn begin(self, chunk_octets: usize) -> World {
        let limits = [("message_size".to_owned(), if self.oversize { 2 } else { 1000 })].into();
        let mut world = World::new(&Dialogue { role: self.role, limits, ..Dialogue::default() }, chunk_octets);
        let opening = match self.role {
            Role::Clients => ["HELO", "XREGISTER"],
            _ if self.role == Role::Lmtp => ["LHLO x", "RSET"],
            _ => ["HELO", "RSET"],
        };
        world.heard("peer");
        for line in opening.into_iter().chain([self.mail().as_str(), RCPT]) {
            world.send("peer", &self.lines(&[line]));
            assert!(world.heard("peer").starts_with('2'), "{line}");
        }
        world
    }

    fn mail(self) -> String {
        let sender = if self.role == Role::Clients { "9@mymailserver" } else { "x@elsewhere.example" };
        format!("MAIL FROM:<{sender}>")
    }

    /// What is hidden behind the dot.
    fn smuggled(self) -> Vec<u8> {
        self.lines(&[&self.mail(), RCPT, "DATA", "smuggled"])
    }

    /// Whether the message ends before `data` does, by the letter.
    fn ends_inside(self, data: &[u8]) -> bool {
        let end = [self.line_end, ".", self.line_end].concat();
        let framed = [self.line_end.as_bytes(), data].concat();
        !self.chunk && framed.windows(end.len()).any(|window| window == end.as_bytes())
    }
}

/// Sends the message, and then RSET, which shows that the server listens for commands again: the message is one or none.
fn send(way: Way, data: &[u8], chunk_octets: usize) {
    let case = || format!("{way:?} {:?} {chunk_octets}", data.escape_ascii().to_string());
    let mut world = way.begin(chunk_octets);
    let wire = match way.chunk {
        true => [format!("BDAT {} LAST\r\n", data.len()).as_bytes(), data].concat(),
        false => {
            world.send("peer", &way.lines(&["DATA"]));
            assert!(world.heard("peer").starts_with("354 "), "{}", case());
            [data, &way.lines(&["."])].concat()
        }
    };
    world.send("peer", &[wire, way.lines(&["RSET"])].concat());
    let replies = world.heard("peer");
    let is_kept = replies.starts_with("250 ");
    assert!(is_kept || replies.starts_with("550 ") || replies.starts_with("552 "), "{}: {replies}", case());
    assert!(replies.ends_with("OK\r\n"), "{}: {replies}", case());
    assert_eq!(replies.lines().count(), 2, "{}: {replies}", case());
    let kept = world.kept("postmaster");
    assert_eq!(kept.len(), usize::from(is_kept), "{}", case());
    for text in kept {
        let (mut wire, mut writer) = (BytesMut::new(), DataWriter::new());
        writer.write(&text, &mut wire);
        writer.finish(&mut wire);
        assert_eq!(lenient_end(&wire), Some(wire.len()), "{}: {:?}", case(), wire);
    }
}

#[test]
fn one_message_or_a_refusal() {
    for way in Way::ALL {
        for (before, after) in AROUND.iter().flat_map(|before| AROUND.map(|after| (*before, after))) {
            for [head, tail] in [[&b""[..], b""], [b"\r\n", b""], [b"", b"\r\n"], [b"\r\n", b"\r\n"]] {
                let data = [b"one", head, before, b".", after, tail, &way.smuggled()].concat();
                if way.ends_inside(&data) {
                    continue;
                }
                // Whole, octet by octet, and cut at each place around the dot.
                send(way, &data, usize::MAX);
                send(way, &data, 1);
                (4..8).for_each(|cut| send(way, &data, cut));
            }
        }
    }
}
