//! A connection that ends in the middle of a message, in whatever way: nothing of the message is kept, and the server goes on.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod common;

use std::io::{BufReader, Read, Write};
use std::net::Shutdown;

use server::Config;
use server::config::{Listen, Tls};

use common::{Connection, Running, exchange, listen};

const CLEAR: usize = 0;
const ENCRYPTED: usize = 1;

/// What comes of a transaction behind its envelope.
const BEGINNINGS: [&str; 15] = [
    "DATA\r\n",
    "DATA\r\nHello",
    "DATA\r\nHello\r\n",
    "DATA\r\nHello\r\n.",
    "DATA\r\nHello\r\n.\r",
    "DATA\r\nHello\r\n..\r\n",
    "BDAT 7\r\nHello\r\n",
    "BDAT 7\r\nHello\r\nBDAT 0 LAS",
    "BDAT 7\r\nHello\r\nBDAT 0 LAST\r",
    "BDAT 7\r\nHello\r\nBDAT 8 LAST\r\nHello\r\n",
    "BDAT 7\r\nHello\r\nQUIT\r\n",
    "BDAT 8 LAST\r\nHello\r\n",
    "BDAT 8 LAST\r\nHello\n\n",
    "BDAT 18446744073709551615 LAST\r\nHello\r\n",
    "BDAT 18446744073709551616 LAST\r\nHello\r\n",
];

/// How the connection ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum End {
    /// Under TLS, with a word before.
    InOrder,
    /// Under TLS, as somebody in between can end it.
    Cut,
    Reset,
}

/// Begins a message to alice, and ends the connection.
fn send_a_part(server: &Running, listener: usize, body: &str, beginning: &str, end: End) {
    let connection = server.connect(listener);
    let connection = if listener == ENCRYPTED { server.encrypt(connection) } else { connection };
    let mut client = BufReader::new(connection);
    let registered = exchange(&mut client, "EHLO x\r\nXREGISTER\r\n", "250 2.1.0 ");
    let address = registered.trim_end().rsplit(' ').next().unwrap();
    exchange(&mut client, &format!("MAIL FROM:<{address}>{body}\r\n"), "250 ");
    exchange(&mut client, "RCPT TO:<alice@mymailserver>\r\n", "250 ");
    client.get_mut().write_all(beginning.as_bytes()).unwrap();
    client.get_mut().flush().unwrap();
    match (client.get_mut(), end) {
        // What is never read resets the connection when it is closed.
        (Connection::Clear(stream), End::Reset) => drop(stream.peek(&mut [0]).unwrap()),
        (Connection::Tls(stream), End::Reset) => drop(stream.sock.peek(&mut [0]).unwrap()),
        (Connection::Tls(stream), End::Cut) => stream.sock.shutdown(Shutdown::Write).unwrap(),
        (connection, End::InOrder | End::Cut) => drop(connection.finish()),
    }
    if end != End::Reset {
        let mut replies = Vec::new();
        // A server that has said all it had to may be gone by now.
        client.read_to_end(&mut replies).ok();
        let replies = String::from_utf8(replies).unwrap();
        assert!(!replies.contains("250 2.6.0"), "{beginning:?} {end:?}: {replies}");
    }
}

#[test]
fn nothing_of_it_is_kept() {
    let listeners = vec![listen(Listen::smtp, Tls::Starttls), listen(Listen::smtp, Tls::Implicit)];
    let server = Running::start(Config { listen: listeners, ..Config::default() });
    let mut alice = BufReader::new(server.connect(CLEAR));
    exchange(&mut alice, "EHLO x\r\nXREGISTER alice\r\n", "250 2.1.0 ");
    for listener in [CLEAR, ENCRYPTED] {
        for body in ["", " BODY=BINARYMIME"] {
            let has_chunks = |beginning: &&&str| body.is_empty() || beginning.starts_with("BDAT");
            for beginning in BEGINNINGS.iter().filter(has_chunks) {
                // Where it says nothing before the end, there is nothing to leave unread.
                let speaks = beginning.starts_with("DATA") || beginning.starts_with("BDAT 7");
                for end in [End::InOrder, End::Cut, End::Reset].into_iter().filter(|end| speaks || *end != End::Reset) {
                    send_a_part(&server, listener, body, beginning, end);
                }
            }
        }
    }
    exchange(&mut alice, "XRETRIEVE\r\n", "250 2.0.0 0 messages");
    exchange(&mut alice, "MAIL FROM:<alice@mymailserver>\r\nRCPT TO:<alice@mymailserver>\r\n", "250 2.1.5 ");
    exchange(&mut alice, "BDAT 7\r\nHello\r\nBDAT 0 LAST\r\n", "250 2.6.0 ");
    exchange(&mut alice, "XRETRIEVE\r\n", "250 2.0.0 1 messages");
}
