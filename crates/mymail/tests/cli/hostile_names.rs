//! Names that are paths, options, commands or SQL to somebody are names to us: refused where they are asked for, and kept where
//! they come from elsewhere.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;

use crate::common::{Home, Server};
use crate::exit::*;

const NAMES: [&str; 15] = [
    "../x",
    "../../../../tmp/x",
    "/etc/passwd",
    "a/../../b",
    ".",
    "..",
    "-oQ/tmp",
    "--help",
    "|id",
    "$(id)",
    "`id`",
    "x;id",
    "'; DROP TABLE account; --",
    "alice' OR '1'='1",
    "%",
];

/// A home, a server, and where it takes mail from other servers.
fn home_with_lmtp() -> (Home, Server, String) {
    let home = Home::new();
    let listeners = ["--listen", "smtp=127.0.0.1:0", "--listen", "lmtp=127.0.0.1:0", "--data", "data"];
    let mut server = Server::start(&mut home.command(&[&["serve"][..], &listeners].concat()));
    let lmtp = server.next_listener();
    home.run(&["register", "alice", "--server", &server.address], "").done();
    (home, server, lmtp)
}

/// All files below a folder.
fn files(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<String> = entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path.to_str().unwrap().to_owned()] })
        .collect();
    files.sort();
    files
}

#[test]
fn nobody_is_called_so() {
    let (home, server, _) = home_with_lmtp();
    let before = files(&home.path(""));
    for name in NAMES {
        let outcome = home.run(&["register", "--server", &server.address, "--", name], "");
        assert!([DATA, USAGE].contains(&outcome.code), "{name}: {outcome:?}");
        let outcome = home.run(&["admin", "--data", "data", "add", "--", name], "");
        assert!([DATA, USAGE].contains(&outcome.code), "{name}: {outcome:?}");
        let address = format!("\"{name}\"@mymailserver");
        for arguments in [
            &["send", "--raw", "--", &address][..],
            &["sendmail", "--", &address],
            &["sendmail", "-oi", "-f", &address, "alice@mymailserver"],
            &["admin", "--data", "data", "show", "--", &address],
            &["admin", "--data", "data", "remove", "--yes", "--", &address],
        ] {
            let outcome = home.run(arguments, "Subject: x\n\nx\n");
            assert_ne!(outcome.code, 0, "{arguments:?}: {outcome:?}");
        }
    }
    // A wildcard of SQL, which may stand in a name, stands for itself.
    assert_eq!(home.run(&["admin", "--data", "data", "show", "al_ce"], "").code, NO_USER);
    assert_eq!(files(&home.path("")), before);
    let accounts = home.run(&["admin", "--data", "data", "list"], "").done();
    assert_eq!(accounts.lines().filter(|line| line.contains("@mymailserver")).count(), 2, "{accounts}");
}

/// Says so to a server that takes mail from other servers.
fn deliver(lmtp: &str, from: &str, to: &str) {
    let mut stream = BufReader::new(TcpStream::connect(lmtp).unwrap());
    let mut reply = String::new();
    let (mail, rcpt) = (format!("MAIL FROM:<{from}>"), format!("RCPT TO:<{to}>"));
    for line in ["", "LHLO x", &mail, &rcpt, "DATA", "Hello\r\n."] {
        if !line.is_empty() {
            stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).unwrap();
        }
        while {
            reply.clear();
            stream.read_line(&mut reply).unwrap();
            reply.as_bytes()[3] == b'-'
        } {}
        assert!(reply.starts_with(['2', '3']), "{line}: {reply}");
    }
}

#[test]
fn mail_of_somebody_called_so_is_mail() {
    let (home, _server, lmtp) = home_with_lmtp();
    for filed in [["--maildir", "maildir"], ["--mbox", "mbox"], ["--format", "json"]] {
        for name in NAMES {
            deliver(&lmtp, &format!("\"{name}\"@elsewhere.example"), &format!("\"alice+{name}\"@mymailserver"));
        }
        let output = home.run(&[&["retrieve"][..], &filed].concat(), "").done();
        let lines = output.lines().filter(|line| line.contains("@elsewhere.example")).count();
        assert_eq!(lines, if filed[1] == "json" { NAMES.len() } else { 0 }, "{output}");
    }
    let mails = files(&home.path("maildir"));
    assert_eq!(mails.len(), NAMES.len(), "{mails:?}");
    for mail in &mails {
        let file = mail.strip_prefix(home.path("maildir/new/").to_str().unwrap()).unwrap();
        assert!(file.starts_with(|c: char| c.is_ascii_digit()) && !file.contains('/'), "{mail}");
    }
    let texts: Vec<String> = mails.iter().map(|mail| fs::read_to_string(mail).unwrap()).collect();
    for name in NAMES {
        let is_in = |text: &&String| text.starts_with("Return-Path: <") && text.contains(name);
        assert!(texts.iter().any(|text| is_in(&text)), "{name}: {texts:?}");
    }
    let mbox = fs::read_to_string(home.path("mbox")).unwrap();
    assert_eq!(mbox.lines().filter(|line| line.starts_with("From ")).count(), NAMES.len(), "{mbox}");
    let own = ["config", "data", "maildir", "mbox", "share", "state"];
    for entry in fs::read_dir(home.path("")).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(own.contains(&name.to_str().unwrap()), "{name:?}");
    }
}
