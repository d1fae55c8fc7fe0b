//! The PROXY protocol over real sockets: who is believed, and what follows from it.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod common;

use std::fs;
use std::io::{BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr};

use proto::sasl::scram::{ITERATIONS, SALT_OCTETS, Verifier};
use server::Config;
use server::config::{Limits, Listen, Tls};

use common::{Connection, Running, exchange, listen};

/// Begins every header of version 2.
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The listeners of [`start`].
const DIRECT: usize = 0;
const POP3: usize = 1;
const EXCHANGER: usize = 2;
const CLIENTS: usize = 3;
const IMPLICIT: usize = 4;
const PROXIED_POP3: usize = 5;
/// Of a proxy elsewhere.
const OTHERS: usize = 6;

fn proxied_by(proxies: &str, listen: Listen) -> Listen {
    Listen { proxied_by: vec![proxies.parse().unwrap()], ..listen }
}

fn start(limits: Limits) -> Running {
    let here = |listen| proxied_by("127.0.0.0/8", listen);
    let smtp = |tls| listen(Listen::smtp, tls);
    let listen = vec![
        smtp(Tls::Starttls),
        listen(Listen::pop3, Tls::Off),
        here(Listen { from_outside: true, ..smtp(Tls::Starttls) }),
        here(smtp(Tls::Starttls)),
        here(smtp(Tls::Implicit)),
        here(listen(Listen::pop3, Tls::Off)),
        proxied_by("192.0.2.0/24", smtp(Tls::Starttls)),
    ];
    Running::start(Config { listen, limits, ..Config::default() })
}

/// A header of version 1 that tells of this address.
fn line(address: Ipv4Addr) -> Vec<u8> {
    format!("PROXY TCP4 {address} 127.0.0.1 4000 25\r\n").into()
}

/// A header of version 2.
fn block(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let octets = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[command, family], &octets, rest].concat()
}

fn after(server: &Running, listener: usize, header: &[u8]) -> BufReader<Connection> {
    let mut connection = server.connect(listener);
    connection.write_all(header).unwrap();
    BufReader::new(connection)
}

/// All that comes before the server closes.
fn all(mut connection: impl Read) -> String {
    let mut heard = Vec::new();
    let mut octets = [0; 512];
    // What the server has not read resets the connection.
    while let Ok(octets_read @ 1..) = connection.read(&mut octets) {
        heard.extend_from_slice(&octets[..octets_read]);
    }
    String::from_utf8(heard).unwrap()
}

#[test]
fn the_address_told_is_the_peers() {
    let server = start(Limits::default());
    let mut alice = BufReader::new(server.connect(DIRECT));
    let verifier = Verifier::derive("secret", &[1; SALT_OCTETS], ITERATIONS);
    exchange(&mut alice, &format!("EHLO here\r\nXREGISTER alice\r\nXPASSWD VERIFIER={verifier}\r\n"), "250 2.0.0 OK");

    let told = [198, 51, 100, 7, 127, 0, 0, 1, 0, 80, 0, 25];
    let with_more = [&told[..], &[4, 0, 3, 1, 2, 3]].concat();
    let mut told6 = [0; 36];
    told6[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    for (header, literal) in [
        (line([192, 0, 2, 1].into()), "[192.0.2.1]"),
        (b"PROXY TCP6 2001:db8::7 ::1 4000 25\r\n".to_vec(), "[IPv6:2001:db8::7]"),
        (b"PROXY UNKNOWN\r\n".to_vec(), "[127.0.0.1]"),
        (block(0x21, 0x11, &told), "[198.51.100.7]"),
        (block(0x21, 0x11, &with_more), "[198.51.100.7]"),
        (block(0x21, 0x21, &told6), "[IPv6:2001:db8::]"),
        (block(0x20, 0x00, &[]), "[127.0.0.1]"),
    ] {
        for piece_octets in [header.len(), 1] {
            let mut connection = server.connect(EXCHANGER);
            for piece in header.chunks(piece_octets) {
                connection.write_all(piece).unwrap();
            }
            let mut client = BufReader::new(connection);
            exchange(&mut client, "", "220 ");
            exchange(&mut client, "EHLO there.example\r\n", "250 ");
            exchange(&mut client, "MAIL FROM:<x@there.example>\r\nRCPT TO:<alice@mymailserver>\r\nDATA\r\n", "354 ");
            exchange(&mut client, "Hello\r\n.\r\n", "250 2.6.0 ");

            let mut pop3 = BufReader::new(server.connect(POP3));
            exchange(&mut pop3, "USER alice\r\nPASS secret\r\n", "+OK maildrop has 1 message");
            let message = exchange(&mut pop3, "RETR 1\r\n", ".");
            assert!(message.contains(&format!("from there.example ({literal})\r\n")), "{header:?}: {message}");
            exchange(&mut pop3, "DELE 1\r\nQUIT\r\n", "+OK mymailserver POP3 server signing off");
        }
    }
}

#[test]
fn what_stands_behind_the_header_is_the_sessions() {
    let server = start(Limits::default());
    let header = block(0x21, 0x11, &[192, 0, 2, 1, 127, 0, 0, 1, 0, 80, 0, 25]);
    for header in [&header[..], &line([192, 0, 2, 1].into())] {
        let heard = all(after(&server, CLIENTS, &[header, b"EHLO here\r\nXREGISTER\r\nQUIT\r\n"].concat()));
        assert!(heard.contains("@mymailserver\r\n221 2.0.0 "), "{heard}");
        let heard = all(after(&server, PROXIED_POP3, &[header, b"QUIT\r\n"].concat()));
        assert!(heard.starts_with("+OK ") && heard.lines().count() == 2, "{heard}");

        // A hello that comes with it.
        let Connection::Tls(mut stream) = server.encrypt(server.connect(IMPLICIT)) else { panic!("it is encrypted") };
        let mut sent = header.to_vec();
        stream.conn.write_tls(&mut sent).unwrap();
        assert!(sent.len() > header.len() + 100);
        stream.sock.write_all(&sent).unwrap();
        exchange(&mut BufReader::new(stream), "QUIT\r\n", "221 ");
    }
}

/// A number is that of the socket, whatever the proxy says.
#[test]
fn a_number_is_the_sockets() {
    let server = start(Limits::default());
    let connection = server.connect(CLIENTS);
    let Connection::Clear(stream) = &connection else { panic!("it is in clear") };
    let [client, listener] = [stream.local_addr().unwrap(), stream.peer_addr().unwrap()].map(hexadecimal);
    let mut client_of_proxy = BufReader::new(connection);
    client_of_proxy.get_mut().write_all(&line([192, 0, 2, 1].into())).unwrap();
    exchange(&mut client_of_proxy, "", "220 ");
    let heard = exchange(&mut client_of_proxy, "HELO here\r\nXREGISTER\r\nNOOP\r\n", "250 OK");
    let number = heard.lines().find_map(|line| line.strip_suffix("@mymailserver")?.strip_prefix("250 ")).unwrap();

    let table = fs::read_to_string("/proc/self/net/tcp").unwrap();
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let row = rows.into_iter().find(|row| row[1] == listener && row[2] == client).unwrap();
    let socket = fs::read_link(format!("/proc/self/fd/{number}")).unwrap();
    assert_eq!(socket.to_str().unwrap(), format!("socket:[{}]", row[9]));
}

/// As `/proc/net/tcp` writes an address.
fn hexadecimal(address: SocketAddr) -> String {
    let SocketAddr::V4(address) = address else { panic!("{address} is not of IPv4") };
    format!("{:08X}:{:04X}", u32::from_ne_bytes(address.ip().octets()), address.port())
}

#[test]
fn nothing_is_said_to_what_has_no_header() {
    let server = start(Limits::default());
    let ipv4 = [192, 0, 2, 1, 127, 0, 0, 1, 0, 80, 0, 25];
    for sent in [
        b"EHLO here\r\nQUIT\r\n".to_vec(),
        b"PROXY TCP4 192.0.2.1 127.0.0.1 4000\r\nQUIT\r\n".to_vec(),
        b"PROXY TCP4 192.0.2.1 127.0.0.1 4000 25\nQUIT\r\n".to_vec(),
        format!("PROXY UNKNOWN {}\r\nQUIT\r\n", "x".repeat(200)).into(),
        block(0x11, 0x11, &ipv4),
        block(0x21, 0x11, &ipv4[..11]),
        block(0x21, 0x11, &vec![0; 5000]),
        SIGNATURE[..11].repeat(2),
    ] {
        for listener in [CLIENTS, EXCHANGER, IMPLICIT, PROXIED_POP3] {
            assert_eq!(all(after(&server, listener, &sent)), "", "{sent:?}");
        }
    }
    let mut left = server.connect(CLIENTS);
    left.write_all(b"PROXY TCP4 192.").unwrap();
    left.finish();
    assert_eq!(all(left), "", "half a header");
}

#[test]
fn nobody_else_is_believed() {
    let server = start(Limits::default());
    for listener in [DIRECT, OTHERS] {
        let mut client = after(&server, listener, &line([192, 0, 2, 1].into()));
        let heard = exchange(&mut client, "EHLO here\r\n", "250 ");
        assert!(heard.starts_with("220 mymailserver ") && heard.contains("\r\n500 "), "{heard}");
        assert!(heard.contains("AUTH ") && heard.contains("PLAIN"), "it is a client of this machine: {heard}");
    }
}

#[test]
fn nobody_who_comes_by_a_proxy_is_taken_for_a_local_client() {
    let server = start(Limits::default());
    let loopback = [127, 0, 0, 1, 127, 0, 0, 1, 0, 80, 0, 25];
    for header in [
        line(Ipv4Addr::LOCALHOST),
        b"PROXY TCP6 ::ffff:127.0.0.1 ::1 4000 25\r\n".to_vec(),
        b"PROXY UNKNOWN\r\n".to_vec(),
        block(0x21, 0x11, &loopback),
        block(0x21, 0x00, &[]),
        // The proxy's own connection.
        block(0x20, 0x00, &[]),
    ] {
        let mut client = after(&server, CLIENTS, &header);
        exchange(&mut client, "", "220 ");
        let heard = exchange(&mut client, "EHLO here\r\n", "250 ");
        assert!(!heard.contains("AUTH "), "{header:?}: {heard}");
    }
}

#[test]
fn connections_are_counted_by_the_address_told() {
    let server = start(Limits { connections_per_peer: 1, ..Limits::default() });
    let (one, other) = (line([192, 0, 2, 1].into()), line([192, 0, 2, 2].into()));
    let _waiting: Vec<_> = (0..3).map(|_| server.connect(CLIENTS)).collect();
    let mut first = after(&server, CLIENTS, &one);
    exchange(&mut first, "", "220 ");
    let mut second = after(&server, CLIENTS, &other);
    exchange(&mut second, "", "220 ");
    for (listener, refusal) in [(CLIENTS, "421 "), (PROXIED_POP3, "-ERR [SYS/TEMP] ")] {
        let heard = all(after(&server, listener, &one));
        assert!(heard.starts_with(refusal) && heard.contains("oo many connections"), "{heard}");
    }
    assert_eq!(all(after(&server, IMPLICIT, &one)), "", "no words before TLS");
    exchange(&mut first, "QUIT\r\n", "221 ");
    assert_eq!(all(first), "");
    exchange(&mut after(&server, CLIENTS, &one), "", "220 ");
}

#[test]
fn those_that_have_told_nothing_yet_are_as_many_as_all_may_be() {
    let server = start(Limits { connections: 2, ..Limits::default() });
    let _waiting = [server.connect(CLIENTS), server.connect(CLIENTS)];
    let heard = all(server.connect(CLIENTS));
    assert!(heard.starts_with("421 "), "{heard}");
}
