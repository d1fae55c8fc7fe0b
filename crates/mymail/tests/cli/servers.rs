//! Servers that refuse and servers that break off, and what the user is told.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::common::Home;
use crate::exit::*;

/// What a server answers to lines that begin so; all else is `250 OK`. Several answers to the same are given one after the
/// other, the last of them from then on. An empty answer hangs up; after one that begins with `!` nothing is read any more.
pub(crate) type Answers = &'static [(&'static str, &'static str)];

/// A server with its answers: its address, and what it hears.
pub(crate) fn server_that_answers(answers: Answers) -> (String, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (heard, hears) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            converse(stream.unwrap(), answers, &heard);
        }
    });
    (address, hears)
}

const EHLO: &str = "250-m\r\n250-AUTH PLAIN\r\n250-XREGISTER\r\n250-XPASSWD\r\n250-XUNREGISTER\r\n250 XRETRIEVE";

/// Until one of both hangs up. What is heard of a chunk are its lines.
fn converse(mut stream: TcpStream, answers: Answers, heard: &Sender<String>) -> Option<()> {
    let mut input = BufReader::new(stream.try_clone().ok()?);
    stream.write_all(b"220 ready\r\n").ok()?;
    let mut is_in_data = false;
    let mut given = vec![false; answers.len()];
    while let Some(Ok(line)) = input.by_ref().lines().next() {
        is_in_data &= line != ".";
        if is_in_data {
            heard.send(line).ok()?;
            continue;
        }
        let begin = answers.iter().map(|(begin, _)| *begin).find(|begin| line.starts_with(begin));
        let mut fitting = (0..answers.len()).filter(|&at| Some(answers[at].0) == begin);
        let answer = match fitting.clone().find(|&at| !given[at]).or(fitting.next_back()) {
            Some(at) => {
                given[at] = true;
                answers[at].1
            }
            None if line.starts_with("EHLO") => EHLO,
            None if line == "DATA" => "354 Go",
            None => "250 OK",
        };
        if answer.is_empty() {
            return None;
        }
        if let Some(answer) = answer.strip_prefix('!') {
            stream.write_all(format!("{answer}\r\n").as_bytes()).ok()?;
            // It stays open.
            std::mem::forget((stream, input));
            return None;
        }
        is_in_data = answer.starts_with("354");
        let chunk_octets = line.strip_prefix("BDAT ").and_then(|octets| octets.strip_suffix(" LAST")?.parse().ok());
        heard.send(line).ok()?;
        for line in input.by_ref().take(chunk_octets.unwrap_or(0)).lines() {
            heard.send(line.ok()?).ok()?;
        }
        stream.write_all(format!("{answer}\r\n").as_bytes()).ok()?;
    }
    None
}

#[test]
fn refusals_of_a_mail_have_the_code_of_their_reason() {
    let cases: [(Answers, i32, &str); 5] = [
        (&[(".", "554 5.6.0 Transaction failed")], DATA, "10@m: 554"),
        (&[(".", "451 later")], TEMP_FAIL, "10@m: 451"),
        (&[("MAIL", "550 5.7.1 Not your address")], NO_PERMISSION, "10@m: 550"),
        (&[("MAIL", "552 5.3.4 Too big")], DATA, "10@m: 552"),
        (&[("RCPT", "550 5.7.1 Relaying denied")], NO_USER, "10@m: 550"),
    ];
    for (answers, code, line) in cases {
        let home = Home::new();
        let (server, _hears) = server_that_answers(answers);
        home.write_account("9@m", &server, 0o600);
        let outcome = home.run(&["send", "10@m", "--raw"], "text\n");
        assert_eq!(outcome.code, code, "{outcome:?}");
        assert!(outcome.stdout.starts_with(line), "{outcome:?}");
    }
}

#[test]
fn nobody_is_told_to_send_again_what_may_have_been_sent() {
    let home = Home::new();
    let (server, _hears) = server_that_answers(&[(".", "")]);
    home.write_account("9@m", &server, 0o600);
    let outcome = home.run(&["send", "10@m", "--raw"], "text\n");
    assert_eq!(outcome.code, TEMP_FAIL, "{outcome:?}");
    assert!(outcome.stderr.contains("it is not known whether the server took the mail"), "{outcome:?}");
    assert!(!outcome.stderr.contains("try again"), "{outcome:?}");
}

#[test]
fn mail_that_is_kept_may_come_again() {
    const MAIL: &str = "250 1 messages\r\n*****\r\nFrom: 10@m\r\nTo: 9@m\r\nMIME-Version: 1.0\r\n\
                        Content-Type: text\r\n*****\r\nHello\r\n.";
    let home = Home::new();
    let (server, _hears) = server_that_answers(&[("XRETRIEVE", MAIL), ("NOOP", "")]);
    home.write_account("9@m", &server, 0o600);
    let outcome = home.run(&["retrieve"], "");
    assert_eq!(outcome.code, TEMP_FAIL, "{outcome:?}");
    assert!(outcome.stdout.ends_with("Hello\n") && outcome.stderr.contains("may come again"), "{outcome:?}");
    assert!(!outcome.stderr.contains("try again"), "{outcome:?}");
}

#[test]
fn an_account_without_a_password_is_given_back() {
    let home = Home::new();
    let (server, hears) = server_that_answers(&[("XREGISTER", "250 alice@m"), ("XPASSWD", "451 4.3.0 Not now")]);
    let outcome = home.run(&["register", "alice", "--server", &server], "");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (TEMP_FAIL, ""), "{outcome:?}");
    assert!(outcome.stderr.contains("alice@m was given back: ") && outcome.stderr.contains("Not now"), "{outcome:?}");
    assert!(hears.try_iter().any(|line| line == "XUNREGISTER"));

    let (server, _hears) = server_that_answers(&[("XREGISTER", "250 alice@m"), ("XPASSWD", "")]);
    let outcome = home.run(&["register", "alice", "--server", &server], "");
    assert_eq!(outcome.code, TEMP_FAIL, "{outcome:?}");
    assert!(outcome.stderr.contains("closed the connection"), "{outcome:?}");
}

#[test]
fn an_account_that_finds_no_room_is_given_back() {
    let (home, server) = Home::with_accounts(&["alice"]);
    let path = home.path("config/mymail/accounts.toml");
    let accounts = fs::read_to_string(&path).unwrap();
    let password = accounts.split('"').nth(5).unwrap();
    // One mebioctet is the most.
    fs::write(&path, accounts.replace(password, &"x".repeat((1 << 20) - accounts.len()))).unwrap();
    let outcome = home.run(&["register", "bob", "--server", &server.address], "");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (CONFIG, ""), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("bob@mymailserver was given back"), "{}", outcome.stderr);

    fs::write(&path, accounts).unwrap();
    assert_eq!(home.run(&["send", "bob@mymailserver", "--raw"], "are you there?\n").code, NO_USER);
}

#[test]
fn another_name_is_the_advice_where_one_is_taken() {
    let (home, server) = Home::with_accounts(&["alice"]);
    let outcome = home.run(&["register", "alice", "--server", &server.address], "");
    assert_eq!(outcome.code, DATA, "{outcome:?}");
    assert!(outcome.stderr.ends_with("choose another name\n"), "{outcome:?}");
}
