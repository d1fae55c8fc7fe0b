//! Servers that lie: whatever they say, and however much of it, the client takes little memory, keeps the terminal as it is, and
//! ends with a code that tells.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Output;
use std::thread;

use crate::common::Home;
use crate::exit::*;
use crate::retrieving::in_shell;

/// What a server says that does not end, before it hangs up: more than a client may have memory for.
const ENDLESS_OCTETS: usize = 20 << 20;
const MEMORY_KIB: usize = 12 << 10;

/// What is no truth: the answer to lines that begin so, to none for the greeting. Its second part comes again and again.
#[derive(Clone, Copy)]
struct Lie(&'static str, &'static str, &'static str);

/// What a server says otherwise.
type Truth = fn(&str) -> &'static str;

fn smtp(line: &str) -> &'static str {
    match line.get(..4).unwrap_or_default() {
        "EHLO" => "250-m\r\n250-AUTH PLAIN\r\n250-XREGISTER\r\n250-XPASSWD\r\n250 XRETRIEVE\r\n",
        "AUTH" => "235 ok\r\n",
        "DATA" => "354 go\r\n",
        "XRET" => "250 1 messages\r\n",
        _ => "250 ok\r\n",
    }
}

fn pop3(line: &str) -> &'static str {
    match line.get(..4).unwrap_or_default() {
        "CAPA" => "+OK\r\nUSER\r\nUIDL\r\n.\r\n",
        "STAT" => "+OK 1 9\r\n",
        "LIST" | "UIDL" => "+OK\r\n1 9\r\n.\r\n",
        _ => "+OK\r\n",
    }
}

/// Where such a server is.
fn server(truth: Truth, lie: Lie) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            // Until one of both hangs up.
            converse(stream.unwrap(), truth, lie).ok();
        }
    });
    address
}

fn converse(mut stream: TcpStream, truth: Truth, lie: Lie) -> io::Result<()> {
    let greeting = if truth("QUIT").starts_with('+') { "+OK\r\n" } else { "220 ready\r\n" };
    answer("", &mut stream, |_| greeting, lie)?;
    for line in BufReader::new(stream.try_clone()?).lines() {
        answer(&line?, &mut stream, truth, lie)?;
    }
    Ok(())
}

fn answer(line: &str, stream: &mut TcpStream, truth: impl Fn(&str) -> &'static str, lie: Lie) -> io::Result<()> {
    let Lie(to, once, again) = lie;
    if line.is_empty() != to.is_empty() || !line.starts_with(to) {
        return stream.write_all(truth(line).as_bytes());
    }
    stream.write_all(once.as_bytes())?;
    if !again.is_empty() {
        let block = again.repeat((64 << 10) / again.len());
        for _ in 0..ENDLESS_OCTETS / block.len() {
            stream.write_all(block.as_bytes())?;
        }
        stream.shutdown(Shutdown::Both)?;
    }
    Ok(())
}

impl Home {
    /// Runs the program with so much memory and no more: when it wants more it has no exit code.
    fn run_within(&self, memory_kib: usize, arguments: &[&str]) -> Output {
        let script = format!("ulimit -d {memory_kib}; exec \"$0\" \"$@\"");
        in_shell(self, &script, arguments).env("TOKIO_WORKER_THREADS", "1").output().unwrap()
    }
}

/// It has ended so, and has said nothing that a terminal would obey.
fn assert_ended(output: &Output, code: i32, case: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    let end: String = said.chars().rev().take(300).collect::<Vec<_>>().into_iter().rev().collect();
    assert_eq!(output.status.code(), Some(code), "{case}: {end:?}");
    assert!(!said.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\t')), "{case}: {end:?}");
}

#[test]
fn over_smtp() {
    for (lie, code) in [
        (Lie("", "", "220-ready\x1b[2J\r\n"), PROTOCOL),
        (Lie("", "", "2"), PROTOCOL),
        (Lie("", "", "\x1b"), PROTOCOL),
        (Lie("", "HTTP/1.1 400 \x1b[2J\r\n\r\n", ""), PROTOCOL),
        (Lie("", "554 \x1b]0;go away\x07\r\n", ""), UNAVAILABLE),
        (Lie("EHLO", "", "250-X\x1b[2J\r\n"), PROTOCOL),
        (Lie("AUTH", "", "334 \r\n"), NO_PERMISSION),
        (Lie("AUTH", "535 \u{9b}2J\x1b[2J\r\n", ""), NO_PERMISSION),
        (Lie("XRETRIEVE", "250 99999999999999999999 messages\r\n", ""), PROTOCOL),
        (Lie("XRETRIEVE", "250 -1 messages\r\n", ""), PROTOCOL),
        (Lie("XRETRIEVE", "250 2 messages\r\n", "*****\r\n"), PROTOCOL),
        (Lie("XRETRIEVE", "250 2 messages\r\n*****\r\n", "From: \x1b[2J\r\n"), PROTOCOL),
        (Lie("XRETRIEVE", "250 2 messages\r\n*****\r\nFrom: ", "x"), PROTOCOL),
    ] {
        let home = Home::new();
        home.write_account("9@m", &server(smtp, lie), 0o600);
        let output = home.run_within(MEMORY_KIB, &["retrieve", "-v"]);
        assert_ended(&output, code, &format!("{:?}", (lie.0, lie.1, lie.2)));
    }
}

#[test]
fn to_who_sends_or_registers() {
    let register: &[&str] = &["register", "alice", "-v"];
    let send: &[&str] = &["send", "10@m", "--raw", "-v", "text"];
    for (arguments, lie, code) in [
        (register, Lie("XREGISTER", "250 \x1b[2J@m\r\n", ""), PROTOCOL),
        (register, Lie("XREGISTER", "250 ", "a"), PROTOCOL),
        (register, Lie("XREGISTER", "553 \x1b[2J\u{9b}2J\r\n", ""), DATA),
        (register, Lie("XPASSWD", "250 ", "x"), PROTOCOL),
        (send, Lie("MAIL", "550 5.7.1 \x1b[2J\r\n", ""), NO_PERMISSION),
        (send, Lie("RCPT", "550 5.1.1 \x1b]0;x\x07\u{9b}\r\n", ""), NO_USER),
        (send, Lie("RCPT", "", "550-no\r\n"), PROTOCOL),
        (send, Lie("DATA", "250 ok\r\n", ""), PROTOCOL),
        (send, Lie("Hello", "", "250-\x1b[2J\r\n"), PROTOCOL),
    ] {
        let home = Home::new();
        let address = server(smtp, lie);
        fs::write(home.path("text"), "Hello\n").unwrap();
        home.write_account("9@m", &address, 0o600);
        let arguments = [arguments, &["--server", &address]].concat();
        let output = home.run_within(MEMORY_KIB, &arguments);
        assert_ended(&output, code, &format!("{:?}", (lie.0, lie.1, lie.2)));
        let results = String::from_utf8(output.stdout).unwrap();
        assert!(!results.contains(|c: char| c.is_control() && c != '\n'), "{results:?}");
    }
}

#[test]
fn over_pop3() {
    for (lie, code) in [
        (Lie("", "", "+OK\r\n"), PROTOCOL),
        (Lie("", "", "+"), PROTOCOL),
        (Lie("CAPA", "+OK\r\n", "X\x1b[2J\r\n"), PROTOCOL),
        (Lie("PASS", "-ERR \x1b[2J\u{9b}2J\r\n", ""), NO_PERMISSION),
        (Lie("STAT", "+OK 18446744073709551616 9\r\n", ""), PROTOCOL),
        (Lie("STAT", "+OK 1000001 9\r\n", ""), PROTOCOL),
        (Lie("STAT", "+OK -1 9\r\n", ""), PROTOCOL),
        (Lie("LIST", "+OK\r\n1 18446744073709551616\r\n.\r\n", ""), PROTOCOL),
        (Lie("LIST", "+OK\r\n", "1 9\r\n"), PROTOCOL),
        (Lie("LIST", "+OK\r\n1 ", "9"), PROTOCOL),
    ] {
        let home = Home::new();
        let url = format!("pop3://alice@{}", server(pop3, lie));
        fs::write(home.path("password"), "secret").unwrap();
        let output = home.run_within(MEMORY_KIB, &["retrieve", &url, "-v", "--password-file", "password"]);
        assert_ended(&output, code, &format!("{:?}", (lie.0, lie.1, lie.2)));
    }
}

/// A mail that does not end, and more mails than there can be: nothing of it is filed.
#[test]
fn mail_without_end() {
    const MAIL: &str = "250 10000000 messages\r\n*****\r\nFrom: 10@m\r\nTo: 9@m\r\n*****\r\n";
    let (text, mbox) = (["--format", "text"], ["--mbox", "mbox"]);
    for (again, keeping) in [
        ("x", text),
        ("\x1b[2J\u{202e}\r", text),
        ("X-Field: x\r\n", mbox),
        ("Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n", mbox),
        ("From me\r\n.\r\n*****\r\nFrom: 10@m\r\nTo: 9@m\r\n*****\r\n", mbox),
    ] {
        let home = Home::new();
        home.write_account("9@m", &server(smtp, Lie("XRETRIEVE", MAIL, again)), 0o600);
        let output = home.run_within(MEMORY_KIB, &[&["retrieve"][..], &keeping].concat());
        assert_ended(&output, TEMP_FAIL, &format!("{again:?} {keeping:?}"));
        let octets = fs::metadata(home.path("mbox")).map_or(0, |mbox| mbox.len());
        assert_eq!(octets, 0, "what did not come to its end stays on the server");
    }
    let home = Home::new();
    let url = format!("pop3://alice@{}", server(pop3, Lie("RETR", "+OK\r\nReturn-Path: <", "\x1b")));
    fs::write(home.path("password"), "secret").unwrap();
    let output = home.run_within(MEMORY_KIB, &["retrieve", &url, "--mbox", "mbox", "--password-file", "password"]);
    assert_ended(&output, TEMP_FAIL, "POP3");
}

/// JSON has a message in memory, but not six octets for each of those that a terminal would obey.
#[test]
fn mail_of_escapes_as_json() {
    let escapes = "\x1b".repeat(8 << 20);
    let block = "250 1 messages\r\n*****\r\nFrom: 10@m\r\nTo: 9@m\r\n*****\r\n";
    let home = Home::new();
    let lie = Lie("XRETRIEVE", format!("{block}{escapes}\r\n.\r\n").leak(), "");
    home.write_account("9@m", &server(smtp, lie), 0o600);
    let output = home.run_within(36 << 10, &["retrieve", "--json"]);
    assert_ended(&output, 0, "escapes");
    assert!(output.stdout.len() > 6 * escapes.len());
}
