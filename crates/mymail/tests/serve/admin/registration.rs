//! Who may register, and the tokens for it.

use std::{io, thread};

use serde_json::json;

use super::*;
use crate::client::Client;

#[tokio::test]
async fn registration_is_opened_and_shut() -> io::Result<()> {
    let mut operated = Operated::new("");
    let state = |mode, in_force| json!({"mode": mode, "in_force": in_force, "tokens": 0, "configured_tokens": 0});
    assert_eq!(operated.object(&["registration"]), state("open", "open"));
    assert_eq!(operated.admin(&["registration"]).done(), "open\n");
    assert_eq!(operated.object(&["registration", "hold"]), state("hold", "hold"));
    let mut client = Client::greeted(&operated.server.address).await?;
    client.expect("XREGISTER alice", "550 ").await?;
    let outcome = operated.admin(&["registration", "token"]);
    assert!(outcome.stderr.contains("nobody can register"), "{outcome:?}");
    assert_eq!(outcome.done(), "token\n");
    client.expect("XREGISTER alice", "535 ").await?;

    // What was set lasts.
    let Operated { server, home, data, .. } = operated;
    drop(server);
    let (server, pop3) = start(&home, &data);
    operated = Operated { server, pop3, home, data };
    assert_eq!(operated.object(&["registration"]), state("token", "token"));
    assert_eq!(operated.object(&["registration", "open"]), state("open", "open"));
    Client::registered(&operated.server.address, "alice").await?;
    Ok(())
}

#[test]
fn what_is_configured_stands_behind_an_open_registration() {
    for (config, in_force, said) in [
        ("registration.tokens = [\"sesame\"]", "token", "takes a token"),
        ("registration.open = false", "hold", "nobody can register"),
    ] {
        let operated = Operated::new(config);
        let outcome = operated.admin(&["registration", "--json"]);
        assert!(outcome.stderr.contains(said), "{outcome:?}");
        let state = outcome.objects().remove(0);
        assert_eq!((&state["mode"], &state["in_force"]), (&json!("open"), &json!(in_force)));
        let outcome = operated.admin(&["token", "add"]);
        assert!(!outcome.stderr.contains("everybody"), "{outcome:?}");
        assert_eq!(operated.object(&["registration"])["in_force"], in_force, "a token opens nothing that is shut");
    }
}

#[tokio::test]
async fn a_token_is_told_once() -> io::Result<()> {
    let operated = Operated::new("");
    let outcome = operated.admin(&["token", "add"]);
    assert_eq!(outcome.code, DONE);
    assert!(outcome.stderr.contains("called invite-1,") && outcome.stderr.contains("everybody"), "{outcome:?}");
    let first = outcome.stdout.strip_suffix('\n').unwrap();
    assert!(first.len() == 19 && !outcome.stderr.contains(first), "{outcome:?}");
    let outcome = operated.admin(&["token", "add", "friends", "--json"]);
    assert!(!outcome.stderr.contains("everybody"), "it is said once: {outcome:?}");
    let second = outcome.objects().remove(0);
    assert_eq!(second["name"], "friends");
    let second = second["token"].as_str().unwrap();
    assert_eq!(operated.admin(&["token", "add", "friends"]).code, DATA);

    let list = operated.admin(&["token", "list"]).done();
    let names: Vec<_> = list.lines().map(|line| line.split_once(' ').unwrap().0).collect();
    assert_eq!(names, ["friends", "invite-1"]);
    assert_eq!(operated.admin(&["token", "list", "--json"]).objects()[1]["name"], "invite-1");
    let traces = operated.traces();
    assert!(contains(&traces, "invite-1"), "the token's name is known");
    assert!(!contains(&traces, first) && !contains(&traces, second), "the token is not");

    let mut client = Client::greeted(&operated.server.address).await?;
    client.expect("XREGISTER alice", "535 ").await?;
    client.expect(&format!("XREGISTER alice TOKEN={second}"), "250 ").await?;
    assert_eq!(operated.admin(&["token", "remove", "friends"]).stderr, "");
    let mut client = Client::greeted(&operated.server.address).await?;
    client.expect(&format!("XREGISTER bob TOKEN={second}"), "535 ").await?;
    client.expect(&format!("XREGISTER bob TOKEN={first}"), "250 ").await?;
    let outcome = operated.admin(&["token", "remove", "invite-1"]);
    assert!(outcome.stderr.contains("nobody can register"), "{outcome:?}");
    assert_eq!(operated.object(&["registration"])["mode"], "token", "the last one changes no mode");
    assert_eq!(operated.admin(&["token", "list"]).done(), "");
    Ok(())
}

#[test]
fn tokens_that_are_made_at_a_time_all_find_names() {
    const AT_ONCE: usize = 8;
    let operated = Operated::new("");
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let answer = operated.socket("{\"add_token\":{\"name\":null}}\n").unwrap();
                assert!(answer.ends_with("\n\"done\"\n"), "{answer}");
            });
        }
    });
    assert_eq!(operated.object(&["registration"])["tokens"], AT_ONCE);
}
