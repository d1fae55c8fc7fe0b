//! Logins that fail, that are tried at once, and that meet the end of their account.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod common;

use std::io::{BufRead, BufReader, Write};
use std::sync::Barrier;
use std::thread;

use proto::sasl::plain::Credentials;
use proto::sasl::scram::{ITERATIONS, SALT_OCTETS, Verifier};
use server::Config;
use server::config::{Listen, Tls};

use common::{Connection, Running, listen};

const SMTP: usize = 0;
const POP3: usize = 1;

struct Session(BufReader<Connection>);

impl Session {
    fn open(server: &Running, listener: usize) -> Self {
        let mut session = Self(BufReader::new(server.connect(listener)));
        session.line();
        session
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    fn say(&mut self, command: &str) -> String {
        self.0.get_mut().write_all(format!("{command}\r\n").as_bytes()).unwrap();
        self.line()
    }

    /// An account with the password "secret", whose session this is.
    fn registered(server: &Running, name: &str) -> Self {
        let mut session = Self::open(server, SMTP);
        assert_eq!(session.say(&format!("XREGISTER {name}")), format!("250 {name}@mymailserver"));
        let verifier = Verifier::derive("secret", &[1; SALT_OCTETS], ITERATIONS);
        assert_eq!(session.say(&format!("XPASSWD VERIFIER={verifier}")), "250 OK");
        session
    }
}

fn server() -> Running {
    let listeners = vec![listen(Listen::smtp, Tls::Off), listen(Listen::pop3, Tls::Off)];
    Running::start(Config { listen: listeners, ..Config::default() })
}

fn log_in(server: &Running, user: &str, password: &str) -> String {
    let mut session = Session::open(server, POP3);
    assert_eq!(session.say(&format!("USER {user}")), "+OK send PASS");
    session.say(&format!("PASS {password}"))
}

#[test]
fn who_guesses_has_so_many_guesses_also_at_once() {
    let server = server();
    let (_alice, _bob) = (Session::registered(&server, "alice"), Session::registered(&server, "bob"));
    let at_once = Barrier::new(60);
    let answers: Vec<String> = thread::scope(|scope| {
        let guess = || {
            at_once.wait();
            log_in(&server, "alice", "wrong")
        };
        let guesses: Vec<_> = (0..60).map(|_| scope.spawn(guess)).collect();
        guesses.into_iter().map(|guess| guess.join().unwrap()).collect()
    });
    let heard = answers.iter().filter(|answer| answer.starts_with("-ERR [AUTH]")).count();
    assert_eq!(heard, 20);
    assert!(answers.iter().all(|answer| answer.starts_with("-ERR [AUTH]") || answer.starts_with("-ERR [SYS/TEMP]")));
    assert!(log_in(&server, "alice", "secret").starts_with("-ERR [SYS/TEMP] too many failed logins"));
    assert!(log_in(&server, "bob", "secret").starts_with("+OK"), "somebody else is not concerned");
    let mut smtp = Session::open(&server, SMTP);
    assert!(smtp.say("AUTH PLAIN AGFsaWNlAHNlY3JldA==").starts_with("454 "), "both protocols count together");
    assert!(smtp.say("AUTH SCRAM-SHA-256 biwsbj1hbGljZSxyPWFiY2RlZmdo").starts_with("454 "));
}

#[test]
fn nobody_speaks_for_an_account_that_has_ended() {
    let server = server();
    for round in 0..60 {
        let name = format!("a{round}");
        let mut owner = Session::registered(&server, &name);
        let mut other = Session::open(&server, SMTP);
        other.say("HELO here");
        let at_once = Barrier::new(2);
        let logged_in = thread::scope(|scope| {
            let login = scope.spawn(|| {
                at_once.wait();
                let credentials = Credentials { user: name.clone(), password: "secret".to_owned() };
                other.say(&format!("AUTH PLAIN {}", credentials.encode()))
            });
            at_once.wait();
            assert_eq!(owner.say("XUNREGISTER"), "250 OK");
            login.join().unwrap()
        });
        let mail = other.say(&format!("MAIL FROM:<{name}@mymailserver>"));
        assert!(mail.starts_with("530 "), "{logged_in}, then {mail}");
    }
}
