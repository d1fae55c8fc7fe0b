//! Logins at servers that check them by the server's side of SASL.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod common;

use std::sync::{Arc, Mutex};

use client::{ConnectOptions, Connection, Error, Line, Peer, Pop3Connection, ServerAddress, Stream};
use common::identity::self_signed;
use common::{options, read_line};
use proto::sasl::scram::{ITERATIONS, Verifier};
use proto::sasl::server::{Attempt, Exchange, Secret, Turn};
use proto::sasl::{Bindings, Channel, Mechanism, server_end_point};
use rustls::{ServerConnection, SupportedProtocolVersion};
use tokio::io::{AsyncWriteExt, DuplexStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

const USER: &str = "alice@mail.example";
const PASSWORD: &str = "vqk4-7t2m-p3xa-c9rd";

/// How a server words what SASL has it say.
#[derive(Clone, Copy)]
struct Words {
    greeting: &'static str,
    /// Which command it answers with what, the mechanisms in place of `{}`.
    capabilities: (&'static str, &'static str),
    challenge: &'static str,
    accepted: &'static str,
    refused: &'static str,
}

const SMTP: Words = Words {
    greeting: "220 ready\r\n",
    capabilities: ("EHLO [127.0.0.1]", "250-m\r\n250 AUTH {}\r\n"),
    challenge: "334 ",
    accepted: "235 2.7.0 welcome\r\n",
    refused: "535 5.7.8 no\r\n",
};

const POP3: Words = Words {
    greeting: "+OK ready\r\n",
    capabilities: ("CAPA", "+OK\r\nSASL {}\r\n.\r\n"),
    challenge: "+ ",
    accepted: "+OK welcome\r\n",
    refused: "-ERR [AUTH] no\r\n",
};

/// What a server does.
struct Server {
    words: Words,
    mechanisms: &'static str,
    /// The password that it knows.
    password: &'static str,
    version: &'static SupportedProtocolVersion,
    /// Whether there is a man in the middle, who can pass on all but what binds a login to the connection.
    is_in_between: bool,
    /// Whether the server can bind logins to a connection, whatever mechanisms the client hears of.
    binds: bool,
}

impl Server {
    fn new(words: Words, mechanisms: &'static str) -> Self {
        let (version, binds) = (&rustls::version::TLS13, mechanisms.contains("PLUS"));
        Self { words, mechanisms, password: PASSWORD, version, is_in_between: false, binds }
    }

    /// Serves one client over implicit TLS; says which mechanism was used, if the login succeeded.
    fn serve(self) -> (DuplexStream, JoinHandle<Option<Mechanism>>) {
        let (near, far) = tokio::io::duplex(1 << 16);
        (near, tokio::spawn(self.talk(far)))
    }

    async fn talk(self, stream: DuplexStream) -> Option<Mechanism> {
        let pair = self_signed(&["mail.example"]);
        let acceptor = TlsAcceptor::from(pair.config_of(&[self.version]));
        let mut stream = acceptor.accept(stream).await.unwrap();
        let mut bindings = bindings(stream.get_ref().1, &pair.der());
        if self.is_in_between {
            bindings = Bindings { exporter: Some([7; 32]), server_end_point: Some(vec![7; 32]) };
        }
        let Words { greeting, capabilities, accepted, refused, .. } = self.words;
        say(&mut stream, greeting).await;
        assert_eq!(read_line(&mut stream).await, format!("{}\r\n", capabilities.0));
        say(&mut stream, &capabilities.1.replace("{}", self.mechanisms)).await;
        let command = read_line(&mut stream).await;
        let mut words = command.trim_end().strip_prefix("AUTH ").unwrap().split(' ');
        let mechanism = Mechanism::find(words.next().unwrap()).unwrap();
        let initial = words.next().map(str::as_bytes);
        let channel = if self.binds { Channel::Tls(Arc::new(bindings)) } else { Channel::Local };
        let turn = Exchange::begin(mechanism, &channel, initial);
        let is_welcome = self.judge(turn, &mut stream).await;
        say(&mut stream, if is_welcome { accepted } else { refused }).await;
        is_welcome.then_some(mechanism)
    }

    fn is_right(&self, attempt: &Attempt) -> bool {
        match attempt {
            Attempt::Password(credentials) => credentials.user == USER && credentials.password == self.password,
            Attempt::Proof { is_valid, .. } => *is_valid,
        }
    }

    async fn judge(&self, mut turn: Turn, stream: &mut dyn Stream) -> bool {
        loop {
            turn = match turn {
                Turn::Challenge(exchange, text) => {
                    say(stream, &format!("{}{text}\r\n", self.words.challenge)).await;
                    exchange.respond(read_line(stream).await.trim_end().as_bytes())
                }
                Turn::LookUp(look_up) => {
                    assert_eq!(look_up.user(), USER);
                    let verifier = Verifier::derive(self.password, b"0123456789abcdef", ITERATIONS);
                    look_up.answer(Secret { verifier, nonce: "server".to_owned() })
                }
                Turn::Judge(claim) if self.is_right(claim.attempt()) => claim.grant(),
                Turn::Done => return true,
                Turn::Judge(_) | Turn::Over(_) => return false,
            };
        }
    }
}

/// Each version has its own: the exporter is the better one where there is it.
fn bindings(tls: &ServerConnection, certificate: &[u8]) -> Bindings {
    let is_tls13 = tls.protocol_version() == Some(rustls::ProtocolVersion::TLSv1_3);
    let exporter = || tls.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", None).unwrap();
    let end_point = || server_end_point(certificate).unwrap();
    Bindings { exporter: is_tls13.then(exporter), server_end_point: (!is_tls13).then(end_point) }
}

async fn say(stream: &mut dyn Stream, text: &str) {
    // A client that did not like what was said before has gone.
    stream.write_all(text.as_bytes()).await.ok();
    stream.flush().await.ok();
}

fn server(scheme: &str) -> ServerAddress {
    format!("{scheme}://mail.example").parse().unwrap()
}

async fn smtp_login(stream: DuplexStream, password: &str) -> Result<(), Error> {
    let mut connection = Connection::open(stream, &server("smtps"), Peer::Remote, options()).await?;
    connection.login(USER, password).await?;
    assert_eq!(connection.address().unwrap().to_string(), USER);
    Ok(())
}

async fn pop3_login(stream: DuplexStream, password: &str) -> Result<(), Error> {
    let connection = Pop3Connection::open(stream, &server("pop3s"), Peer::Remote, options()).await?;
    connection.login(USER, password).await.map(drop)
}

#[tokio::test]
async fn the_best_mechanism_that_both_know_is_used() {
    for (mechanisms, best) in [
        ("LOGIN PLAIN SCRAM-SHA-256 SCRAM-SHA-256-PLUS", Mechanism::ScramSha256Plus),
        ("XOAUTH2 PLAIN SCRAM-SHA-256 LOGIN", Mechanism::ScramSha256),
        ("LOGIN PLAIN", Mechanism::Plain),
        ("LOGIN", Mechanism::Login),
    ] {
        let (stream, server) = Server::new(SMTP, mechanisms).serve();
        smtp_login(stream, PASSWORD).await.unwrap();
        assert_eq!(server.await.unwrap(), Some(best));
        let (stream, server) = Server::new(POP3, mechanisms).serve();
        pop3_login(stream, PASSWORD).await.unwrap();
        assert_eq!(server.await.unwrap(), Some(best));
    }
}

#[tokio::test]
async fn a_login_is_bound_to_the_connection_in_both_versions_of_tls() {
    for version in rustls::ALL_VERSIONS {
        for is_in_between in [false, true] {
            let server = Server { version, is_in_between, ..Server::new(SMTP, "SCRAM-SHA-256-PLUS") };
            let (stream, server) = server.serve();
            let logged_in = smtp_login(stream, PASSWORD).await;
            assert_eq!(logged_in.is_ok(), !is_in_between, "{version:?} {logged_in:?}");
            assert_eq!(server.await.unwrap().is_some(), !is_in_between);
        }
    }
}

#[tokio::test]
async fn a_mechanism_that_somebody_took_off_the_list_is_missed() {
    let (stream, server) = Server { binds: true, ..Server::new(SMTP, "SCRAM-SHA-256 PLAIN") }.serve();
    assert!(smtp_login(stream, PASSWORD).await.is_err());
    assert_eq!(server.await.unwrap(), None);
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    for mechanisms in ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "PLAIN", "LOGIN"] {
        let (stream, server) = Server::new(SMTP, mechanisms).serve();
        let refused = smtp_login(stream, "wrong").await;
        assert!(matches!(&refused, Err(Error::Refused(reply)) if reply.code() == 535), "{refused:?}");
        assert_eq!(server.await.unwrap(), None);
        let (stream, server) = Server::new(POP3, mechanisms).serve();
        let refused = pop3_login(stream, "wrong").await;
        assert!(matches!(&refused, Err(Error::Pop3Refused(_))), "{refused:?}");
        assert_eq!(server.await.unwrap(), None);
    }
}

#[tokio::test]
async fn a_server_with_no_mechanism_that_is_known_is_told_from_one_without_logins() {
    let (stream, server) = Server::new(SMTP, "XOAUTH2 GSSAPI").serve();
    let error = smtp_login(stream, PASSWORD).await.unwrap_err();
    assert!(error.to_string().contains("SCRAM-SHA-256, PLAIN or LOGIN"), "{error}");
    server.abort();
}

#[tokio::test]
async fn no_password_is_in_the_dialogue() {
    for mechanisms in ["SCRAM-SHA-256", "PLAIN", "LOGIN"] {
        for words in [SMTP, POP3] {
            let lines = Arc::new(Mutex::new(String::new()));
            let told = Arc::clone(&lines);
            let dialogue = move |line: Line<'_>| {
                let (Line::Sent(text) | Line::Received(text) | Line::Note(text)) = line;
                told.lock().unwrap().push_str(&format!("{text}\n"));
            };
            let options = ConnectOptions { dialogue: Some(Box::new(dialogue)), ..options() };
            let (stream, serving) = Server::new(words, mechanisms).serve();
            if words.challenge == SMTP.challenge {
                let mut connection = Connection::open(stream, &server("smtps"), Peer::Remote, options).await.unwrap();
                connection.login(USER, PASSWORD).await.unwrap();
            } else {
                let connection = Pop3Connection::open(stream, &server("pop3s"), Peer::Remote, options).await.unwrap();
                connection.login(USER, PASSWORD).await.unwrap();
            }
            assert!(serving.await.unwrap().is_some());
            let shown = lines.lock().unwrap().clone();
            assert!(shown.contains("AUTH") && shown.contains("********"), "{shown}");
            // The password in base64: alone, and behind the user's name.
            for secret in ["dnFrNC03dDJtLXAzeGEtYzlyZ", "2cWs0LTd0Mm0tcDN4YS1jOXJk", "vqk4"] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }
}
