//! What needs no mail server: help, usage, accounts, servers that fail.

use std::io::Write;
use std::net::{TcpListener, TcpStream};

use crate::common::Home;
use crate::exit::*;

/// A server that says one line and hangs up, and its address.
fn server_that_says(line: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream: TcpStream = stream.unwrap();
            stream.write_all(line.as_bytes()).unwrap();
        }
    });
    address
}

#[test]
fn help_and_version_are_results() {
    let home = Home::new();
    for arguments in [&["--version"][..], &["--help"], &["help"], &["send", "--help"], &["retrieve", "--version"]] {
        let outcome = home.run(arguments, "");
        assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{arguments:?}");
        assert!(outcome.stdout.contains("mymail"), "{outcome:?}");
    }
    for command in ["register", "send", "retrieve", "session", "accounts"] {
        let help = home.run(&[command, "--help"], "").stdout;
        for text in ["Examples:", "--server", "--tls", "--verbose", "--json"] {
            assert!(help.contains(text), "{command}: {help}");
        }
        let ca = help.split("--ca <FILE>").nth(1).and_then(|text| text.split("--insecure").next());
        assert!(ca.is_some_and(|text| text.contains("host name")), "{command}: {help}");
        assert_eq!(help.contains("--account <ADDRESS>"), command != "register", "{command}: {help}");
    }
}

#[test]
fn what_makes_no_sense_is_a_usage_error() {
    let home = Home::new();
    home.write_account("9@mymailserver", "127.0.0.1:1", 0o600);
    for arguments in [
        &[][..],
        &["frobnicate"],
        &["send"],
        &["send", "10@mymailserver", "--frobnicate"],
        &["send", "no-such-file"],
        &["send", "10@mymailserver", "no-such-file"],
        &["send", "-", "10@mymailserver"],
        &["send", "bad@-"],
        &["retrieve", "--wait", "soon"],
        &["retrieve", "--wait", "301"],
        &["retrieve", "--format", "xml"],
        &["retrieve", "--mbox", "a", "--maildir", "b"],
        &["register", "--server", "host:port"],
        &["register", "--tls", "perhaps"],
        &["send", "<10@mymailserver>"],
    ] {
        let outcome = home.run(arguments, "");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (USAGE, ""), "{arguments:?} {}", outcome.stderr);
        assert_ne!(outcome.stderr, "", "{arguments:?}");
    }
}

#[test]
fn without_an_account_the_way_to_one_is_told() {
    let home = Home::new();
    for arguments in [&["retrieve"][..], &["send", "10@mymailserver"], &["send", "10@mymailserver", "--account", "x"]] {
        let outcome = home.run(arguments, "text");
        assert_eq!(outcome.code, CONFIG, "{outcome:?}");
        assert!(outcome.stderr.starts_with("mymail: you have no account"), "{outcome:?}");
    }
    let outcome = home.run(&["accounts"], "");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, ""));
    assert!(outcome.stderr.contains("mymail register"), "{outcome:?}");
}

#[test]
fn accounts_that_others_can_read_are_not_used() {
    let home = Home::new();
    home.write_account("9@mymailserver", "127.0.0.1:1", 0o644);
    let outcome = home.run(&["retrieve"], "");
    assert_eq!(outcome.code, CONFIG);
    assert!(outcome.stderr.contains("chmod 600"), "{outcome:?}");
}

#[test]
fn accounts_are_listed_chosen_and_forgotten() {
    let home = Home::new();
    home.write_account("9@mymailserver", "127.0.0.1:1", 0o600);
    home.write_account("alice@mymailserver", "mail.example:25", 0o600);
    let list = |arguments: &[&str]| home.run(arguments, "").done();
    assert_eq!(list(&["accounts"]), "9@mymailserver 127.0.0.1:1 default\nalice@mymailserver mail.example:25\n");
    assert_eq!(list(&["accounts", "--default", "alice"]), "");
    assert_eq!(list(&["accounts"]), "alice@mymailserver mail.example:25 default\n9@mymailserver 127.0.0.1:1\n");
    assert_eq!(list(&["accounts", "--remove", "9@mymailserver"]), "");
    assert_eq!(
        list(&["accounts", "--json"]),
        "{\"address\":\"alice@mymailserver\",\"server\":\"mail.example:25\",\"default\":true}\n"
    );
    assert_eq!(home.run(&["accounts", "--remove", "bob"], "").code, CONFIG);
    assert!(!home.run(&["accounts", "-v"], "").stderr.contains("secret"));
}

#[test]
fn the_account_that_is_forgotten_is_no_guess() {
    let home = Home::new();
    home.write_account("bob@mymailserver", "127.0.0.1:1", 0o600);
    home.write_account("bob@mymailserver", "127.0.0.1:2", 0o600);
    for option in ["--remove", "--default"] {
        let outcome = home.run(&["accounts", option, "bob", "--server", "1.2.3.4:5"], "");
        assert_eq!(outcome.code, CONFIG, "{outcome:?}");
        let outcome = home.run(&["accounts", option, "bob"], "");
        assert_eq!(outcome.code, CONFIG, "{outcome:?}");
        assert!(outcome.stderr.contains("--server 127.0.0.1:1 or --server 127.0.0.1:2"), "{outcome:?}");
    }
    let list = || home.run(&["accounts"], "").done();
    assert_eq!(list(), "bob@mymailserver 127.0.0.1:1 default\nbob@mymailserver 127.0.0.1:2\n");
    let of_server = home.run(&["accounts", "--server", "127.0.0.1:2"], "").done();
    assert_eq!(of_server, "bob@mymailserver 127.0.0.1:2\n");
    home.run(&["accounts", "--default", "bob", "--server", "127.0.0.1:2"], "").done();
    home.run(&["accounts", "--remove", "bob", "--server", "127.0.0.1:1"], "").done();
    assert_eq!(list(), "bob@mymailserver 127.0.0.1:2 default\n");
}

#[test]
fn an_account_of_another_host_is_not_used() {
    let home = Home::new();
    home.write_account("bob@mymailserver", "mail.example:1", 0o600);
    let outcome = home.run(&["retrieve", "--server", "127.0.0.1:1"], "");
    assert_eq!(outcome.code, CONFIG, "{outcome:?}");
    assert!(outcome.stderr.contains("you have no account on 127.0.0.1"), "{outcome:?}");
}

#[test]
fn a_server_that_cannot_say_that_it_is_ready_ends() {
    let home = Home::new();
    let mut serve = home.command(&["serve", "--listen", "smtp=127.0.0.1:0"]);
    let ended = serve.stdout(std::fs::File::create("/dev/full").unwrap()).output().unwrap();
    assert_eq!(ended.status.code(), Some(CANT_CREATE), "{ended:?}");
}

#[test]
fn servers_that_fail_have_their_codes() {
    let home = Home::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    for (server, code, hint) in [
        (closed, UNAVAILABLE, "mymail serve"),
        (server_that_says("SSH-2.0-OpenSSH_9.9\r\n"), PROTOCOL, "--verbose"),
        (server_that_says("421 mymailserver Too busy\r\n"), TEMP_FAIL, "try again later"),
        (server_that_says("554 mymailserver No service\r\n"), UNAVAILABLE, "No service"),
        (server_that_says(""), TEMP_FAIL, "try again later"),
    ] {
        let outcome = home.run(&["register", "--server", &server], "");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (code, ""), "{outcome:?}");
        assert!(outcome.stderr.starts_with("mymail: ") && outcome.stderr.contains(hint), "{outcome:?}");
    }
}

#[test]
fn what_a_server_says_moves_no_cursor() {
    let home = Home::new();
    let server = server_that_says("421 \x1b[2J\x1b]0;owned\x07 bye\r\n");
    let outcome = home.run(&["register", "-v", "--server", &server], "");
    assert!(outcome.stderr.contains("owned") && !outcome.stderr.contains(['\x1b', '\x07']), "{outcome:?}");
}

#[test]
fn input_that_cannot_be_read_is_told_before_the_server_is_asked() {
    let home = Home::new();
    home.write_account("9@mymailserver", "127.0.0.1:1", 0o600);
    let outcome = home.run(&["send", "10@mymailserver", "-a", "no-such-file"], "text");
    assert_eq!(outcome.code, DATA);
    assert!(outcome.stderr.contains("no-such-file"), "{outcome:?}");
    for arguments in [&["send", "10@mymailserver", "/"][..], &["send", "10@mymailserver", "--raw", "/"]] {
        let outcome = home.run(arguments, "");
        assert_eq!(outcome.code, DATA, "{outcome:?}");
        assert!(outcome.stderr.contains("cannot read /"), "{outcome:?}");
    }
    let outcome = home.run(&["send", "10@mymailserver", "--raw"], "one\ntwo\rtwo\n");
    assert_eq!(outcome.code, DATA, "{outcome:?}");
    assert!(outcome.stderr.contains("line 2") && outcome.stderr.contains("-a"), "{outcome:?}");
    let outcome = home.run_with_octets(&["send", "10@mymailserver"], b"caf\xe9");
    assert_eq!(outcome.code, DATA);
    assert!(outcome.stderr.contains("--raw"), "{outcome:?}");
}
