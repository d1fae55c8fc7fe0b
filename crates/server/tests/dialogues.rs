//! The dialogues of `crates/proto/tests/dialogues/` and `pop3_dialogues/`, spoken to a real server with a real store: over TCP, and
//! over TLS. Those of `dialogues/` here are about what is decided beyond the protocol.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod common;

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::time::Duration;

use proto::sasl::scram::{ITERATIONS, SALT_OCTETS, Verifier};
use proto::smtp::server::Role;
use server::Config;
use server::config::{Listen, Protocol, Tls};
use testkit::{Dialogue, Over, Wire};

use common::{Connection, Running, listen};

/// Where the listeners stand in the configuration.
const SMTP: usize = 0;
const POP3: usize = 1;
/// Where clients register, whatever the dialogue is about.
const CLIENTS: usize = 2;

/// The connections of one dialogue.
struct Tcp {
    server: Running,
    listener: usize,
    over: Over,
    connections: HashMap<String, BufReader<Connection>>,
}

impl Tcp {
    fn connection(&mut self, client: &str) -> &mut BufReader<Connection> {
        self.connections.entry(client.to_owned()).or_insert_with(|| {
            let connection = self.server.connect(self.listener);
            BufReader::new(match self.over {
                Over::Clear => connection,
                Over::Tls => self.server.encrypt(connection),
            })
        })
    }
}

impl Wire for Tcp {
    fn send(&mut self, client: &str, octets: &[u8]) {
        let connection = self.connection(client).get_mut();
        connection.write_all(octets).unwrap();
        connection.flush().unwrap();
    }

    fn receive(&mut self, client: &str) -> Option<String> {
        let mut line = String::new();
        self.connection(client).read_line(&mut line).unwrap();
        Some(line.strip_suffix("\r\n")?.to_owned())
    }

    fn start_tls(&mut self, client: &str) {
        let connection = self.connections.remove(client).unwrap();
        assert!(connection.buffer().is_empty(), "said in clear text what should be encrypted");
        let encrypted = self.server.encrypt(connection.into_inner());
        self.connections.insert(client.to_owned(), BufReader::new(encrypted));
    }

    fn password(&mut self, user: &str, password: &str) {
        let verifier = Verifier::derive(password, &[1; SALT_OCTETS], ITERATIONS);
        self.converse(&[&format!("XREGISTER {user}"), &format!("XPASSWD VERIFIER={verifier}")]);
    }

    fn mail(&mut self, user: &str, text: &[u8]) {
        let text = str::from_utf8(text).unwrap().trim_end_matches("\r\n").replace("\r\n.", "\r\n..");
        let recipient = format!("RCPT TO:<{user}@mymailserver>");
        self.converse(&["XREGISTER", "MAIL FROM:<{}>", &recipient, "DATA", &format!("{text}\r\n.")]);
    }

    fn wait(&mut self, _: Duration) {
        panic!("time goes by on its own over TCP");
    }

    fn stop(&mut self) {
        panic!("the server runs on");
    }

    fn rest(&mut self) -> String {
        let mut rest = String::new();
        for connection in self.connections.values_mut() {
            // An end that the server has closed already may refuse this.
            if connection.get_mut().finish() {
                connection.read_to_string(&mut rest).unwrap();
            }
        }
        rest
    }
}

impl Tcp {
    /// A session of SMTP in which nothing is refused; `{}` stands for the address that it has got.
    fn converse(&self, commands: &[&str]) {
        let mut connection = BufReader::new(self.server.connect(CLIENTS));
        if self.over == Over::Tls {
            connection = BufReader::new(self.server.encrypt(connection.into_inner()));
        }
        let mut address = String::new();
        for command in ["", "HELO"].iter().chain(commands) {
            if !command.is_empty() {
                write!(connection.get_mut(), "{}\r\n", command.replace("{}", &address)).unwrap();
            }
            let mut reply = String::new();
            connection.read_line(&mut reply).unwrap();
            assert!(reply.starts_with(['2', '3']), "{command}: {reply}");
            if command.starts_with("XREGISTER") {
                address = reply["250 ".len()..].trim_end().to_owned();
            }
        }
    }
}

fn config(dialogue: &Dialogue, tls: Tls) -> Config {
    let protocol = match dialogue.role {
        Role::Clients | Role::Exchanger => Protocol::Smtp,
        Role::Submission => Protocol::Submission,
        Role::Lmtp => Protocol::Lmtp,
    };
    let from_outside = dialogue.role == Role::Exchanger;
    let clients = listen(Listen::smtp, tls);
    let smtp = Listen { protocol, from_outside, ..clients.clone() };
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), &dialogue.config).unwrap();
    let configured = Config::read(file.path()).unwrap();
    let mut config = Config { listen: vec![smtp, listen(Listen::pop3, tls), clients], ..configured };
    for (name, value) in &dialogue.limits {
        let limits = &mut config.limits;
        match name.as_str() {
            "recipients" => limits.recipients = usize::try_from(*value).unwrap(),
            "recipient_domains" => limits.recipient_domains = usize::try_from(*value).unwrap(),
            "transactions" => limits.transactions = usize::try_from(*value).unwrap(),
            "message_size" => limits.message_size = bytesize::ByteSize::b(*value),
            "errors_per_session" => limits.errors_per_session = usize::try_from(*value).unwrap(),
            "command_octets" => limits.command_octets = usize::try_from(*value).unwrap(),
            other => panic!("{}: no limit {other}", dialogue.path.display()),
        }
    }
    config
}

fn all_of(folder: &str, listener: usize, over: Over, tls: Tls) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    // A peer on this machine can't be overheard, so `remote` ones have no place here; nor have those that reach into time.
    let here = |dialogue: &Dialogue| dialogue.runs_in_real_time() && !dialogue.remote;
    let dialogues: Vec<Dialogue> = Dialogue::all_in(&folder, over).into_iter().filter(here).collect();
    assert!(dialogues.len() > 5, "only {} dialogues", dialogues.len());
    for dialogue in dialogues {
        let server = Running::start(config(&dialogue, tls));
        dialogue.run(&mut Tcp { server, listener, over, connections: HashMap::new() });
    }
}

#[test]
fn smtp_over_tcp() {
    all_of("../proto/tests/dialogues", SMTP, Over::Clear, Tls::Starttls);
}

#[test]
fn smtp_over_tls() {
    all_of("../proto/tests/dialogues", SMTP, Over::Tls, Tls::Implicit);
}

#[test]
fn policy_over_tcp() {
    all_of("tests/dialogues", SMTP, Over::Clear, Tls::Starttls);
}

#[test]
fn policy_over_tls() {
    all_of("tests/dialogues", SMTP, Over::Tls, Tls::Implicit);
}

#[test]
fn pop3_over_tcp() {
    all_of("../proto/tests/pop3_dialogues", POP3, Over::Clear, Tls::Starttls);
}

#[test]
fn pop3_over_tls() {
    all_of("../proto/tests/pop3_dialogues", POP3, Over::Tls, Tls::Implicit);
}
