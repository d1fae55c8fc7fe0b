//! TLS, as the user sees it: servers that are trusted at first sight, that change, or that have none.

use std::fs;

use crate::common::{Home, Server};
use crate::exit::*;
use crate::servers::server_that_answers;

/// A server with its data in this folder of the home.
fn serve(home: &Home, data: &str) -> Server {
    let data = home.path(data);
    Server::start(&mut home.command(&["serve", "--listen", "smtp=127.0.0.1:0", "--data", data.to_str().unwrap()]))
}

#[test]
fn a_server_is_trusted_at_first_sight_and_told_of_once() {
    let (home, server) = Home::with_server();
    let outcome = home.run(&["register", "alice", "-v", "--server", &server.address], "");
    let note = format!("note: first time at {}: trusting its certificate, SHA-256 ", server.address);
    assert!(outcome.stderr.contains(&note), "{outcome:?}");
    let (clear, encrypted) = outcome.stderr.split_once("C: STARTTLS\n").unwrap();
    assert!(!clear.contains("XREGISTER alice") && encrypted.contains("C: XREGISTER alice\n"), "{outcome:?}");
    let outcome = home.run(&["retrieve"], "");
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, "no mail\n"));
}

#[test]
fn a_server_that_shows_another_certificate_is_told_nothing() {
    let (home, server) = Home::with_accounts(&["alice"]);
    let other = serve(&home, "other");
    // As if the other server stood in the first one's place.
    let known = home.path("config/mymail/known-servers.toml");
    let text = fs::read_to_string(&known).unwrap().replace(&server.address, &other.address);
    fs::write(&known, text).unwrap();
    let address = &other.address;

    let outcome = home.run(&["register", "bob", "-v", "--server", address], "");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (NO_PERMISSION, ""), "{outcome:?}");
    assert!(!outcome.stderr.contains("C: XREGISTER"), "{outcome:?}");
    let forget = format!("mymail accounts --forget-server {address}");
    for text in ["known: SHA-256 ", "now:   SHA-256 ", "known-servers.toml", &forget] {
        assert!(outcome.stderr.contains(text), "{text} is missing in {outcome:?}");
    }

    home.run(&["accounts", "--forget-server", address], "").done();
    let outcome = home.run(&["register", "bob", "--server", address], "");
    assert!(outcome.stderr.contains("first time at"), "{outcome:?}");
    assert_eq!(outcome.done(), "bob@mymailserver\n");
    let outcome = home.run(&["accounts", "--forget-server", "127.0.0.1:1"], "");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (CONFIG, ""), "{outcome:?}");
}

#[test]
fn a_named_certificate_is_the_only_one_that_counts() {
    let (home, server) = Home::with_server();
    let right = home.path("data/tls/certificate.pem");
    let register = |name: &str, ca: &str| home.run(&["register", name, "--server", &server.address, "--ca", ca], "");
    let outcome = register("alice", right.to_str().unwrap());
    assert_eq!((outcome.code, outcome.stderr.as_str()), (0, ""), "{outcome:?}");
    assert!(!home.path("config/mymail/known-servers.toml").exists());

    let _other = serve(&home, "other");
    let outcome = register("bob", home.path("other/tls/certificate.pem").to_str().unwrap());
    assert_eq!((outcome.code, outcome.stdout.as_str()), (NO_PERMISSION, ""), "{outcome:?}");
    assert!(outcome.stderr.contains("is not trusted"), "{outcome:?}");
    let outcome = register("bob", "no-such-file");
    assert_eq!(outcome.code, DATA, "{outcome:?}");
}

#[test]
fn whoever_checks_nothing_is_told_so_each_time() {
    let (home, server) = Home::with_accounts(&["alice"]);
    for _ in 0..2 {
        let outcome = home.run(&["retrieve", "--insecure", "--server", &server.address], "");
        assert!(outcome.stderr.contains("anybody could be at the other end"), "{outcome:?}");
        assert_eq!(outcome.code, 0);
    }
    let outcome = home.run(&["retrieve", "--insecure", "--ca", "x"], "");
    assert_eq!(outcome.code, USAGE, "{outcome:?}");
}

#[test]
fn a_server_without_tls_is_refused_where_it_is_required_or_was_there_before() {
    let home = Home::new();
    let (server, _hears) = server_that_answers(&[]);
    home.write_account("9@m", &server, 0o600);
    let outcome = home.run(&["send", "10@m", "--raw", "--tls", "required"], "text\n");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (NO_PERMISSION, ""), "{outcome:?}");
    assert!(outcome.stderr.contains("TLS is required"), "{outcome:?}");
    home.run(&["send", "10@m", "--raw"], "text\n").done();

    let known = format!("[[server]]\naddress = \"{server}\"\nauthority = true\n");
    let path = home.path("config/mymail/known-servers.toml");
    home.write_private(&path, &known);
    let outcome = home.run(&["send", "10@m", "--raw"], "text\n");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (NO_PERMISSION, ""), "{outcome:?}");
    assert!(outcome.stderr.contains("had TLS before"), "{outcome:?}");
    assert!(outcome.stderr.contains(&format!("mymail accounts --forget-server {server}")), "{outcome:?}");
    home.run(&["send", "10@m", "--raw", "--tls", "off"], "text\n").done();
}

#[test]
fn a_number_is_the_encrypted_sessions() {
    let (home, server) = Home::with_server();
    let outcome = home.run(&["session", "-v", "--server", &server.address], "register\nwhoami\n");
    let (_, encrypted) = outcome.stderr.split_once("C: STARTTLS\n").unwrap();
    assert!(encrypted.contains("C: XREGISTER\n"), "{outcome:?}");
    let address = outcome.done();
    assert!(address.lines().all(|line| line.ends_with("@mymailserver")) && address.lines().count() == 2, "{address}");
}
