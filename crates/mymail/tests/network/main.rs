//! What somebody on the network gets, who is not on the server's machine: the server is in a network namespace of its own, at the
//! other end of a cable.
//!
//! That wants root and iproute2, so it runs when it is asked for: `cargo test -p mymail --test network -- --ignored`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod cable;
#[path = "../common/mod.rs"]
mod common;

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use testkit::client::{Client, auth_plain};
use testkit::relay::foreign_paths;

use cable::{Cable, THEIRS};
use common::{Home, Server};

/// One listener of each kind; the client is a proxy for the last two.
const LISTENERS: [&str; 7] = [
    "protocol = \"smtp\"",
    "protocol = \"smtp\"\nfrom_outside = true",
    "protocol = \"submission\"",
    "protocol = \"lmtp\"",
    "protocol = \"pop3\"",
    "protocol = \"smtp\"\nproxied_by = [\"203.0.113.0/30\"]",
    "protocol = \"pop3\"\nproxied_by = [\"203.0.113.0/30\"]",
];
const SMTP: usize = 0;
const OUTSIDE: usize = 1;
const SUBMISSION: usize = 2;
const LMTP: usize = 3;
const POP3: usize = 4;
const PROXIED: usize = 5;
const PROXIED_POP3: usize = 6;

/// A header that claims that the client is on the server's own machine.
const FROM_HERE: &str = "PROXY TCP4 127.0.0.1 127.0.0.1 4000 25";

/// A server at the other end of a cable, and the home of a user at this one.
struct Distant {
    server: Server,
    addresses: Vec<String>,
    home: Home,
}

impl Distant {
    fn start(cable: &Cable) -> Self {
        let home = Home::new();
        let listeners = LISTENERS.map(|listener| format!("[[listen]]\n{listener}\naddress = \"{THEIRS}:0\"\n"));
        let limits = "[limits]\nerrors_per_session = 1000\n";
        fs::write(home.path("config.toml"), listeners.concat() + limits).unwrap();
        let mut server = Server::start(&mut cable.far(&home.command(&["serve", "--config", "config.toml"])));
        let mut addresses = vec![server.address.clone()];
        addresses.extend((1..LISTENERS.len()).map(|_| server.next_listener()));
        Self { server, addresses, home }
    }

    /// Connects, and has this said, each line to be answered by a reply that begins so.
    async fn client(&self, listener: usize, dialogue: &[(&str, &str)]) -> io::Result<Client> {
        let mut client = Client::connect(&self.addresses[listener]).await?;
        for (line, begin) in dialogue {
            if line.is_empty() {
                client.expect_reply("the connection", begin).await?;
            } else {
                client.expect(line, begin).await?;
            }
        }
        Ok(client)
    }

    /// What the kernel lists for the server's network.
    fn sockets(&self, table: &str) -> Vec<Vec<String>> {
        let table = fs::read_to_string(format!("/proc/{}/net/{table}", self.server.process.id())).unwrap();
        table.lines().skip(1).map(|row| row.split_whitespace().map(str::to_owned).collect()).collect()
    }
}

#[tokio::test]
#[ignore = "wants root and iproute2"]
async fn a_stranger_on_the_network() -> io::Result<()> {
    let cable = Cable::lay();
    let distant = Distant::start(&cable);
    relays_nothing(&distant).await?;
    says_no_password_in_clear(&distant).await?;
    reaches_nothing_else(&distant);
    logs_in_encrypted_and_relays_nothing(&distant);
    finds_no_server_that_is_not_configured(&cable);
    Ok(())
}

async fn relays_nothing(distant: &Distant) -> io::Result<()> {
    for (listener, dialogue, sender) in [
        (SMTP, &[("", "220 "), ("EHLO x", "250-"), ("XREGISTER bob", "250 ")][..], "bob@mymailserver"),
        (OUTSIDE, &[("", "220 "), ("EHLO x", "250-")], "x@elsewhere.example"),
        (OUTSIDE, &[("", "220 "), ("EHLO x", "250-")], ""),
        (LMTP, &[("", "220 "), ("LHLO x", "250-")], "x@elsewhere.example"),
        (PROXIED, &[(FROM_HERE, "220 "), ("EHLO x", "250-"), ("XREGISTER carol", "250 ")], "carol@mymailserver"),
    ] {
        let mut client = distant.client(listener, dialogue).await?;
        client.expect(&format!("MAIL FROM:<{sender}> SMTPUTF8"), "250 ").await?;
        for path in foreign_paths("mymailserver", &format!("[{THEIRS}]")) {
            client.expect(&format!("RCPT TO:{path}"), "5").await?;
        }
        client.expect("RCPT TO:<@elsewhere.example:postmaster@mymailserver>", "250 ").await?;
    }
    for listener in [SMTP, SUBMISSION, PROXIED] {
        let opening = if listener == PROXIED { FROM_HERE } else { "" };
        let mut client = distant.client(listener, &[(opening, "220 "), ("EHLO x", "250-")]).await?;
        for sender in ["x@elsewhere.example", "postmaster@mymailserver", "bob@mymailserver", ""] {
            client.expect(&format!("MAIL FROM:<{sender}>"), "530 ").await?;
        }
    }
    Ok(())
}

async fn says_no_password_in_clear(distant: &Distant) -> io::Result<()> {
    for (listener, opening) in [(SMTP, ""), (OUTSIDE, ""), (SUBMISSION, ""), (PROXIED, FROM_HERE)] {
        let mut client = distant.client(listener, &[(opening, "220 ")]).await?;
        let extensions = client.say("EHLO x").await?;
        assert!(extensions.contains("STARTTLS") && !extensions.contains("AUTH"), "{extensions}");
        for login in [&auth_plain("bob", "secret"), "AUTH LOGIN", "AUTH SCRAM-SHA-256 biwsbj11c2VyLHI9eA=="] {
            client.expect(login, "538 ").await?;
        }
        if listener != SUBMISSION {
            client.expect("XREGISTER", "250 ").await?;
            client.expect("XPASSWD", "538 ").await?;
        }
    }
    for (listener, opening) in [(POP3, ""), (PROXIED_POP3, FROM_HERE)] {
        let refused = "-ERR encryption required";
        let logins = [("USER bob", refused), ("PASS secret", refused), ("AUTH PLAIN", refused)];
        distant.client(listener, &[&[(opening, "+OK ")][..], &logins].concat()).await?;
    }
    // What the others tell of is no PROXY header, but a bad command.
    distant.client(SMTP, &[("", "220 "), (FROM_HERE, "500 "), ("XREGISTER", "250 "), ("XPASSWD", "538 ")]).await?;
    Ok(())
}

/// The listeners are all that there is to connect to; the operator's socket is a file for its owner alone.
fn reaches_nothing_else(distant: &Distant) {
    let port = |row: &Vec<String>| u16::from_str_radix(row[1].rsplit(':').next().unwrap(), 16).unwrap();
    let is_listening = |row: &&Vec<String>| row[3] == "0A";
    let tables = [distant.sockets("tcp"), distant.sockets("tcp6")].concat();
    let listening: BTreeSet<u16> = tables.iter().filter(is_listening).map(port).collect();
    let told = distant.addresses.iter().map(|address| address.rsplit(':').next().unwrap().parse().unwrap()).collect();
    assert_eq!(listening, told);
    for table in ["udp", "udp6", "raw", "raw6"] {
        assert_eq!(distant.sockets(table), Vec::<Vec<String>>::new(), "{table}");
    }
    let is_abstract = |row: &Vec<String>| row.last().unwrap().starts_with('@');
    assert!(!distant.sockets("unix").iter().any(is_abstract));
    let socket = fs::metadata(distant.home.path("share/mymail/admin")).unwrap();
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
}

fn logs_in_encrypted_and_relays_nothing(distant: &Distant) {
    let run = |arguments: &[&str]| {
        let output = distant.home.command(arguments).output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        (output.status.code().unwrap(), String::from_utf8(text).unwrap())
    };
    let (code, said) = run(&["register", "alice", "--server", &distant.addresses[SMTP]]);
    assert_eq!(code, 0, "{said}");
    fs::write(distant.home.path("text"), "Hello\n").unwrap();
    let (code, said) = run(&["send", "user@elsewhere.example", "alice@mymailserver", "text"]);
    assert_eq!(code, 67, "{said}");
    assert!(said.contains("user@elsewhere.example: 550 5.7.1 Relaying denied"), "{said}");
    assert!(said.contains("alice@mymailserver: 250"), "{said}");
}

/// Who has configured nothing serves their own machine alone.
fn finds_no_server_that_is_not_configured(cable: &Cable) {
    let home = Home::new();
    let mut server = Server::start(&mut cable.far(&home.command(&["serve"])));
    for address in [server.address.clone(), server.next_listener()] {
        let port: u16 = address.strip_prefix("127.0.0.1:").unwrap().parse().unwrap();
        let error = TcpStream::connect((THEIRS, port)).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
