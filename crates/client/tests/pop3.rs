//! Retrieving by POP3 from scripted servers.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod common;

use std::time::Duration;

use client::{ConnectOptions, Error, Peer, Pop3Connection, Pop3Mailbox, Retrieval};
use common::{options, pop3_server, serve};
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;
use tokio::time::sleep;

const LOGIN: &str = "S: +OK ready\nC: CAPA\nS: +OK\nS: USER\nS: .\nC: USER alice\nS: +OK\nC: PASS secret\nS: +OK\n";
const TWO: &str = "C: STAT\nS: +OK 2 300\nC: LIST\nS: +OK\nS: 1 200\nS: 2 100\nS: .\n";
const FIRST: &str = "C: RETR 1\nS: +OK\nS: Return-Path: <9@mymailserver>\nS: Subject: one\nS: \nS: ..\nS: one\nS: .\n";
const SECOND: &str = "C: RETR 2\nS: +OK\nS: Subject: two\nS: \nS: two\nS: .\n";

async fn connect(script: &str) -> (Pop3Connection, JoinHandle<String>) {
    let (stream, server) = serve(script.to_owned());
    (open(stream, options()).await.unwrap(), server)
}

async fn open(stream: DuplexStream, options: ConnectOptions) -> Result<Pop3Connection, Error> {
    Pop3Connection::open(stream, &pop3_server(), Peer::Local, options).await
}

async fn log_in(script: &str) -> (Pop3Mailbox, JoinHandle<String>) {
    let (connection, server) = connect(&format!("{LOGIN}{script}")).await;
    (connection.login("alice", "secret").await.unwrap(), server)
}

/// All that is left, as sender, recipient and text.
async fn read(retrieval: &mut Retrieval<'_>) -> Result<Vec<(String, String, String)>, Error> {
    let mut messages = Vec::new();
    while let Some(mut message) = retrieval.next().await? {
        let mut text = Vec::new();
        while let Some(octets) = message.chunk().await? {
            text.extend_from_slice(&octets);
        }
        assert_eq!(message.chunk().await?, None);
        let text = String::from_utf8(text).unwrap();
        messages.push((message.from().to_owned(), message.to().to_owned(), text));
    }
    Ok(messages)
}

#[tokio::test]
async fn mail_is_read_whole_and_then_deleted() {
    let script = format!("{TWO}{FIRST}{SECOND}C: DELE 1\nS: +OK\nC: DELE 2\nS: +OK\nC: QUIT\nS: +OK\n");
    let (mut mailbox, server) = log_in(&script).await;
    let mut retrieval = mailbox.retrieve().await.unwrap();
    assert_eq!(retrieval.count(), 2);
    let one = "Return-Path: <9@mymailserver>\r\nSubject: one\r\n\r\n.\r\none\r\n";
    let two = "Subject: two\r\n\r\ntwo\r\n";
    assert_eq!(
        read(&mut retrieval).await.unwrap(),
        [("9@mymailserver", "alice", one), ("<>", "alice", two)].map(|(from, to, text)| (
            from.to_owned(),
            to.to_owned(),
            text.to_owned()
        ))
    );
    assert_eq!(retrieval.withheld(), 0);
    retrieval.confirm().await.unwrap();
    mailbox.quit().await.unwrap();
    assert_eq!(server.await.unwrap(), "");
}

#[tokio::test]
async fn messages_without_a_first_line_of_a_sane_length_are_read_too() {
    let long = "x".repeat(5000);
    for text in [vec![], vec![""], vec!["x"], vec![long.as_str()], vec!["Return-Path: <a@b>"]] {
        let lines: String = text.iter().map(|line| format!("S: {line}\n")).collect();
        let script = format!("C: STAT\nS: +OK 1 9\nC: LIST\nS: +OK\nS: 1 9\nS: .\nC: RETR 1\nS: +OK\n{lines}S: .\n");
        let (mut mailbox, server) = log_in(&script).await;
        let mut retrieval = mailbox.retrieve().await.unwrap();
        let [(from, _, read)] = read(&mut retrieval).await.unwrap().try_into().unwrap();
        assert_eq!(read, text.iter().map(|line| format!("{line}\r\n")).collect::<String>());
        assert_eq!(from, if read.starts_with("Return") { "a@b" } else { "<>" });
        drop(mailbox);
        assert_eq!(server.await.unwrap(), "");
    }
}

#[tokio::test]
async fn commands_are_grouped_where_the_server_allows_it() {
    let script = format!(
        "S: +OK ready\nC: CAPA\nS: +OK\nS: PIPELINING\nS: .\nC: USER alice\nS: +OK\nC: PASS secret\nS: +OK\n{TWO}\
         C: RETR 1\nC: RETR 2\nS: +OK\nS: one\nS: .\nS: +OK\nS: two\nS: .\n\
         C: DELE 1\nC: DELE 2\nS: +OK\nS: +OK\nC: QUIT\nS: +OK\n"
    );
    let (connection, server) = connect(&script).await;
    let mut mailbox = connection.login("alice", "secret").await.unwrap();
    let mut retrieval = mailbox.retrieve().await.unwrap();
    assert_eq!(read(&mut retrieval).await.unwrap().len(), 2);
    retrieval.confirm().await.unwrap();
    assert_eq!(server.await.unwrap(), "");
}

#[tokio::test]
async fn nothing_is_deleted_before_all_is_read() {
    for (begun, heard) in [(0, ""), (1, FIRST), (2, &format!("{FIRST}{SECOND}"))] {
        let (mut mailbox, server) = log_in(&format!("{TWO}{heard}")).await;
        let mut retrieval = mailbox.retrieve().await.unwrap();
        for _ in 0..begun {
            retrieval.next().await.unwrap().unwrap();
        }
        assert!(matches!(retrieval.confirm().await, Err(Error::Unread)), "{begun}");
        assert!(matches!(mailbox.quit().await, Err(Error::Closed(None))));
        assert_eq!(server.await.unwrap(), "");
    }
}

#[tokio::test]
async fn a_retrieval_that_is_dropped_deletes_nothing() {
    let (mut mailbox, server) = log_in(&format!("{TWO}{FIRST}{SECOND}")).await;
    let mut retrieval = mailbox.retrieve().await.unwrap();
    read(&mut retrieval).await.unwrap();
    drop(retrieval);
    assert!(matches!(mailbox.retrieve().await, Err(Error::Closed(None))));
    assert!(matches!(mailbox.quit().await, Err(Error::Closed(None))));
    assert_eq!(server.await.unwrap(), "");
}

#[tokio::test]
async fn a_retrieval_that_breaks_off_deletes_nothing() {
    let cut_off = SECOND.strip_suffix("S: two\nS: .\n").unwrap();
    for farewell in ["", "S: \0\n", "S: x"] {
        let (mut mailbox, server) = log_in(&format!("{TWO}{FIRST}{cut_off}{farewell}")).await;
        let mut retrieval = mailbox.retrieve().await.unwrap();
        assert!(matches!(read(&mut retrieval).await, Err(Error::Closed(None))));
        assert!(matches!(retrieval.confirm().await, Err(Error::Unread)));
        drop(mailbox);
        assert_eq!(server.await.unwrap(), "");
    }
}

#[tokio::test]
async fn what_is_kept_may_come_again_unless_the_end_was_heard() {
    for end in [
        "C: DELE 1\n",
        "C: DELE 1\nS: +OK\nC: DELE 2\nX: \n",
        "C: DELE 1\nS: +OK\nC: DELE 2\nS: +OK\nC: QUIT\n",
        "C: DELE 1\nS: +OK\nC: DELE 2\nS: +OK\nC: QUIT\nS: -ERR [SYS/TEMP] not all of it\n",
        "C: DELE 1\nS: -ERR no\nC: DELE 2\nS: +OK\nC: QUIT\nS: +OK\n",
        "C: DELE 1\nS: what\n",
    ] {
        let (mut mailbox, server) = log_in(&format!("{TWO}{FIRST}{SECOND}{end}")).await;
        let mut retrieval = mailbox.retrieve().await.unwrap();
        read(&mut retrieval).await.unwrap();
        let confirmed = retrieval.confirm().await;
        assert!(matches!(confirmed, Err(Error::FlushInDoubt(_))), "{end} {confirmed:?}");
        drop(mailbox);
        assert_eq!(server.await.unwrap(), "");
    }
}

#[tokio::test]
async fn an_empty_mailbox_leaves_no_doubt() {
    let empty = "C: STAT\nS: +OK 0 0\nC: LIST\nS: +OK\nS: .\nC: QUIT\n";
    for (end, is_confirmed) in [("S: +OK\n", true), ("", false)] {
        let (mut mailbox, server) = log_in(&format!("{empty}{end}")).await;
        let mut retrieval = mailbox.retrieve().await.unwrap();
        assert_eq!(retrieval.count(), 0);
        assert!(retrieval.next().await.unwrap().is_none());
        match retrieval.confirm().await {
            Ok(()) => assert!(is_confirmed),
            Err(error) => assert!(!is_confirmed && matches!(error, Error::Closed(None)), "{error}"),
        }
        drop(mailbox);
        assert_eq!(server.await.unwrap(), "");
    }
}

#[tokio::test]
async fn a_message_that_the_server_withholds_stays_there_and_holds_up_no_other() {
    let script = format!("{TWO}C: RETR 1\nS: -ERR it is damaged\n{SECOND}C: DELE 2\nS: +OK\nC: QUIT\nS: +OK\n");
    let (mut mailbox, server) = log_in(&script).await;
    let mut retrieval = mailbox.retrieve().await.unwrap();
    assert_eq!(read(&mut retrieval).await.unwrap().len(), 1);
    assert_eq!((retrieval.count(), retrieval.withheld()), (2, 1));
    retrieval.confirm().await.unwrap();
    assert_eq!(server.await.unwrap(), "");
}

#[tokio::test]
async fn a_mailbox_can_be_left_as_it_is() {
    let (mailbox, server) = log_in("C: QUIT\nS: +OK\n").await;
    mailbox.quit().await.unwrap();
    assert_eq!(server.await.unwrap(), "");

    let (connection, server) = connect("S: +OK ready\nC: CAPA\nS: -ERR\nC: QUIT\nS: +OK\n").await;
    connection.quit().await.unwrap();
    assert_eq!(server.await.unwrap(), "");

    let (mut mailbox, server) = log_in("C: STAT\nS: -ERR [IN-USE] not now\nC: QUIT\nS: +OK\n").await;
    assert!(matches!(mailbox.retrieve().await, Err(Error::Pop3Refused(_))));
    mailbox.quit().await.unwrap();
    assert_eq!(server.await.unwrap(), "");
}

#[tokio::test]
async fn a_password_is_said_only_where_it_can_be_and_nobody_overhears_it() {
    let beginning = "S: +OK ready\nC: CAPA\nS: +OK\nS: USER\nS: .\n";
    let (stream, server) = serve(beginning.to_owned());
    let connection = Pop3Connection::open(stream, &pop3_server(), Peer::Remote, options()).await.unwrap();
    assert!(matches!(connection.login("alice", "secret").await, Err(Error::NotPrivate)));
    assert_eq!(server.await.unwrap(), "");
    for (user, password) in [("", "x"), ("a", ""), ("a\r\nQUIT", "x"), ("a", "x\n"), ("a\0", "x")] {
        let (connection, server) = connect(beginning).await;
        assert!(matches!(connection.login(user, password).await, Err(Error::BadInput(_))), "{user:?}");
        assert_eq!(server.await.unwrap(), "");
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_may_be_slow_but_not_silent_and_the_reader_may_take_its_time() {
    let options = || ConnectOptions { timeout: Duration::from_secs(10), ..options() };
    let slow = FIRST.replace("S: one\n", "W: 9\nS: one\nW: 9\n");
    let (stream, server) = serve(format!("{LOGIN}{TWO}{slow}C: RETR 2\nW: 600\n"));
    let mut mailbox = open(stream, options()).await.unwrap().login("alice", "secret").await.unwrap();
    let mut retrieval = mailbox.retrieve().await.unwrap();
    let mut message = retrieval.next().await.unwrap().unwrap();
    sleep(Duration::from_secs(3600)).await;
    while message.chunk().await.unwrap().is_some() {
        sleep(Duration::from_secs(3600)).await;
    }
    assert!(matches!(retrieval.next().await, Err(Error::Timeout { .. })));
    assert!(matches!(retrieval.confirm().await, Err(Error::Unread)));
    drop(mailbox);
    assert_eq!(server.await.unwrap(), "");
}

#[test]
fn a_mailbox_can_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    let (near, _far) = tokio::io::duplex(64);
    is_send(&async {
        let mut mailbox = open(near, options()).await?.login("alice", "secret").await?;
        let mut retrieval = mailbox.retrieve().await?;
        read(&mut retrieval).await?;
        retrieval.confirm().await?;
        mailbox.quit().await
    });
}
