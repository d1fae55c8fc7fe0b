//! `mymail check`, on what a real server has left.

use std::os::unix::fs::PermissionsExt;
use std::{fs, io};

use serde_json::{Value, json};

use crate::host::Host;

/// Exit codes, as docs/interface.md promises them.
const DONE: i32 = 0;
const DATA: i32 = 65;
const TEMP_FAIL: i32 = 75;
const CONFIG: i32 = 78;

const CHECK: [&str; 3] = ["check", "--data", "data"];

#[tokio::test]
async fn a_store_is_checked_while_no_server_has_it() -> io::Result<()> {
    let mut host = Host::new("");
    let mut alice = host.registered("alice").await?;
    alice.password().await?;
    for text in [&b"hello\r\n"[..], b"and again\r\n"] {
        assert_eq!(alice.send(&["alice@mymailserver"], text).await?, "250 OK");
    }
    let outcome = host.run(&CHECK);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (TEMP_FAIL, ""), "{outcome:?}");
    assert!(outcome.stderr.contains("stop its server first"), "{outcome:?}");
    host.kill();

    // The postmaster has an account too.
    let well = "2 accounts, 2 messages, 18 B: all is well\n";
    // Killed, it may not have told the tables of the latest mail.
    host.start_again();
    drop(alice);
    host.kill();
    for arguments in [&["check", "--config", "data.toml"][..], &CHECK] {
        fs::write(host.path("data.toml"), "data = \"data\"")?;
        let outcome = host.run(arguments);
        assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()), (DONE, well, ""));
    }

    for segment in fs::read_dir(host.path("data/journal"))? {
        let (path, mut bytes) = (segment.as_ref().unwrap().path(), fs::read(segment?.path())?);
        if let Some(at) = bytes.windows(9).position(|part| part == b"and again") {
            bytes[at] = b'b';
            fs::write(path, bytes)?;
        }
    }
    fs::write(host.path("data/diary"), "")?;
    fs::set_permissions(host.path("data/diary"), fs::Permissions::from_mode(0o600))?;
    let damage = "from <alice@mymailserver> to alice@mymailserver, received ";
    for (arguments, code, end) in [
        (&[][..], DATA, "11 octets: its bytes are damaged\n2 accounts, 2 messages, 18 B: 1 problem\n"),
        (&["--mend"], DONE, ": mended\n2 accounts, 1 message, 7 B: 1 problem, all mended\n"),
    ] {
        let outcome = host.run(&[&CHECK, arguments].concat());
        assert_eq!((outcome.code, outcome.stderr.as_str()), (code, "not of the store: diary\n"), "{outcome:?}");
        assert!(outcome.stdout.contains(damage) && outcome.stdout.ends_with(end), "{outcome:?}");
    }
    let lost = fs::read_dir(host.path("data/lost"))?.next().unwrap()?.path();
    assert!(fs::read(lost)?.ends_with(b"\r\nbnd again\r\n"));

    let outcome = host.run(&[&CHECK[..], &["--json"]].concat());
    let names = json!({"count": 0, "first": []});
    let expected = json!({
        "accounts": 2, "messages": 1, "octets": 7, "in_journal": 0, "findings": [], "is_cut": false,
        "left_over": names, "left_over_octets": 0, "unknown": {"count": 1, "first": ["diary"]}, "exposed": names,
    });
    assert_eq!(serde_json::from_str::<Value>(&outcome.stdout).unwrap(), expected);
    Ok(())
}

#[test]
fn where_there_is_no_store_none_is_made() {
    let host = Host::new("");
    let outcome = host.run(&["check", "--data", "elsewhere"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (CONFIG, ""), "{outcome:?}");
    assert!(outcome.stderr.contains("cannot check elsewhere: there is no store"), "{outcome:?}");
    assert!(!host.path("elsewhere").exists());
}
