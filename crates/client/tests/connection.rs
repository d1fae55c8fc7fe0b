//! Connections with scripted servers, over a pipe in memory. The machine has its own dialogues; these are about pumping it.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod common;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use client::{
    ConnectOptions, Connection, Delivery, Envelope, Error, Line, Message, Outcome, Peer, Reports, ReversePath, TlsMode,
};
use common::{PIPE_OCTETS, open, options, serve};
use tokio::io::AsyncWriteExt;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

const HELLO: &str = "S: 220 ready\nC: EHLO [127.0.0.1]\nS: 250-m\nS: 250-PIPELINING\nS: 250-XREGISTER\nS: 250-XPASSWD\n\
                     S: 250-XRETRIEVE\nS: 250 AUTH PLAIN\n";

async fn connect(script: &str) -> (Connection, JoinHandle<String>) {
    let (stream, server) = serve(format!("{HELLO}{script}"));
    (open(stream, Peer::Local, options()).await.unwrap(), server)
}

fn envelope(recipients: impl IntoIterator<Item = String>) -> Envelope {
    let recipients = recipients.into_iter().map(|text| text.parse().unwrap()).collect();
    Envelope { reverse_path: "9@m".parse().unwrap(), recipients, reports: Reports::default() }
}

fn message(octets: usize) -> Message {
    Message { octets: octets as u64, eight_bit: false, utf8: false }
}

async fn send(connection: &mut Connection, body: &str) -> Result<Delivery, Error> {
    let envelope = envelope(["10@m".to_owned()]);
    connection.send(&envelope, message(body.len()), body.as_bytes(), |_| {}).await
}

#[tokio::test]
async fn a_whole_session_and_its_dialogue() {
    let script = "\
        C: XREGISTER\nS: 250 9@m\n\
        C: XPASSWD\nS: 250 vqk4-7t2m-p3xa-c9rd\n\
        C: AUTH PLAIN ADlAbQB2cWs0LTd0Mm0tcDN4YS1jOXJk\nS: 235 OK\n\
        C: MAIL FROM:<9@m>\nC: RCPT TO:<10@m>\nC: DATA\nS: 250 OK\nS: 250 OK\nS: 354 Go\n\
        C: ..\nC: Hello\nC: .\nS: 250 OK\n\
        C: XRETRIEVE\nS: 250 1 messages\n\
        S: *****\nS: From: 10@m\nS: To: 9@m\nS: MIME-Version: 1.0\nS: Content-Type: text\nS: *****\n\
        S: ..\nS: Hello back\nS: .\n\
        C: NOOP\nS: 250 OK\n\
        C: QUIT\nS: 221 bye\n";
    let (stream, server) = serve(format!("{HELLO}{script}"));
    let lines = Arc::new(Mutex::new(String::new()));
    let told = Arc::clone(&lines);
    let dialogue = move |line: Line<'_>| {
        let (who, text) = match line {
            Line::Sent(text) => ("C", text),
            Line::Received(text) => ("S", text),
            Line::Note(text) => ("*", text),
        };
        told.lock().unwrap().push_str(&format!("{who}: {text}\n"));
    };
    let options = ConnectOptions { dialogue: Some(Box::new(dialogue)), ..options() };

    let mut connection = open(stream, Peer::Local, options).await.unwrap();
    assert_eq!(connection.address(), None);
    assert_eq!(connection.register(None, None).await.unwrap().to_string(), "9@m");
    assert_eq!(connection.address().unwrap().to_string(), "9@m");
    let password = connection.issue_password().await.unwrap();
    connection.login("9@m", &password).await.unwrap();
    let delivery = send(&mut connection, ".\r\nHello\r\n").await.unwrap();
    assert!(matches!(delivery.outcome, Outcome::Accepted(_)));
    let mut retrieval = connection.retrieve(None).await.unwrap();
    assert_eq!(retrieval.count(), 1);
    let mut message = retrieval.next().await.unwrap().unwrap();
    assert_eq!((message.from(), message.to()), ("10@m", "9@m"));
    let mut text = Vec::new();
    while let Some(octets) = message.chunk().await.unwrap() {
        text.extend_from_slice(&octets);
    }
    assert_eq!(text, b".\r\nHello back\r\n");
    assert_eq!(message.chunk().await.unwrap(), None);
    assert!(retrieval.next().await.unwrap().is_none());
    retrieval.confirm().await.unwrap();
    connection.quit().await.unwrap();

    assert_eq!(server.await.unwrap(), "");
    let shown = format!("{HELLO}{script}")
        .replace("vqk4-7t2m-p3xa-c9rd", "********")
        .replace("ADlAbQB2cWs0LTd0Mm0tcDN4YS1jOXJk", "********")
        .replace("C: .\nS: 250 OK\n", "C: .\nS: 250 OK\n*: sent by PIPELINING\n");
    assert_eq!(*lines.lock().unwrap(), shown);
}

#[tokio::test]
async fn a_refusal_leaves_the_connection_usable() {
    let (mut connection, server) = connect(
        "C: XREGISTER alice TOKEN=x\nS: 550 5.1.1 taken\nC: XRETRIEVE\nS: 530 5.7.0 Register first\n\
         C: NOOP\nS: 250 OK\n",
    )
    .await;
    let refusal = connection.register(Some("alice"), Some("x")).await.unwrap_err();
    assert!(matches!(&refusal, Error::Refused(reply) if reply.code() == 550), "{refusal}");
    assert!(matches!(connection.retrieve(None).await, Err(Error::Refused(reply)) if reply.code() == 530));
    connection.noop().await.unwrap();
    drop(connection);
    assert_eq!(server.await.unwrap(), "");
}

#[tokio::test]
async fn what_cannot_be_said_is_not_said() {
    let (mut connection, server) = connect("").await;
    for name in ["", "a b", "a\r\nQUIT", "a@m", ".a"] {
        assert!(matches!(connection.register(Some(name), None).await, Err(Error::BadInput(_))), "{name:?}");
    }
    for token in ["", "a b", "a\r\nQUIT", "ä"] {
        assert!(matches!(connection.register(None, Some(token)).await, Err(Error::BadInput(_))), "{token:?}");
    }
    for (user, password) in [("", "x"), ("a", ""), ("a\0b", "x"), ("a", "x\0"), ("a", "x".repeat(5000).as_str())] {
        assert!(matches!(connection.login(user, password).await, Err(Error::BadInput(_))), "{user:?}");
    }
    assert!(matches!(connection.unregister().await, Err(Error::NotOffered("XUNREGISTER"))));
    let foreign = Envelope { reverse_path: "jürgen@m".parse().unwrap(), ..envelope(["10@m".to_owned()]) };
    let sent = connection.send(&foreign, message(0), &b""[..], |_| {}).await;
    assert!(matches!(sent, Err(Error::NotOffered("SMTPUTF8"))));
    drop(connection);
    assert_eq!(server.await.unwrap(), "");
}

#[tokio::test]
async fn tls_that_is_required_is_not_done_without() {
    let (stream, server) = serve(HELLO.to_owned());
    let options = ConnectOptions { tls: TlsMode::Required, ..options() };
    assert!(matches!(open(stream, Peer::Local, options).await, Err(Error::NoTls)));
    assert_eq!(server.await.unwrap(), "");
}

#[tokio::test]
async fn a_server_that_writes_before_it_reads_is_no_deadlock() {
    // Each end's pipe holds a command or two: the server can't take the next one before its replies are read.
    let recipients = 1000;
    let rcpt: String =
        (0..recipients).map(|n| format!("C: RCPT TO:<{n}@m>\nS: 250 2.1.5 Recipient is fine\n")).collect();
    let script = format!("C: MAIL FROM:<9@m>\nS: 250 OK\n{rcpt}C: DATA\nS: 354 Go\nC: x\nC: .\nS: 250 OK\n");
    let (mut connection, server) = connect(&script).await;
    let envelope = envelope((0..recipients).map(|n| format!("{n}@m")));
    let delivery = connection.send(&envelope, message(3), &b"x\r\n"[..], |_| {}).await.unwrap();
    assert_eq!(delivery.recipients.len(), recipients);
    drop(connection);
    assert_eq!(server.await.unwrap(), "");
}

#[tokio::test]
async fn the_last_words_of_a_server_are_heard() {
    let envelope = "C: MAIL FROM:<9@m>\nC: RCPT TO:<10@m>\nC: DATA\nS: 250 OK\nS: 250 OK\nS: 354 Go\n";
    for farewell in ["C: x\nS: 421 4.4.2 slow\n", "C: x\nS: 421 4.4.2 slow\nX: \n"] {
        let (mut connection, server) = connect(&format!("{envelope}{farewell}")).await;
        let sent = send(&mut connection, &"x\r\n".repeat(100_000)).await;
        assert!(matches!(&sent, Err(Error::Closed(Some(reply))) if reply.code() == 421), "{sent:?}");
        assert!(matches!(connection.noop().await, Err(Error::Closed(None))));
        drop(connection);
        server.await.unwrap();
    }
}

#[tokio::test]
async fn a_server_that_hangs_up_is_noticed() {
    for script in ["", "C: MAIL FROM:<9@m>\n"] {
        let (mut connection, server) = connect(script).await;
        assert!(matches!(send(&mut connection, "x\r\n").await, Err(Error::Closed(None))), "{script}");
        drop(connection);
        server.await.unwrap();
    }
}

#[tokio::test]
async fn whether_mail_was_taken_is_in_doubt_without_a_reply_to_its_end() {
    let script = "C: MAIL FROM:<9@m>\nC: RCPT TO:<10@m>\nC: DATA\nS: 250 OK\nS: 250 OK\nS: 354 Go\nC: x\nC: .\n";
    let (mut connection, server) = connect(script).await;
    let sent = send(&mut connection, "x\r\n").await;
    assert!(matches!(&sent, Err(Error::SentInDoubt(cause)) if matches!(**cause, Error::Closed(None))), "{sent:?}");
    drop(connection);
    server.await.unwrap();

    let (mut connection, server) = connect(&format!("{script}S: 421 bye\n")).await;
    assert!(matches!(send(&mut connection, "x\r\n").await, Err(Error::Closed(Some(_)))), "the server said no");
    drop(connection);
    server.await.unwrap();
}

#[tokio::test]
async fn whether_mail_comes_again_is_in_doubt_without_a_good_reply_to_the_confirmation() {
    for reply in ["", "S: 421 bye\n", "S: 451 no\n", "S: 550 no\n", "S: nonsense\n"] {
        let (mut connection, server) = connect(&format!("{TWO_MESSAGES}C: NOOP\n{reply}")).await;
        let mut retrieval = connection.retrieve(None).await.unwrap();
        while retrieval.next().await.unwrap().is_some() {}
        assert!(matches!(retrieval.confirm().await, Err(Error::FlushInDoubt(_))), "{reply}");
        drop(connection);
        server.await.unwrap();
    }

    let (mut connection, server) = connect("C: XRETRIEVE\nS: 250 0 messages\nC: NOOP\n").await;
    let mut retrieval = connection.retrieve(None).await.unwrap();
    assert!(retrieval.next().await.unwrap().is_none());
    assert!(matches!(retrieval.confirm().await, Err(Error::Closed(None))), "there was no mail to come again");
    drop(connection);
    server.await.unwrap();
}

#[tokio::test]
async fn no_password_is_said_or_asked_for_where_others_can_overhear_it() {
    let (stream, server) = serve(format!("{HELLO}C: XREGISTER\nS: 250 9@m\nC: NOOP\nS: 250 OK\n"));
    let mut connection = open(stream, Peer::Remote, options()).await.unwrap();
    assert!(matches!(connection.require_private(), Err(Error::NotPrivate)));
    assert!(matches!(connection.login("9@m", "vqk4-7t2m-p3xa-c9rd").await, Err(Error::NotPrivate)));
    connection.register(None, None).await.unwrap();
    assert!(matches!(connection.issue_password().await, Err(Error::NotPrivate)));
    connection.noop().await.unwrap();
    drop(connection);
    assert_eq!(server.await.unwrap(), "");
}

#[tokio::test]
async fn a_greeting_that_refuses_is_no_service() {
    let (stream, server) = serve("S: 554 go away\n".to_owned());
    let opened = open(stream, Peer::Local, options()).await;
    assert!(matches!(opened, Err(Error::NoService(reply)) if reply.code() == 554));
    server.await.unwrap();
}

#[tokio::test]
async fn a_large_message_is_streamed_and_its_progress_told() {
    let lines = 40_000;
    let body = "0123456789\r\n".repeat(lines);
    let content = "C: 0123456789\n".repeat(lines);
    let envelope_said = "C: MAIL FROM:<9@m>\nC: RCPT TO:<10@m>\nC: DATA\nS: 250 OK\nS: 250 OK\nS: 354 Go\n";
    let (mut connection, server) = connect(&format!("{envelope_said}{content}C: .\nS: 250 OK\n")).await;
    let mut told = Vec::new();
    let envelope = envelope(["10@m".to_owned()]);
    connection.send(&envelope, message(body.len()), body.as_bytes(), |octets| told.push(octets)).await.unwrap();
    assert!(told.is_sorted() && told.len() > 10, "{told:?}");
    assert_eq!(told.last(), Some(&(body.len() as u64)));
    drop(connection);
    assert_eq!(server.await.unwrap(), "");
}

#[tokio::test]
async fn a_message_with_bare_line_ends_is_not_sent_on() {
    let script = "C: MAIL FROM:<9@m>\nC: RCPT TO:<10@m>\nC: DATA\nS: 250 OK\nS: 250 OK\nS: 354 Go\n";
    let (mut connection, server) = connect(script).await;
    let sent = send(&mut connection, "x\n.\nRSET\n").await;
    assert!(matches!(&sent, Err(Error::Body(error)) if error.kind() == std::io::ErrorKind::InvalidData), "{sent:?}");
    drop(connection);
    assert_eq!(server.await.unwrap(), "");
}

const CHUNKING: &str = "S: 220 ready\nC: EHLO [127.0.0.1]\nS: 250-m\nS: 250-PIPELINING\nS: 250 CHUNKING\n\
                        C: MAIL FROM:<9@m>\nC: RCPT TO:<10@m>\nS: 250 OK\nS: 250 OK\n";

#[tokio::test]
async fn a_large_message_is_streamed_as_one_chunk() {
    let lines = 40_000;
    let body = ".123456789\r\n".repeat(lines);
    let content = "C: .123456789\n".repeat(lines);
    let (stream, server) = serve(format!("{CHUNKING}C: BDAT {} LAST\n{content}S: 250 OK\n", body.len()));
    let told = Arc::new(Mutex::new(Vec::new()));
    let shown = Arc::clone(&told);
    let dialogue = move |line: Line<'_>| shown.lock().unwrap().push(format!("{line:?}"));
    let options = ConnectOptions { dialogue: Some(Box::new(dialogue)), ..options() };
    let mut connection = open(stream, Peer::Local, options).await.unwrap();
    let delivery = send(&mut connection, &body).await.unwrap();
    assert!(matches!(delivery.outcome, Outcome::Accepted(_)));
    drop(connection);
    assert_eq!(server.await.unwrap(), "");
    let told = told.lock().unwrap();
    let [.., command, reply, note] = &told[..] else { panic!("{told:?}") };
    assert_eq!(command, &format!("Sent(\"BDAT {} LAST\")", body.len()));
    assert_eq!((&**reply, &**note), ("Received(\"250 OK\")", "Note(\"sent by PIPELINING, CHUNKING\")"));
}

#[tokio::test]
async fn a_message_of_another_length_than_was_said_is_never_complete() {
    for (octets, kind) in [(2, std::io::ErrorKind::InvalidData), (4, std::io::ErrorKind::UnexpectedEof)] {
        let (stream, server) = serve(format!("{CHUNKING}C: BDAT {octets} LAST\n"));
        let mut connection = open(stream, Peer::Local, options()).await.unwrap();
        let mut pieces = tokio::io::AsyncReadExt::chain(&b"x\r"[..], &b"\n"[..]);
        let sent = connection.send(&envelope(["10@m".to_owned()]), message(octets), &mut pieces, |_| {}).await;
        assert!(matches!(&sent, Err(Error::Body(error)) if error.kind() == kind), "{sent:?}");
        assert!(matches!(connection.noop().await, Err(Error::Closed(None))));
        drop(connection);
        let heard = server.await.unwrap();
        assert!(heard.len() < octets, "{heard:?}");
    }
}

#[tokio::test]
async fn a_message_that_is_refused_on_its_way_is_not_sent_on() {
    let body = "x\r\n".repeat(100_000);
    let (stream, server) = serve(format!("{CHUNKING}C: BDAT {} LAST\nS: 554 5.6.0 no viruses\n", body.len()));
    let mut connection = open(stream, Peer::Local, options()).await.unwrap();
    let delivery = send(&mut connection, &body).await.unwrap();
    assert!(matches!(&delivery.outcome, Outcome::Refused(reply) if reply.code() == 554), "{delivery:?}");
    assert_eq!(delivery.recipients.len(), 1);
    assert!(connection.is_over());
    assert!(matches!(connection.noop().await, Err(Error::Closed(None))));
    drop(connection);
    server.await.unwrap();
}

const TWO_MESSAGES: &str = "C: XRETRIEVE\nS: 250 2 messages\n\
    S: *****\nS: From: 10@m\nS: To: 9@m\nS: MIME-Version: 1.0\nS: Content-Type: text\nS: *****\nS: one\nS: one\nS: .\n\
    S: *****\nS: From: 11@m\nS: To: 9@m\nS: MIME-Version: 1.0\nS: Content-Type: text\nS: *****\nS: two\nS: .\n";

#[tokio::test]
async fn nothing_is_confirmed_before_all_is_read() {
    for begun in 0..=2 {
        let (mut connection, server) = connect(TWO_MESSAGES).await;
        let mut retrieval = connection.retrieve(None).await.unwrap();
        for _ in 0..begun {
            retrieval.next().await.unwrap().unwrap();
        }
        assert!(matches!(retrieval.confirm().await, Err(Error::Unread)), "{begun}");
        assert!(matches!(connection.quit().await, Err(Error::Closed(None))));
        assert_eq!(server.await.unwrap(), "");
    }
}

#[tokio::test]
async fn what_is_not_read_of_a_message_is_skipped() {
    let (mut connection, server) = connect(&format!("{TWO_MESSAGES}C: NOOP\nS: 250 OK\n")).await;
    let mut retrieval = connection.retrieve(None).await.unwrap();
    assert_eq!(retrieval.next().await.unwrap().unwrap().from(), "10@m");
    let mut second = retrieval.next().await.unwrap().unwrap();
    assert_eq!(second.from(), "11@m");
    assert_eq!(second.chunk().await.unwrap().unwrap(), "two\r\n");
    assert!(retrieval.next().await.unwrap().is_none());
    retrieval.confirm().await.unwrap();
    drop(connection);
    assert_eq!(server.await.unwrap(), "");
}

#[tokio::test]
async fn a_retrieval_that_is_dropped_confirms_nothing() {
    let (mut connection, server) = connect(TWO_MESSAGES).await;
    let mut retrieval = connection.retrieve(None).await.unwrap();
    while retrieval.next().await.unwrap().is_some() {}
    drop(retrieval);
    assert!(matches!(connection.noop().await, Err(Error::Closed(None))));
    assert!(matches!(connection.quit().await, Err(Error::Closed(None))));
    assert_eq!(server.await.unwrap(), "");
}

#[tokio::test]
async fn a_retrieval_that_breaks_off_confirms_nothing() {
    let cut_off = TWO_MESSAGES.strip_suffix("S: two\nS: .\n").unwrap();
    let (mut connection, server) = connect(cut_off).await;
    let mut retrieval = connection.retrieve(None).await.unwrap();
    retrieval.next().await.unwrap().unwrap();
    let mut message = retrieval.next().await.unwrap().unwrap();
    assert!(matches!(message.chunk().await, Err(Error::Closed(None))));
    assert!(matches!(retrieval.confirm().await, Err(Error::Unread)));
    drop(connection);
    assert_eq!(server.await.unwrap(), "");
}

#[tokio::test(start_paused = true)]
async fn silence_and_dribble_end_in_a_timeout() {
    let (silent, _far) = tokio::io::duplex(PIPE_OCTETS);
    let opened = open(silent, Peer::Local, options()).await;
    assert!(matches!(opened, Err(Error::Timeout { after }) if after == client::CONNECT_TIMEOUT));

    let (mut connection, server) = connect("C: NOOP\nW: 600\n").await;
    assert!(matches!(connection.noop().await, Err(Error::Timeout { after }) if after == client::REPLY_TIMEOUT));
    drop(connection);
    assert_eq!(server.await.unwrap(), "");

    let (dribbling, mut far) = tokio::io::duplex(PIPE_OCTETS);
    tokio::spawn(async move {
        while far.write_all(b"2").await.is_ok() {
            sleep(Duration::from_secs(60)).await;
        }
    });
    let options = ConnectOptions { connect_timeout: 2 * client::REPLY_TIMEOUT, ..options() };
    let started = Instant::now();
    assert!(matches!(open(dribbling, Peer::Local, options).await, Err(Error::Timeout { .. })));
    assert_eq!(started.elapsed(), client::REPLY_TIMEOUT);
}

#[tokio::test(start_paused = true)]
async fn nobody_waits_long_for_a_goodbye() {
    let (connection, server) = connect("C: QUIT\nW: 600\n").await;
    assert!(matches!(connection.quit().await, Err(Error::Timeout { after }) if after == client::QUIT_TIMEOUT));
    assert_eq!(server.await.unwrap(), "");
}

#[tokio::test(start_paused = true)]
async fn waiting_for_mail_takes_longer_than_the_timeout() {
    let script = "S: 220 ready\nC: EHLO [127.0.0.1]\nS: 250-m\nS: 250 XRETRIEVE\n\
                  C: XRETRIEVE WAIT=30\nW: 35\nS: 250 0 messages\nC: NOOP\nS: 250 OK\n";
    let (near, server) = serve(script.to_owned());
    let options = ConnectOptions { timeout: Duration::from_secs(10), ..options() };
    let mut connection = open(near, Peer::Local, options).await.unwrap();
    let mut retrieval = connection.retrieve(Some(Duration::from_secs(30))).await.unwrap();
    assert!(retrieval.next().await.unwrap().is_none());
    retrieval.confirm().await.unwrap();
    drop(connection);
    assert_eq!(server.await.unwrap(), "");
}

#[tokio::test]
async fn a_method_that_is_given_up_leaves_nothing_half_said() {
    let (near, mut far) = tokio::io::duplex(4096);
    far.write_all(b"220 ready\r\n250 m\r\n").await.unwrap();
    // The answer to EHLO has come before it was asked for: that is noticed too.
    assert!(matches!(open(near, Peer::Local, options()).await, Err(Error::Protocol(_))));

    let (mut connection, server) = connect("C: NOOP\n").await;
    {
        let mut noop = Box::pin(connection.noop());
        let waker = std::task::Waker::noop();
        assert!(noop.as_mut().poll(&mut std::task::Context::from_waker(waker)).is_pending());
    }
    assert!(matches!(connection.noop().await, Err(Error::Closed(None))));
    drop(connection);
    assert_eq!(server.await.unwrap(), "");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let server: client::ServerAddress = "127.0.0.1:1".parse().unwrap();
    let error = Connection::connect(&server, options()).await.unwrap_err();
    assert!(error.to_string().starts_with("cannot connect to 127.0.0.1:1: "), "{error}");
}

#[test]
fn a_connection_can_move_between_threads() {
    fn is_send<T: Send>(_: &T) {}
    let (near, _far) = tokio::io::duplex(PIPE_OCTETS);
    is_send(&async {
        let mut connection = open(near, Peer::Local, options()).await?;
        let envelope = Envelope { reverse_path: ReversePath::Null, ..envelope([]) };
        connection.send(&envelope, message(0), &b""[..], |_| {}).await?;
        let mut retrieval = connection.retrieve(None).await?;
        while let Some(mut message) = retrieval.next().await? {
            while message.chunk().await?.is_some() {}
        }
        retrieval.confirm().await?;
        connection.quit().await
    });
}
