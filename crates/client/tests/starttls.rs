//! Sessions that are encrypted on the way, and those that somebody in the middle wants in clear.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

mod common;

use std::path::Path;

use client::{ConnectOptions, Connection, Error, Extension, KnownServers, Peer, Pop3Connection, TlsMode, Trust};
use common::identity::{Pair, self_signed};
use common::{options, pop3_server, serve, serve_encrypted, server};

const CLEAR: &str = "S: 220 ready\nC: EHLO [127.0.0.1]\nS: 250-m\nS: 250-XREGISTER\n";
const OFFERED: &str = "S: 220 ready\nC: EHLO [127.0.0.1]\nS: 250-m\nS: 250-XREGISTER\nS: 250 STARTTLS\n";
const UPGRADE: &str = "C: STARTTLS\nS: 220 go ahead\nT: \nC: EHLO [127.0.0.1]\nS: 250-m\nS: 250 AUTH PLAIN\n";
const POP3_OFFERED: &str = "S: +OK ready\nC: CAPA\nS: +OK\nS: STLS\nS: .\n";
const POP3_CLEAR: &str = "S: +OK ready\nC: CAPA\nS: +OK\nS: USER\nS: .\n";
const POP3_UPGRADE: &str = "C: STLS\nS: +OK go ahead\nT: \nC: CAPA\nS: +OK\nS: USER\nS: SASL PLAIN\nS: .\n";

fn pair() -> Pair {
    self_signed(&["mail.example"])
}

async fn open(script: String, options: ConnectOptions) -> Result<Connection, Error> {
    let (stream, server_side) = serve_encrypted(script, Some(pair().config()));
    let opened = Connection::open(stream, &server(), Peer::Remote, options).await;
    if opened.is_err() {
        assert_eq!(server_side.await.unwrap(), "", "nothing is said after the failure");
    }
    opened
}

fn known_in(folder: &Path) -> ConnectOptions {
    ConnectOptions { trust: Trust::KnownServers(Some(folder.join("known-servers.toml"))), ..options() }
}

#[tokio::test]
async fn a_session_is_encrypted_where_the_server_offers_it_and_begins_anew() {
    for tls in [TlsMode::Auto, TlsMode::Required] {
        let connection = open(format!("{OFFERED}{UPGRADE}"), ConnectOptions { tls, ..options() }).await.unwrap();
        assert!(connection.channel().is_tls());
        connection.require_private().unwrap();
        assert!(connection.offers(Extension::Auth));
        assert!(!connection.offers(Extension::XRegister), "that was said in clear");
    }
}

#[tokio::test]
async fn it_is_not_where_that_is_off() {
    let options = ConnectOptions { tls: TlsMode::Off, ..options() };
    let connection = open(OFFERED.to_owned(), options).await.unwrap();
    assert!(!connection.channel().is_tls());
    assert!(matches!(connection.require_private(), Err(Error::NotPrivate)));
}

#[tokio::test]
async fn a_server_that_was_seen_with_tls_must_have_it() {
    let folder = tempfile::tempdir().unwrap();
    open(format!("{CLEAR}S: 250 HELP\n"), known_in(folder.path())).await.unwrap();
    open(format!("{OFFERED}{UPGRADE}"), known_in(folder.path())).await.unwrap();
    let error = open(format!("{CLEAR}S: 250 HELP\n"), known_in(folder.path())).await.unwrap_err();
    let path = folder.path().join("known-servers.toml");
    assert!(matches!(&error, Error::Downgrade { path: named, .. } if *named == path), "{error}");
    assert!(error.to_string().contains(&path.display().to_string()), "{error}");

    let off = ConnectOptions { tls: TlsMode::Off, ..known_in(folder.path()) };
    open(format!("{CLEAR}S: 250 HELP\n"), off).await.unwrap();
    KnownServers::forget(&path, &server()).unwrap();
    open(format!("{CLEAR}S: 250 HELP\n"), known_in(folder.path())).await.unwrap();
}

#[tokio::test]
async fn a_named_authority_vouches_for_no_server_in_clear() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, pair().certificate.pem()).unwrap();
    let options = ConnectOptions { trust: Trust::Authority(file), ..options() };
    assert!(matches!(open(format!("{CLEAR}S: 250 HELP\n"), options).await, Err(Error::NoTls)));
}

#[tokio::test]
async fn a_server_that_refuses_what_it_offers_is_not_talked_to_in_clear() {
    let script = format!("{OFFERED}C: STARTTLS\nS: 454 4.7.0 not now\n");
    assert!(matches!(open(script, options()).await, Err(Error::Refused(reply)) if reply.code() == 454));
}

#[tokio::test]
async fn what_somebody_put_behind_the_reply_is_no_answer() {
    let folder = tempfile::tempdir().unwrap();
    for injected in [r"250-m\r\n250 XREGISTER\r\n", "2"] {
        let (stream, server_side) = serve(format!("{OFFERED}C: STARTTLS\nR: 220 go ahead\\r\\n{injected}\n"));
        let opened = Connection::open(stream, &server(), Peer::Remote, known_in(folder.path())).await;
        assert!(matches!(opened, Err(Error::Protocol(_))), "{injected} {opened:?}");
        assert_eq!(server_side.await.unwrap(), "");
    }
    let (stream, server_side) = serve(format!("{POP3_OFFERED}C: STLS\nR: +OK go ahead\\r\\n+OK\\r\\n\n"));
    let opened = Pop3Connection::open(stream, &pop3_server(), Peer::Remote, known_in(folder.path())).await;
    assert!(matches!(opened, Err(Error::Pop3Protocol(_))), "{opened:?}");
    assert_eq!(server_side.await.unwrap(), "");
    assert!(folder.path().read_dir().unwrap().next().is_none(), "nobody was trusted");
}

#[tokio::test]
async fn pop3_sessions_are_encrypted_by_the_same_rules() {
    let pop3 = async |script: String, options| {
        let (stream, _) = serve_encrypted(script, Some(pair().config()));
        Pop3Connection::open(stream, &pop3_server(), Peer::Remote, options).await
    };
    let folder = tempfile::tempdir().unwrap();
    pop3(POP3_CLEAR.to_owned(), known_in(folder.path())).await.unwrap();
    let connection = pop3(format!("{POP3_OFFERED}{POP3_UPGRADE}"), known_in(folder.path())).await.unwrap();
    assert!(connection.channel().is_tls());
    let downgraded = pop3(POP3_CLEAR.to_owned(), known_in(folder.path())).await;
    assert!(matches!(downgraded, Err(Error::Downgrade { .. })));

    let required = || ConnectOptions { tls: TlsMode::Required, ..options() };
    assert!(matches!(pop3(POP3_CLEAR.to_owned(), required()).await, Err(Error::NoTls)));
    assert!(pop3(format!("{POP3_OFFERED}{POP3_UPGRADE}"), required()).await.unwrap().channel().is_tls());
    let off = ConnectOptions { tls: TlsMode::Off, ..options() };
    assert!(!pop3(POP3_OFFERED.to_owned(), off).await.unwrap().channel().is_tls());
    let refused = pop3(format!("{POP3_OFFERED}C: STLS\nS: -ERR not now\n"), options()).await;
    assert!(matches!(refused, Err(Error::Pop3Refused(_))));
    let closed = pop3("S: -ERR go away\n".to_owned(), options()).await;
    assert!(matches!(closed, Err(Error::Pop3NoService(_))));
}

#[tokio::test]
async fn each_protocol_is_for_its_own_servers() {
    let (stream, _) = serve(String::new());
    assert!(matches!(Connection::open(stream, &pop3_server(), Peer::Local, options()).await, Err(Error::BadInput(_))));
    let (stream, _) = serve(String::new());
    assert!(matches!(Pop3Connection::open(stream, &server(), Peer::Local, options()).await, Err(Error::BadInput(_))));
}
