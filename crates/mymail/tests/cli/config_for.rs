//! `mymail config-for`: exactly the lines that a program needs, and a word about where they go.

use std::fs;

use crate::common::Home;
use crate::exit::*;

#[test]
fn a_program_gets_its_lines_and_the_user_is_told_where_they_go() {
    let home = Home::new();
    home.write_account("9@mymailserver", "127.0.0.1:2525", 0o600);
    let outcome = home.run(&["config-for", "msmtp"], "");
    assert!(outcome.stderr.contains("~/.msmtprc") && outcome.stderr.contains("chmod 600"), "{outcome:?}");
    assert_eq!(
        outcome.done(),
        "account mymail\nhost 127.0.0.1\nport 2525\ntls off\nauth plain\nuser \"9@mymailserver\"\n\
         password \"secret\"\nfrom \"9@mymailserver\"\n\naccount default : mymail\n"
    );
    let outcome = home.run(&["config-for", "thunderbird"], "");
    assert!(outcome.stdout.contains("\n  Port: 1110\n") && !outcome.stdout.contains("secret"), "{outcome:?}");
    let json = home.run(&["config-for", "swaks", "--json"], "").done();
    assert!(
        json.starts_with("{\"program\":\"swaks\",\"place\":\"~/.swaksrc\",\"text\":\"--server 127.0.0.1\\n"),
        "{json}"
    );
}

#[test]
fn the_account_and_its_pop3_server_can_be_named() {
    let home = Home::new();
    home.write_account("9@mymailserver", "127.0.0.1:2525", 0o600);
    home.write_account("bob@example.org", "smtps://mail.example.org", 0o600);
    let text =
        home.run(&["config-for", "mpop", "--account", "bob", "--pop3", "pop3://pop.example.org:1234"], "").done();
    assert!(text.contains("host pop.example.org\nport 1234\ntls on\ntls_starttls on\n"), "{text}");
    assert!(text.contains("user \"bob@example.org\"\n"), "{text}");
}

#[test]
fn what_cannot_be_configured_is_told() {
    let home = Home::new();
    assert_eq!(home.run(&["config-for", "msmtp"], "").code, CONFIG);
    home.write_account("bob@example.org", "mail.example.org:25", 0o600);
    for (arguments, code, reason) in [
        (&["config-for"][..], USAGE, "<PROGRAM>"),
        (&["config-for", "pine"], USAGE, "possible values: msmtp"),
        (&["config-for", "mutt", "--pop3", "mail.example.org"], USAGE, "pop3s://HOST"),
        (&["config-for", "mutt", "--pop3", "pop3://127.0.0.1:1111"], CONFIG, "--server smtps://mail.example.org "),
        (&["config-for", "curl", "--pop3", "pop3://127.0.0.1:1111"], CONFIG, "curl has one switch"),
        (&["config-for", "getmail"], CONFIG, "--pop3 pop3s://mail.example.org"),
        (&["config-for", "certificate"], CONFIG, "no certificate of mail.example.org"),
    ] {
        let outcome = home.run(arguments, "");
        assert_eq!((outcome.code, outcome.stdout.as_str()), (code, ""), "{outcome:?}");
        assert!(outcome.stderr.contains(reason), "{outcome:?}");
    }
}

#[test]
fn the_certificate_is_the_servers() {
    let (home, _server) = Home::with_accounts(&["alice"]);
    let certificate = home.run(&["config-for", "certificate"], "").done();
    assert_eq!(certificate.trim(), fs::read_to_string(home.path("data/tls/certificate.pem")).unwrap().trim());
    let text = home.run(&["config-for", "smtplib"], "").done();
    assert!(text.contains(&certificate) && text.contains("starttls(context=context)"), "{text}");
    assert!(home.run(&["config-for", "msmtp"], "").done().contains("\ntls_fingerprint "));
}
