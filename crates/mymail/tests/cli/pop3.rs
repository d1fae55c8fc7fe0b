//! Retrieving by POP3, from any server, and accounts of other mail systems.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::thread;

use crate::common::{Home, Server};
use crate::exit::*;

impl Home {
    /// A home with these accounts on a server, and where it is for POP3: with TLS on demand, and from the start.
    fn with_pop3(names: &[&str]) -> (Self, Server, [String; 2]) {
        let home = Self::new();
        let data = home.path("data");
        let listen = ["smtp=127.0.0.1:0", "pop3=127.0.0.1:0", "pop3s=127.0.0.1:0"];
        let mut arguments = vec!["serve", "--data", data.to_str().unwrap()];
        arguments.extend(listen.iter().flat_map(|listen| ["--listen", listen]));
        let mut server = Server::start(&mut home.command(&arguments));
        let (pop3, pop3s) = (server.next_listener(), server.next_listener());
        for name in names {
            home.run(&["register", name, "--server", &server.address], "").done();
        }
        (home, server, [format!("pop3://{pop3}"), format!("pop3s://{pop3s}")])
    }

    /// The password that the server issued for the first account.
    fn password(&self) -> String {
        let accounts = fs::read_to_string(self.path("config/mymail/accounts.toml")).unwrap();
        accounts.split("password = \"").nth(1).unwrap().split('"').next().unwrap().to_owned()
    }
}

/// A URL with a user.
fn of_user(user: &str, url: &str) -> String {
    url.replacen("://", &format!("://{user}@"), 1)
}

#[test]
fn mail_is_retrieved_from_a_url_and_flushed() {
    let (home, _server, urls) = Home::with_pop3(&["alice", "bob"]);
    for url in urls {
        home.run(&["send", "bob@mymailserver", "--raw"], "Subject: hi\n\n.\nhello\n").done();
        let outcome = home.run(&["retrieve", &of_user("bob", &url)], "");
        assert!(outcome.stderr.contains(&format!("first time at {url}")), "{outcome:?}");
        let text = outcome.done();
        let block =
            "*****\nFrom: alice@mymailserver\nTo: bob@mymailserver\nMIME-Version: 1.0\nContent-Type: text\n*****\n";
        assert!(text.starts_with(&format!("{block}Return-Path: <alice@mymailserver>\nReceived: from ")), "{text}");
        assert!(text.ends_with("\nSubject: hi\n\n.\nhello\n"), "{text}");
        let outcome = home.run(&["retrieve", &of_user("bob@mymailserver", &url)], "");
        assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()), (0, "", "no mail\n"));
    }
}

#[test]
fn mail_leaves_the_server_only_when_it_is_kept() {
    let (home, _server, [pop3, _]) = Home::with_pop3(&["alice"]);
    home.run(&["send", "alice@mymailserver", "-s", "keep me"], "hello\n").done();
    let outcome = home.run(&["retrieve", &pop3, "--mbox", "/no/such/folder/mbox"], "");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (CANT_CREATE, ""), "{outcome:?}");
    assert!(outcome.stderr.contains("stays on the server"), "{outcome:?}");

    let mbox = home.path("mbox");
    let outcome = home.run(&["retrieve", &pop3, "--mbox", mbox.to_str().unwrap()], "");
    assert_eq!(outcome.done(), format!("1 message filed in {}\n", mbox.display()));
    let filed = fs::read_to_string(&mbox).unwrap();
    assert_eq!(filed.matches("Return-Path: ").count(), 1, "{filed}");
    assert!(
        filed.contains("\nDelivered-To: alice@mymailserver\n") && filed.contains("\nSubject: keep me\n"),
        "{filed}"
    );
    assert_eq!(home.run(&["retrieve", &pop3], "").stderr, "no mail\n");
}

#[test]
fn a_password_comes_from_a_file_where_no_account_has_one() {
    let (home, _server, [_, pop3s]) = Home::with_pop3(&["alice"]);
    home.run(&["send", "alice@mymailserver", "--raw"], "hello\n").done();
    let password = home.password();
    home.run(&["accounts", "--remove", "alice"], "").done();
    let url = of_user("alice", &pop3s);

    let outcome = home.run(&["retrieve", &url], "");
    assert_eq!(outcome.code, CONFIG, "{outcome:?}");
    assert!(outcome.stderr.contains("--password-file"), "{outcome:?}");
    let outcome = home.run(&["retrieve", &pop3s], "");
    assert_eq!(outcome.code, CONFIG, "{outcome:?}");
    assert!(outcome.stderr.contains("pop3s://USER@127.0.0.1"), "{outcome:?}");
    let outcome = home.run(&["retrieve", &url, "--password-file", "-"], "wrong-word\n");
    assert_eq!(outcome.code, NO_PERMISSION, "{outcome:?}");
    assert!(outcome.stderr.contains(&format!("cannot log in to {pop3s} as alice")), "{outcome:?}");
    assert!(!outcome.stderr.contains("wrong-word"), "{outcome:?}");

    fs::write(home.path("password"), format!("{password}\n")).unwrap();
    let outcome = home.run(&["retrieve", &url, "-v", "--format", "raw", "--password-file", "password"], "");
    assert!(!outcome.stderr.contains(&password), "{outcome:?}");
    assert!(outcome.done().ends_with("\r\nhello\r\n"));
}

#[test]
fn an_account_that_is_named_is_the_one_or_none() {
    let (home, _server, [pop3, _]) = Home::with_pop3(&["alice", "bob"]);
    home.run(&["send", "alice@mymailserver", "--raw"], "hello\n").done();
    for (url, name, whose) in [
        (pop3.clone(), "carol", "carol on 127.0.0.1:"),
        (of_user("alice", &pop3), "carol", "carol of alice on 127.0.0.1:"),
        (of_user("alice", &pop3), "bob", "bob of alice on 127.0.0.1:"),
        ("pop3://alice@127.0.0.9:1".to_owned(), "alice", "alice of alice on 127.0.0.9:"),
    ] {
        let outcome = home.run(&["retrieve", &url, "--account", name, "--password-file", "-"], "secret\n");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (CONFIG, ""), "{outcome:?}");
        assert!(outcome.stderr.starts_with(&format!("mymail: you have no account {whose}")), "{outcome:?}");
    }
    assert!(home.run(&["retrieve", &pop3, "--account", "alice"], "").done().ends_with("\nhello\n"));
}

/// A server that has so many messages and hands none of them over.
fn server_that_withholds(messages: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("pop3://alice@{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(b"+OK ready\r\n").unwrap();
        for line in BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok) {
            let response = match line.split(' ').next().unwrap() {
                "CAPA" => "+OK\r\nUSER\r\n.".to_owned(),
                "STAT" => format!("+OK {messages} {}", messages * 9),
                "LIST" => {
                    format!("+OK\r\n{}.", (1..=messages).map(|number| format!("{number} 9\r\n")).collect::<String>())
                }
                "RETR" => format!("-ERR [SYS/PERM] {line} is damaged\x1b[2J"),
                _ => "+OK".to_owned(),
            };
            stream.write_all(format!("{response}\r\n").as_bytes()).unwrap();
        }
    });
    url
}

#[test]
fn what_a_server_withholds_is_told_with_its_reason() {
    const REASONS_MAX: usize = 10;
    let home = Home::new();
    for messages in [2, REASONS_MAX, REASONS_MAX + 2] {
        let outcome = home.run(&["retrieve", &server_that_withholds(messages), "--password-file", "-"], "secret\n");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (TEMP_FAIL, ""), "{outcome:?}");
        let told = outcome.stderr.lines().filter(|line| line.contains("-ERR")).collect::<Vec<_>>();
        assert_eq!(told.len(), messages.min(REASONS_MAX), "{outcome:?}");
        assert!(told[1].starts_with("message 2 was not handed over: -ERR [SYS/PERM] RETR 2 is damaged"), "{outcome:?}");
        assert!(outcome.stderr.contains(&format!("did not hand over: {messages};")), "{outcome:?}");
    }
}

#[test]
fn an_account_with_pop3_retrieves_by_it() {
    let (home, server, [_, pop3s]) = Home::with_pop3(&["alice"]);
    let (password, smtp) = (home.password(), &server.address);
    home.run(&["accounts", "--remove", "alice"], "").done();
    let add =
        ["accounts", "--add", "al@example.org", "--user", "alice@mymailserver", "--server", smtp, "--pop3", &pop3s];
    let outcome = home.run(&[&add[..], &["--password-file", "-"]].concat(), &password);
    assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()), (0, "", ""));
    assert_eq!(home.run(&["accounts"], "").done(), format!("al@example.org {smtp} {pop3s} default\n"));
    assert_eq!(
        home.run(&["accounts", "--json"], "").done(),
        format!(
            "{{\"address\":\"al@example.org\",\"server\":\"{smtp}\",\"pop3\":\"{pop3s}\",\
             \"user\":\"alice@mymailserver\",\"default\":true}}\n"
        )
    );

    let outcome = home.run(&["sendmail", "-f", "alice@mymailserver", "alice@mymailserver"], "Subject: hi\n\nhello\n");
    assert_eq!(outcome.code, 0, "{outcome:?}");
    let outcome = home.run(&["retrieve", "-v"], "");
    assert!(outcome.stderr.contains("C: RETR 1\n") && !outcome.stderr.contains("XRETRIEVE\n"), "{outcome:?}");
    assert!(outcome.done().ends_with("\n\nhello\n"));
    let outcome = home.run(&["retrieve", "--wait", "1"], "");
    assert_eq!(outcome.code, USAGE, "{outcome:?}");
}

#[test]
fn what_is_no_account_or_url_is_a_usage_error() {
    let home = Home::new();
    home.write_account("9@mymailserver", "127.0.0.1:1", 0o600);
    for arguments in [
        &["retrieve", "alice@mail.example"][..],
        &["retrieve", "mail.example"],
        &["retrieve", "pop3s://alice:secret@mail.example"],
        &["retrieve", "http://mail.example"],
        &["retrieve", "pop3s://alice@mail.example", "--server", "mail.example"],
        &["accounts", "--add", "a@example.org"],
        &["accounts", "--add", "a@example.org", "--server", "pop3s://mail.example", "--password-file", "-"],
        &["accounts", "--add", "a@example.org", "--server", "mail.example", "--pop3", "smtp://mail.example"],
        &["accounts", "--add", "a@example.org", "--server", "mail.example", "--remove", "9"],
        &["accounts", "--pop3", "pop3://mail.example"],
    ] {
        let outcome = home.run(arguments, "secret\n");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (USAGE, ""), "{arguments:?} {}", outcome.stderr);
    }
    for (file, code) in [("/dev/null", DATA), ("no-such-file", DATA)] {
        let add = ["accounts", "--add", "a@example.org", "--server", "mail.example", "--password-file", file];
        assert_eq!(home.run(&add, "").code, code, "{file}");
    }
    let outcome = home.run(&["accounts", "--add", "a@example.org", "--server", "mail.example"], "");
    assert_eq!(outcome.code, CONFIG, "{outcome:?}");
    assert_eq!(home.run(&["accounts"], "").done(), "9@mymailserver 127.0.0.1:1 default\n");
}
