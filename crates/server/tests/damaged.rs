//! A message whose bytes are gone from the disk, all or some, keeps nobody from the mail behind it.
#![allow(clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use server::config::Listen;
use server::{Config, Server};
use store::embedded::Embedded;

/// Says something and gives the lines of the answer, to the one that ends with `last`.
fn exchange(connection: &mut BufReader<TcpStream>, said: &str, last: &str) -> Vec<String> {
    connection.get_mut().write_all(said.as_bytes()).unwrap();
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line: &String| !line.ends_with(last)) {
        let mut line = String::new();
        assert!(connection.read_line(&mut line).unwrap() > 0, "closed after {lines:?}");
        lines.push(line.trim_end().to_owned());
    }
    lines
}

#[test]
fn what_can_be_read_is_handed_over_and_what_cannot_is_kept() {
    let data = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let address = runtime.block_on(async {
        let listen = vec![Listen::smtp(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))];
        let server =
            Server::bind(Config { listen, ..Config::default() }, Embedded::open(data.path()).unwrap()).await.unwrap();
        let address = server.addresses().unwrap()[0].1;
        tokio::spawn(server.run(std::future::pending()));
        address
    });
    let mut alice = BufReader::new(TcpStream::connect(address).unwrap());
    exchange(&mut alice, "HELO here\r\nXREGISTER alice\r\n", "250 alice@mymailserver");
    let transaction = "MAIL FROM:<alice@mymailserver>\r\nRCPT TO:<alice@mymailserver>\r\nDATA\r\n";
    for text in ["x".repeat(100_000), "x".repeat(100_000), "small".to_owned()] {
        exchange(&mut alice, transaction, "<CRLF>.<CRLF>");
        assert_eq!(exchange(&mut alice, &format!("{text}\r\n.\r\n"), "OK"), ["250 OK"]);
    }
    let mut bodies = fs::read_dir(data.path().join("bodies")).unwrap();
    fs::remove_file(bodies.next().unwrap().unwrap().path()).unwrap();
    fs::write(bodies.next().unwrap().unwrap().path(), "cut short").unwrap();

    let answer = exchange(&mut alice, "XRETRIEVE\r\n", "small").join("\n");
    assert!(answer.starts_with("250 3 messages"), "{answer}");
    assert_eq!(answer.matches("This message is damaged").count(), 2, "{answer}");
    assert_eq!(exchange(&mut alice, "NOOP\r\n", "OK"), [".", "250 OK"]);
    let answer = exchange(&mut alice, "XRETRIEVE\r\n", "operator.").join("\n");
    assert!(answer.starts_with("250 2 messages"), "{answer}");
}
