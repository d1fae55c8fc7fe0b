//! Accounts, by the operator's will.

use std::{io, thread};

use serde_json::json;

use super::*;
use crate::client::Client;

/// How many accounts come in one answer.
const PAGE: usize = 1000;

#[tokio::test]
async fn an_account_is_made_and_its_password_told_once() -> io::Result<()> {
    let operated = Operated::new("");
    let outcome = operated.admin(&["add", "alice"]);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (DONE, ""));
    let password = outcome.stdout.strip_suffix('\n').unwrap();
    assert!(password.len() == 19 && password.split('-').all(|group| group.len() == 4), "{password}");
    let mut alice = Client::logged_in(&operated.server.address, "alice@mymailserver", password).await?;
    assert_eq!(alice.send(&["alice@mymailserver"], b"hello\r\n").await?, "250 OK");
    let session = operated.pop3(&["USER alice", &format!("PASS {password}"), "STAT"]);
    assert!(session[1].starts_with("+OK") && session[2].starts_with("+OK 1 "), "{session:?}");
    assert!(!contains(&operated.traces(), password));

    let bob = operated.object(&["add", "Bob@mymailserver"]);
    assert_eq!(bob["address"], "Bob@mymailserver");
    let session = operated.pop3(&["USER bob", &format!("PASS {}", bob["password"].as_str().unwrap())]);
    assert!(session[1].starts_with("+OK"), "{session:?}");
    Ok(())
}

#[tokio::test]
async fn the_operator_may_bring_a_password() -> io::Result<()> {
    const PASSWORD: &str = "correct horse battery";
    let operated = Operated::new("");
    let outcome = operated.admin_reading(&["add", "alice", "--password-stdin"], &format!("{PASSWORD}\nmore\n"));
    assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr.as_str()), (DONE, "alice@mymailserver\n", ""));
    Client::logged_in(&operated.server.address, "alice", PASSWORD).await?;

    let arguments = ["password", "alice", "--password-stdin", "--json"];
    let changed = operated.admin_reading(&arguments, "another one").objects();
    assert_eq!(changed, [json!({"address": "alice@mymailserver"})]);
    Client::logged_in(&operated.server.address, "alice", "another one").await?;
    assert!(operated.pop3(&["USER alice", &format!("PASS {PASSWORD}")])[1].starts_with("-ERR"));

    for (bad, reason) in [("", "empty"), ("secret7\n", "8 characters"), ("tab\tand more\n", "control character")] {
        let outcome = operated.admin_reading(&["password", "alice", "--password-stdin"], bad);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (DATA, ""), "{bad:?}");
        assert!(outcome.stderr.contains(reason), "{outcome:?}");
    }
    Client::logged_in(&operated.server.address, "alice", "another one").await?;
    let traces = operated.traces();
    assert!(!contains(&traces, PASSWORD) && !contains(&traces, "another one"));
    Ok(())
}

#[test]
fn what_cannot_be_an_account_is_refused() {
    let operated = Operated::new("[aliases]\nsales = \"alice\"\nalice = [\"alice\", \"abuse\"]\n");
    operated.add("alice");
    operated.add("abuse");
    for (arguments, code, reason) in [
        (&["add", "alice"][..], DATA, "alice@mymailserver is taken"),
        (&["add", "ALICE"], DATA, "ALICE@mymailserver is taken"),
        (&["add", "postmaster"], DATA, "taken"),
        (&["add", "7"], DATA, "7 is not allowed"),
        (&["add", "a+b"], DATA, "not allowed"),
        (&["add", "a b"], DATA, "no address"),
        (&["add", "bob@example.org"], DATA, "@mymailserver"),
        (&["add", "Sales"], DATA, "Sales@mymailserver is an alias"),
        (&["show", "sales"], NO_USER, "no account sales@mymailserver"),
        (&["show", "bob"], NO_USER, "no account bob@mymailserver"),
        (&["show", "alice+x"], NO_USER, "no account alice+x@mymailserver"),
        (&["show", ""], DATA, "no address"),
        (&["remove", "bob", "--yes"], NO_USER, "no account bob@mymailserver"),
        (&["password", "bob"], NO_USER, "no account"),
        (&["quota", "bob"], NO_USER, "no account"),
        (&["quota", "bob", "--default"], NO_USER, "no account"),
        (&["remove", "postmaster", "--yes"], NO_PERMISSION, "postmaster@mymailserver cannot be removed"),
        (&["quota", "alice", "--size", "10EB"], DATA, "at most"),
        (&["quota", "alice", "--size", "much"], USAGE, "--size"),
        (&["quota", "alice", "--size", "1GB", "--default"], USAGE, "--default"),
        (&["registration", "shut"], USAGE, "hold"),
        (&["token", "add", "two words"], DATA, "not allowed"),
        (&["token", "remove", "none"], DATA, "no token none"),
        (&["token"], USAGE, "add"),
        (&[], USAGE, "list"),
    ] {
        let outcome = operated.admin(arguments);
        assert_eq!((outcome.code, outcome.stdout.as_str()), (code, ""), "{arguments:?} {outcome:?}");
        assert!(outcome.stderr.contains(reason), "{arguments:?} {outcome:?}");
    }
    let addresses: Vec<_> =
        operated.admin(&["list", "--json"]).objects().iter().map(|a| a["address"].clone()).collect();
    assert_eq!(addresses, ["abuse@mymailserver", "alice@mymailserver", "postmaster@mymailserver"]);
}

#[tokio::test]
async fn accounts_are_listed_and_shown() -> io::Result<()> {
    let operated = Operated::new("limits.mailbox_size = \"1 MiB\"\nlimits.mailbox_messages = 500");
    operated.add("alice");
    let mut bob = Client::registered(&operated.server.address, "bob").await?;
    assert_eq!(bob.send(&["alice@mymailserver"], format!("{}\r\n", "x".repeat(1022)).as_bytes()).await?, "250 OK");

    let alice = operated.object(&["show", "alice"]);
    let quota = json!({"octets": 1 << 20, "messages": 500, "default": true});
    let expected = json!({"address": "alice@mymailserver", "messages": 1, "octets": 1024, "quota": quota,
                          "last_use": alice["last_use"], "password": true});
    assert_eq!(alice, expected);
    let last_use = alice["last_use"].as_str().unwrap();
    assert!(last_use.len() == 20 && last_use.starts_with("20") && last_use.ends_with('Z'), "{last_use}");
    assert_eq!(
        operated.admin(&["show", "alice@mymailserver"]).done(),
        format!(
            "address: alice@mymailserver\nmessages: 1\nsize: 1.0 KiB\n\
             quota: 1.0 MiB, 500 messages, the default\nlast use: {last_use}\npassword: yes\n"
        )
    );
    let objects = operated.admin(&["list", "--json"]).objects();
    assert_eq!(objects.len(), 3);
    assert_eq!(objects[0], alice);
    assert_eq!((&objects[1]["address"], &objects[1]["password"]), (&json!("bob@mymailserver"), &json!(false)));
    let list = operated.admin(&["list"]).done();
    let line = format!(
        "alice@mymailserver 1 message, 1.0 KiB (quota: 1.0 MiB, 500 messages, the default), last use {last_use}\n"
    );
    assert!(list.starts_with(&line), "{list}");
    assert!(list.contains("\nbob@mymailserver 0 messages, 0 B ") && list.contains(", no password\n"), "{list}");
    Ok(())
}

#[test]
fn more_accounts_than_a_page_are_all_listed() {
    const AT_ONCE: usize = 8;
    let operated = Operated::new("");
    thread::scope(|scope| {
        for part in 0..AT_ONCE {
            let operated = &operated;
            scope.spawn(move || {
                for number in (part..=PAGE).step_by(AT_ONCE) {
                    let request = format!("{{\"add\":{{\"name\":\"u{number:04}\",\"password\":null}}}}\n");
                    assert!(operated.socket(&request).unwrap().ends_with("\n\"done\"\n"));
                }
            });
        }
    });
    let list = operated.admin(&["list", "--json"]).objects();
    let addresses: Vec<_> = list.iter().map(|account| account["address"].as_str().unwrap()).collect();
    let names = (0..=PAGE).map(|number| format!("u{number:04}@mymailserver"));
    assert_eq!(addresses, [String::from("postmaster@mymailserver")].into_iter().chain(names).collect::<Vec<_>>());
    let page = operated.socket("{\"list\":{\"after\":null}}\n").unwrap();
    assert_eq!(page.lines().count(), PAGE + 1);
    assert!(page.ends_with("\n\"more\"\n"));
}

#[tokio::test]
async fn a_removed_account_is_lost_to_its_sessions_at_once() -> io::Result<()> {
    let operated = Operated::new("");
    let password = operated.add("alice");
    let mut alice = Client::logged_in(&operated.server.address, "alice@mymailserver", &password).await?;
    let mut bob = Client::registered(&operated.server.address, "bob").await?;
    assert_eq!(bob.send(&["alice@mymailserver"], b"hello\r\n").await?, "250 OK");

    let outcome = operated.admin(&["remove", "alice"]);
    assert_eq!((outcome.code, outcome.stdout.as_str()), (USAGE, ""), "there is no terminal to ask on");
    assert!(outcome.stderr.contains("--yes"), "{outcome:?}");
    alice.expect("XRETRIEVE", "250 1 messages").await?;
    drop(alice);
    let mut alice = Client::logged_in(&operated.server.address, "alice@mymailserver", &password).await?;

    let removed = operated.object(&["remove", "alice", "--yes"]);
    assert_eq!(removed, json!({"address": "alice@mymailserver"}));
    alice.expect("MAIL FROM:<alice@mymailserver>", "530 ").await?;
    alice.expect("XRETRIEVE", "530 ").await?;
    assert!(operated.pop3(&["USER alice", &format!("PASS {password}")])[1].starts_with("-ERR"));
    assert!(bob.recipient("alice@mymailserver").await?.starts_with("550 "));
    let outcome = operated.admin(&["add", "alice"]);
    assert_eq!(outcome.code, DATA, "nobody gets the address so soon: {outcome:?}");
    assert_eq!(operated.admin(&["remove", "bob", "--yes"]).done(), "bob@mymailserver\n");
    bob.expect("MAIL FROM:<bob@mymailserver>", "530 ").await?;
    Ok(())
}

#[tokio::test]
async fn a_quota_is_for_one_account() -> io::Result<()> {
    let operated = Operated::new("limits.mailbox_size = \"1 MiB\"\nlimits.mailbox_messages = 500");
    operated.add("alice");
    operated.add("bob");
    for (arguments, octets, messages, default) in [
        (&[][..], 1_u64 << 20, 500, true),
        (&["--size", "2GiB"], 2 << 30, 500, false),
        (&["--messages", "1"], 2 << 30, 1, false),
        (&["--size", "65536", "--messages", "2"], 64 << 10, 2, false),
        (&[], 64 << 10, 2, false),
        (&["--default"], 1 << 20, 500, true),
        (&["--messages", "1"], 1 << 20, 1, false),
    ] {
        let quota = json!({"octets": octets, "messages": messages, "default": default});
        assert_eq!(operated.object(&[&["quota", "alice"], arguments].concat())["quota"], quota, "{arguments:?}");
        assert_eq!(operated.object(&["show", "alice"])["quota"], quota, "{arguments:?}");
    }
    assert_eq!(operated.admin(&["quota", "alice"]).done(), "1.0 MiB, 1 message\n");
    assert_eq!(operated.object(&["quota", "bob"])["quota"]["default"], true);

    let mut client = Client::registered(&operated.server.address, "").await?;
    for (to, last) in [("alice@mymailserver", "552 "), ("bob@mymailserver", "250 ")] {
        assert!(client.send(&[to], b"hello\r\n").await?.starts_with("250 "));
        assert!(client.recipient(to).await?.starts_with(last), "{to}");
    }
    Ok(())
}

#[test]
fn two_changes_of_a_quota_at_a_time_are_both_made() {
    const ROUNDS: u64 = 50;
    let operated = Operated::new("");
    operated.add("alice");
    let set = |octets: Option<u64>, messages: Option<u64>| {
        let change = json!({"set": {"octets": octets, "messages": messages}});
        let answer = operated.socket(&format!("{}\n", json!({"quota": {"name": "alice", "change": change}})));
        assert!(answer.unwrap().ends_with("\n\"done\"\n"));
    };
    for round in 1..=ROUNDS {
        thread::scope(|scope| {
            scope.spawn(|| set(Some(round), None));
            scope.spawn(|| set(None, Some(round)));
        });
        let shown = operated.socket("{\"show\":{\"name\":\"alice\"}}\n").unwrap();
        assert!(shown.contains(&format!("{{\"octets\":{round},\"messages\":{round},")), "{round} {shown}");
    }
}

#[tokio::test]
async fn the_mail_of_postmaster_can_be_read() -> io::Result<()> {
    let operated = Operated::new("");
    let mut client = Client::registered(&operated.server.address, "").await?;
    assert_eq!(client.send(&["postmaster@mymailserver"], b"help\r\n").await?, "250 OK");
    let password = operated.admin(&["password", "postmaster"]).done();
    let session = operated.pop3(&["USER postmaster", &format!("PASS {}", password.trim_end()), "STAT"]);
    assert!(session[2].starts_with("+OK 1 "), "{session:?}");
    Ok(())
}
