//! What was sent before the last dot of an XRETRIEVE confirms nothing, also under TLS, where half a command can't even be seen.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use rustls::ClientConnection;
use server::Config;
use server::config::{Listen, Tls};

use common::{Connection, Running, listen};

/// A TLS client that says when which of its records goes out.
struct Client(BufReader<Connection>);

impl Client {
    fn parts(&mut self) -> (&mut ClientConnection, &mut TcpStream) {
        match self.0.get_mut() {
            Connection::Tls(stream) => (&mut stream.conn, &mut stream.sock),
            Connection::Clear(_) => panic!("it is encrypted"),
        }
    }

    /// The records that say this, not sent yet.
    fn encrypted(&mut self, said: &str) -> Vec<u8> {
        let (tls, _) = self.parts();
        tls.writer().write_all(said.as_bytes()).unwrap();
        let mut records = Vec::new();
        while tls.wants_write() {
            tls.write_tls(&mut records).unwrap();
        }
        records
    }

    fn send(&mut self, records: &[u8]) {
        self.parts().1.write_all(records).unwrap();
    }

    /// Reads up to this line.
    fn read_to(&mut self, last: &str) {
        let mut line = String::new();
        while line.trim_end() != last {
            line.clear();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "closed before {last}");
        }
    }

    fn exchange(&mut self, said: &str, last: &str) {
        let records = self.encrypted(said);
        self.send(&records);
        self.read_to(last);
    }
}

#[test]
fn half_a_record_shows_nothing() {
    let server = Running::start(Config { listen: vec![listen(Listen::smtp, Tls::Implicit)], ..Config::default() });
    let mut client = Client(BufReader::new(server.encrypt(server.connect(0))));
    client.0.get_mut().write_all(b"EHLO here\r\nXREGISTER alice\r\n").unwrap();
    client.read_to("250 2.1.0 alice@mymailserver");
    let transaction = "MAIL FROM:<alice@mymailserver>\r\nRCPT TO:<alice@mymailserver>\r\nDATA\r\nHello\r\n.\r\n";
    client.exchange(transaction, "250 2.6.0 OK");

    for early_octets in [1, 5, 6, 20] {
        let (retrieve, noop) = (client.encrypted("XRETRIEVE\r\n"), client.encrypted("NOOP\r\n"));
        let (early, late) = noop.split_at(early_octets);
        client.send(&[&retrieve, early].concat());
        client.read_to(".");
        client.send(late);
        client.read_to("250 2.0.0 OK");
    }
    client.exchange("XRETRIEVE\r\n", ".");
    client.exchange("NOOP\r\n", "250 2.0.0 OK");
    client.exchange("XRETRIEVE\r\n", "250 2.0.0 0 messages");
}
