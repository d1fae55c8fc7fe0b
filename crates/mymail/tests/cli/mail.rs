//! Registering, sending and retrieving with a server.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::common::{Home, Server};
use crate::exit::*;
use crate::running::decode_base64;

#[test]
fn registering_prints_the_address_alone_and_keeps_the_password() {
    let (home, server) = Home::with_server();
    let outcome = home.run(&["register", "--server", &server.address], "");
    let address = outcome.done();
    let number = address.strip_suffix("@mymailserver\n").unwrap();
    assert!(!number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()), "{address}");

    let path = home.path("config/mymail/accounts.toml");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::read_to_string(&path).unwrap().contains(&server.address));

    assert_eq!(home.run(&["register", "alice", "--server", &server.address], "").done(), "alice@mymailserver\n");
    assert_eq!(home.run(&["register", "ALICE", "--server", &server.address], "").code, DATA);
    let outcome = home.run(&["register", "bob", "--server", &server.address, "--json"], "");
    assert_eq!(outcome.done(), format!("{{\"address\":\"bob@mymailserver\",\"server\":\"{}\"}}\n", server.address));
}

#[test]
fn a_mail_is_sent_and_retrieved_once() {
    let (home, _server) = Home::with_accounts(&["alice", "bob", "dora"]);
    let outcome = home.run(
        &["send", "bob@mymailserver", "carol@mymailserver", "dora@mymailserver", "-s", "Grüße"],
        "Hello both\n.\n..dots\n",
    );
    assert_eq!(outcome.code, NO_USER, "{outcome:?}");
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{outcome:?}");
    for (line, begin) in
        lines.iter().zip(["bob@mymailserver: 250", "carol@mymailserver: 550", "dora@mymailserver: 250"])
    {
        assert!(line.starts_with(begin), "{line}");
    }

    for name in ["bob", "dora"] {
        let text = home.run(&["retrieve", "--account", name], "").done();
        let block = format!(
            "*****\nFrom: alice@mymailserver\nTo: {name}@mymailserver\nMIME-Version: 1.0\nContent-Type: text\n*****\n"
        );
        assert!(text.starts_with(&block), "{text}");
        assert!(text.contains("\nSubject: =?utf-8?"), "{text}");
        assert!(text.ends_with("\n\nHello both\n.\n..dots\n"), "{text}");
        let outcome = home.run(&["retrieve", "--account", name], "");
        assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()), (0, "", "no mail\n"));
    }
}

#[test]
fn json_is_for_scripts() {
    let (home, _server) = Home::with_accounts(&["alice"]);
    let outcome = home.run(&["send", "alice@mymailserver", "nobody@mymailserver", "--raw", "--json"], "Hi \x1b[1m\n");
    assert_eq!(outcome.code, NO_USER);
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert!(
        lines[0].starts_with("{\"recipient\":\"alice@mymailserver\",\"accepted\":true,\"code\":250"),
        "{outcome:?}"
    );
    assert!(lines[1].starts_with("{\"recipient\":\"nobody@mymailserver\",\"accepted\":false,\"code\":550"));
    assert_eq!(
        home.run(&["retrieve", "--json"], "").done(),
        "{\"from\":\"alice@mymailserver\",\"to\":\"alice@mymailserver\",\"octets\":9,\"text\":\"Hi \\u001b[1m\\r\\n\"}\n"
    );
}

#[test]
fn raw_is_what_was_sent() {
    let (home, _server) = Home::with_accounts(&["alice"]);
    let message = b"Subject: x\n\n.\n.\ncaf\xe9 \x1b[1m\nno end";
    assert_eq!(home.run_with_octets(&["send", "alice@mymailserver", "-", "--raw"], message).code, 0);
    let outcome = home.run(&["retrieve", "--format", "raw"], "");
    assert_eq!(outcome.octets, b"Subject: x\r\n\r\n.\r\n.\r\ncaf\xe9 \x1b[1m\r\nno end\r\n");
}

#[test]
fn a_text_with_controls_arrives() {
    let (home, _server) = Home::with_accounts(&["alice"]);
    home.run(&["send", "alice@mymailserver"], "50 %\r100 %\0\n").done();
    let message = home.run(&["retrieve", "--format", "raw"], "").done();
    let (_, encoded) = message.split_once("\r\n\r\n").unwrap();
    assert_eq!(decode_base64(encoded), b"50 %\r100 %\0\r\n");
}

#[test]
fn more_recipients_than_the_server_takes_at_once_all_get_the_mail() {
    let home = Home::new();
    fs::write(home.path("config.toml"), "[limits]\nrecipients = 2\n").unwrap();
    let arguments = ["serve", "--config", "config.toml", "--listen", "smtp=127.0.0.1:0", "--data", "data"];
    let server = Server::start(&mut home.command(&arguments));
    let names = ["a1", "b2", "c3", "d4", "e5"];
    for name in names {
        home.run(&["register", name, "--server", &server.address], "").done();
    }
    let to = names.map(|name| format!("{name}@mymailserver"));
    let mut arguments = vec!["send", "--raw"];
    arguments.extend(to.iter().map(String::as_str));
    let lines = home.run(&arguments, "Hello all\n").done();
    for (line, address) in lines.lines().zip(&to) {
        assert!(line.starts_with(&format!("{address}: 250")), "{lines}");
    }
    for name in names {
        let text = home.run(&["retrieve", "--account", name, "--format", "raw"], "").done();
        assert_eq!(text, "Hello all\r\n", "{name}");
    }
}

#[test]
fn files_are_text_and_attachments() {
    let (home, _server) = Home::with_accounts(&["alice"]);
    let content: Vec<u8> = (0..3_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    fs::write(home.path("data.bin"), &content).unwrap();
    fs::write(home.path("text.txt"), "see the file").unwrap();
    let (attachment, text) = (home.path("data.bin"), home.path("text.txt"));
    let arguments = ["send", "alice@mymailserver", "-a", attachment.to_str().unwrap(), text.to_str().unwrap()];
    home.run(&arguments, "").done();

    let message = home.run(&["retrieve", "--format", "raw"], "").done();
    assert!(message.contains("\r\n\r\nsee the file\r\n"), "the text is missing");
    let (_, part) = message.split_once("filename=\"data.bin\"").expect("the attachment is missing");
    let encoded = part.split_once("\r\n\r\n").unwrap().1.split("\r\n--").next().unwrap();
    assert_eq!(decode_base64(encoded), content);
}

#[test]
fn mail_is_filed_in_an_mbox_and_a_maildir() {
    let (home, _server) = Home::with_accounts(&["alice"]);
    let (mbox, maildir) = (home.path("mbox"), home.path("Maildir"));
    home.run(&["send", "alice@mymailserver", "-s", "one"], "From here\n").done();
    let summary = home.run(&["retrieve", "--mbox", mbox.to_str().unwrap()], "").done();
    assert_eq!(summary, format!("1 message filed in {}\n", mbox.display()));
    let filed = fs::read_to_string(&mbox).unwrap();
    assert!(filed.starts_with("From alice@mymailserver "), "{filed}");
    assert!(filed.contains("\nReturn-Path: <alice@mymailserver>\n"), "{filed}");
    assert!(filed.ends_with("\n\n>From here\n\n") && !filed.contains('\r'), "{filed}");

    home.run(&["send", "alice@mymailserver", "--raw"], "two\n").done();
    home.run(&["send", "alice@mymailserver", "--raw"], "three\n").done();
    let summary = home.run(&["retrieve", "--maildir", maildir.to_str().unwrap(), "--json"], "").done();
    assert_eq!(summary, "{\"messages\":2}\n");
    assert_eq!(fs::read_dir(maildir.join("new")).unwrap().count(), 2);
    assert_eq!(fs::read_dir(maildir.join("tmp")).unwrap().count(), 0);
    assert_eq!(home.run(&["retrieve"], "").stderr, "no mail\n");
}

#[test]
fn a_wrong_password_is_not_permitted_and_no_password_is_shown() {
    let (home, _server) = Home::with_accounts(&["alice"]);
    let path = home.path("config/mymail/accounts.toml");
    let accounts = fs::read_to_string(&path).unwrap();
    let password = accounts.split("password = \"").nth(1).unwrap().split('"').next().unwrap().to_owned();
    let outcome = home.run(&["retrieve", "-v"], "");
    assert!(outcome.stderr.contains("C: AUTH ") && !outcome.stderr.contains(&password), "{outcome:?}");

    fs::write(&path, accounts.replace(&password, "wrong-word")).unwrap();
    let outcome = home.run(&["retrieve"], "");
    assert_eq!(outcome.code, NO_PERMISSION, "{outcome:?}");
    assert!(outcome.stderr.contains("alice@mymailserver") && !outcome.stderr.contains("wrong-word"), "{outcome:?}");
}
