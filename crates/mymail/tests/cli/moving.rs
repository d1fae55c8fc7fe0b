//! `mymail export` and `mymail import`: a server's store goes on in another data folder, and its clients notice nothing.

use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Stdio};

use proto::{Address, ReversePath};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use store::embedded::Embedded;
use store::{Body, Form, NewMessage, Recipient, Store, Timestamp};
use testkit::postgres::fresh_database;

use crate::common::{Home, Server};
use crate::exit::*;

const EXPORT: [&str; 4] = ["export", "moving", "--data", "data"];
const IMPORT: [&str; 4] = ["import", "moving", "--data", "new"];

#[test]
fn a_servers_store_moves() {
    let (home, server) = Home::with_accounts(&["alice", "bob"]);
    home.run(&["send", "alice@mymailserver", "bob@mymailserver"], "hello\n").done();
    home.run(&["send", "bob@mymailserver"], "and again\n").done();
    let outcome = home.run(&EXPORT, "");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (TEMP_FAIL, ""), "{outcome:?}");
    assert!(outcome.stderr.contains("stop its server first"), "{outcome:?}");
    let address = server.address.clone();
    drop(server);

    // The postmaster has an account too.
    let exported = home.run(&EXPORT, "").done();
    assert!(exported.starts_with("exported 3 accounts, 2 messages, "), "{exported}");
    let imported = home.run(&[&IMPORT[..], &["--json"]].concat(), "").done();
    let mut imported: Value = serde_json::from_str(&imported).unwrap();
    assert!(imported["seconds"].is_number() && imported["octets"].is_number(), "{imported}");
    for key in ["seconds", "octets"] {
        imported.as_object_mut().unwrap().remove(key);
    }
    assert_eq!(imported, json!({"folder": "moving", "accounts": 3, "holds": 0, "messages": 2, "left_behind": 0}));
    assert_eq!(home.run(&["check", "--data", "new"], "").code, 0);

    // By its certificate the clients know the server.
    fs::create_dir(home.path("new/tls")).unwrap();
    for file in ["certificate.pem", "key.pem"] {
        fs::copy(home.path("data/tls").join(file), home.path("new/tls").join(file)).unwrap();
    }
    let listen = format!("smtp={address}");
    let _server = Server::start(&mut home.command(&["serve", "--listen", &listen, "--data", "new"]));
    for (name, texts) in [("alice", &["hello\n"][..]), ("bob", &["hello\n", "and again\n"])] {
        let mail = home.run(&["retrieve", "--account", name], "").done();
        assert!(texts.iter().all(|text| mail.contains(text)), "{name}: {mail}");
    }
}

#[test]
#[ignore = "needs Debian's package postgresql"]
fn a_store_moves_into_a_database_and_back() {
    let (home, server) = Home::with_accounts(&["alice"]);
    home.run(&["send", "alice@mymailserver"], "hello\n").done();
    drop(server);
    for config in ["first.toml", "second.toml"] {
        let url = fresh_database();
        fs::write(home.path(config), format!("[store]\nengine = \"postgres\"\nurl = \"{url}\"\n")).unwrap();
    }
    let what = "2 accounts, 1 message, ";
    for arguments in [
        &EXPORT[..],
        &["import", "moving", "--config", "first.toml"],
        // Of a database this is an export.
        &["backup", "backup", "--config", "first.toml"],
        &["restore", "backup", "--config", "second.toml"],
        &["export", "again", "--config", "second.toml"],
        &["import", "again", "--data", "new"],
    ] {
        let done = home.run(arguments, "").done();
        let deed = if matches!(arguments[0], "import" | "restore") { "imported" } else { "exported" };
        assert!(done.starts_with(&format!("{deed} {what}")), "{arguments:?}: {done}");
    }
    let checked = home.run(&["check", "--data", "new"], "").done();
    assert!(checked.starts_with(what) && checked.ends_with("all is well\n"), "{checked}");

    let nowhere = "[store]\nengine = \"postgres\"\nurl = \"postgres://mymail@127.0.0.1:1/mymail\"\n";
    fs::write(home.path("nowhere.toml"), nowhere).unwrap();
    for command in ["export", "import"] {
        refused(&home, &[command, "again", "--config", "nowhere.toml"], UNAVAILABLE, "cannot use the database");
    }
}

#[test]
fn what_cannot_move_is_told_apart() {
    let (home, server) = Home::with_accounts(&["alice"]);
    drop(server);
    let cases: [(&[&str], i32, &str); 4] = [
        (&["export", "moving", "--data", "elsewhere"], CONFIG, "there is no store in elsewhere"),
        (&["export", "data", "--data", "data"], CANT_CREATE, "is not empty"),
        (&["import", "moving", "--data", "new"], DATA, "moving is no folder"),
        (&["import", "data", "--data", "new"], DATA, "data is no export"),
    ];
    for (arguments, code, text) in cases {
        refused(&home, arguments, code, text);
    }
    home.run(&EXPORT, "").done();
    refused(&home, &EXPORT, CANT_CREATE, "has a whole export already");
    let later = Server::start(&mut home.command(&["serve", "--listen", "smtp=127.0.0.1:0", "--data", "used"]));
    home.run(&["register", "bob", "--server", &later.address], "").done();
    drop(later);
    refused(&home, &["import", "moving", "--data", "used"], CANT_CREATE, "it has the account bob@mymailserver");
    let accounts = home.path("moving/accounts");
    let mut octets = fs::read(&accounts).unwrap();
    octets[100] ^= 1;
    fs::write(&accounts, octets).unwrap();
    refused(&home, &IMPORT, DATA, "moving/accounts is damaged");
}

fn refused(home: &Home, arguments: &[&str], code: i32, text: &str) {
    let outcome = home.run(arguments, "");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (code, ""), "{outcome:?}");
    assert!(outcome.stderr.contains(text), "{text}: {outcome:?}");
}

/// Messages that take a while to move.
const MESSAGES: usize = 10;
const OCTETS: usize = 8 << 20;
/// So often a command may be done before it hears that it should end.
const ATTEMPTS: usize = 20;

#[tokio::test]
async fn an_interrupted_move_is_gone_on_with() {
    let home = Home::new();
    fill(&home.path("data")).await;
    for deed in ["export", "import"] {
        let is_interrupted = (0..ATTEMPTS).any(|attempt| {
            let name = |name: &str| format!("{name}-{attempt}");
            let (folder, data, sign) = match deed {
                "export" => (name("moving"), "data".to_owned(), format!("{}/manifest", name("moving"))),
                _ => ("moving".to_owned(), name("new"), format!("{}/bodies/1", name("new"))),
            };
            let arguments = [deed, &folder, "--data", &data];
            let child = home.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
            if !is_interrupted(child, &home.path(&sign)) {
                return false;
            }
            let moved = home.run(&arguments, "").done();
            assert!(moved.contains("1 account, 10 messages, 80.0 MiB"), "{moved}");
            if deed == "export" {
                fs::rename(home.path(&folder), home.path("moving")).unwrap();
            }
            true
        });
        assert!(is_interrupted, "{deed} was always done before it was interrupted");
    }
}

/// Interrupts a command when this file is there. Whether it was not done by then.
fn is_interrupted(mut child: Child, sign: &Path) -> bool {
    while !sign.exists() && child.try_wait().unwrap().is_none() {
        std::thread::yield_now();
    }
    if child.try_wait().unwrap().is_none() {
        kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    }
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    match (output.status.code(), output.status.signal()) {
        (Some(0), _) => false,
        (Some(TEMP_FAIL), _) => {
            assert!(stderr.contains("interrupted: the same command goes on where this one was"), "{stderr}");
            true
        }
        // It did not listen yet.
        (None, Some(2)) => false,
        other => panic!("{other:?}: {stderr}"),
    }
}

async fn fill(data: &Path) {
    let store = Embedded::open(data).unwrap();
    let address: Address = "alice@mymailserver".parse().unwrap();
    let verifier = proto::sasl::scram::Verifier::derive("secret", b"salt", proto::sasl::scram::ITERATIONS);
    let account = store.register(&address, Some(&verifier), Timestamp(0)).await.unwrap();
    for _ in 0..MESSAGES {
        let mut body = store.body();
        body.write(&vec![b'x'; OCTETS]).await.unwrap();
        let message = NewMessage {
            reverse_path: ReversePath::Null,
            recipients: vec![Recipient { account, address: address.clone() }],
            trace: String::new(),
            received_at: Timestamp(0),
            form: Form::Text,
        };
        store.deliver(message, body, Vec::new()).await.unwrap();
    }
}
