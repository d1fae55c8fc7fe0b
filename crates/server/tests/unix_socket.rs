//! LMTP over a Unix domain socket.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod common;

use std::io::{BufReader, Read};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use server::config::{Endpoint, Limits, Listen, Tls};
use server::{BindError, Config, Server};
use store::embedded::Embedded;

use common::{Running, exchange, listen};

fn config(path: PathBuf) -> Config {
    let listen = vec![listen(Listen::smtp, Tls::Off), Listen::lmtp(path)];
    Config { listen, ..Config::default() }
}

fn connect(path: &Path) -> BufReader<UnixStream> {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(common::PATIENCE)).unwrap();
    BufReader::new(stream)
}

#[test]
fn mail_comes_over_a_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp");
    let server = Running::start(config(path.clone()));
    let mut alice = BufReader::new(server.connect(0));
    exchange(&mut alice, "EHLO here\r\nXREGISTER alice\r\n", "250 2.1.0 alice@mymailserver");

    let mut lmtp = connect(&path);
    exchange(&mut lmtp, "", "220 ");
    let extensions = exchange(&mut lmtp, "LHLO mta.example\r\n", "250 ");
    assert!(!extensions.contains("STARTTLS") && !extensions.contains("AUTH"), "{extensions}");
    let envelope =
        "MAIL FROM:<x@there.example>\r\nRCPT TO:<alice@mymailserver>\r\nRCPT TO:<nobody@mymailserver>\r\nDATA\r\n";
    let replies = exchange(&mut lmtp, envelope, "354 ");
    assert!(replies.contains("250 2.1.5 ") && replies.contains("550 5.1.1 "), "{replies}");
    exchange(&mut lmtp, "Hello\r\n.\r\n", "250 2.");
    // A second one: what has arrived is looked for between them.
    exchange(&mut lmtp, "MAIL FROM:<>\r\nRCPT TO:<alice@mymailserver>\r\nDATA\r\n", "354 ");
    exchange(&mut lmtp, "Hello\r\n.\r\nQUIT\r\n", "221 ");
    let mut rest = String::new();
    lmtp.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "");

    let mail = exchange(&mut alice, "XRETRIEVE\r\n", ".");
    assert!(mail.contains("Hello"), "{mail}");
}

#[test]
fn its_clients_are_counted_as_those_of_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp");
    let limits = Limits { connections_per_peer: 1, ..Limits::default() };
    let server = Running::start(Config { limits, ..config(path.clone()) });
    let mut here = BufReader::new(server.connect(0));
    exchange(&mut here, "", "220 ");
    exchange(&mut connect(&path), "", "421 ");
}

#[tokio::test]
async fn a_socket_has_one_server_and_goes_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    let path = folder.path().join("lmtp");
    let bind = async |data: &Path| Server::bind(config(path.clone()), data, Embedded::open(data).unwrap()).await;

    // As a server leaves it that was killed.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let server = bind(&one).await.unwrap();
    assert_eq!(server.addresses().unwrap()[1].1, Endpoint::Unix(path.clone()));
    let Err(BindError::Listen { listen, .. }) = bind(&other).await else { panic!("it is taken") };
    assert_eq!(listen.to_string(), format!("lmtp=unix:{}", path.display()));

    server.run(async {}).await.unwrap();
    assert!(!path.exists());
    drop(bind(&other).await.unwrap());
    assert!(!path.exists());
}
