//! Line ends and other control characters that a peer hides in what it says begin no line of a reply, of a header, of a report or
//! of the log, and reach no row.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use rustix::process::{Pid, Signal, kill_process};
use testkit::client::auth_plain;

use crate::common::{Home, Server};

/// What is hidden: raw, or in one of the encodings that the protocols have. What stands behind it shall not begin a line.
const HIDDEN: [&str; 25] = [
    "\r",
    "\n",
    "\r\n",
    "\0",
    "\t",
    "\x07",
    "\x08",
    "\x0b",
    "\x0c",
    "\x1b[2J",
    "\x1b]0;",
    "\x7f",
    "\u{85}",
    "\u{9b}2J",
    "\u{2028}",
    "\u{2029}",
    "\u{202e}",
    "\\\r\n",
    "\\\n",
    "+0D+0A",
    "+1B",
    "\\x{0D}\\x{0A}",
    "\\x{9B}",
    "%0D%0A",
    "=0D=0A",
];
const FORGED: &str = "Forged";

const CLIENTS: usize = 0;
const OUTSIDE: usize = 1;
const LMTP: usize = 2;
const POP3: usize = 3;

/// Where it stands, and at which listener.
const COMMANDS: [(&str, usize); 35] = [
    ("EHLO xHIDDEN", CLIENTS),
    ("HELO xHIDDEN", OUTSIDE),
    ("LHLO xHIDDEN", LMTP),
    ("xHIDDEN", CLIENTS),
    ("NOOP HIDDEN", CLIENTS),
    ("HELP HIDDEN", CLIENTS),
    ("RSET HIDDEN", CLIENTS),
    ("VRFY alice+HIDDEN SMTPUTF8", CLIENTS),
    ("VRFY \"alice+HIDDEN\"@mymailserver SMTPUTF8", CLIENTS),
    ("EXPN HIDDEN", CLIENTS),
    ("XREGISTER xHIDDEN", OUTSIDE),
    ("XREGISTER x TOKEN=HIDDEN", OUTSIDE),
    ("XPASSWD VERIFIER=HIDDEN", CLIENTS),
    ("XRETRIEVE WAIT=HIDDEN", CLIENTS),
    ("AUTH HIDDEN", OUTSIDE),
    ("AUTH PLAIN HIDDEN", OUTSIDE),
    ("MAIL FROM:<alice@mymailserver> SMTPUTF8 AUTH=xHIDDEN", CLIENTS),
    ("MAIL FROM:<alice@mymailserver> SMTPUTF8 ENVID=xHIDDEN", CLIENTS),
    ("MAIL FROM:<alice+HIDDEN@mymailserver> SMTPUTF8", CLIENTS),
    ("MAIL FROM:<alice+HIDDEN@mymailserver> SMTPUTF8", LMTP),
    ("MAIL FROM:<\"xHIDDEN\"@elsewhere.example> SMTPUTF8", OUTSIDE),
    ("MAIL FROM:<x@elsewhereHIDDEN.example> SMTPUTF8", LMTP),
    ("MAIL FROM:<x@[x:HIDDEN]> SMTPUTF8", LMTP),
    ("MAIL FROM:<@xHIDDEN:x@elsewhere.example> SMTPUTF8", OUTSIDE),
    ("RCPT TO:<\"alice+HIDDEN\"@mymailserver> NOTIFY=SUCCESS", CLIENTS),
    ("RCPT TO:<team+HIDDEN@mymailserver>", LMTP),
    ("RCPT TO:<alice@mymailserver> NOTIFY=SUCCESS ORCPT=rfc822;xHIDDEN", CLIENTS),
    ("RCPT TO:<alice@mymailserver> NOTIFY=SUCCESS ORCPT=utf-8;xHIDDEN", CLIENTS),
    ("RCPT TO:<alice@mymailserver> NOTIFY=SUCCESS ORCPT=xHIDDEN;x", CLIENTS),
    ("USER aliceHIDDEN", POP3),
    ("APOP alice HIDDEN", POP3),
    ("AUTH HIDDEN", POP3),
    ("AUTH PLAIN HIDDEN", POP3),
    ("RETR HIDDEN", POP3),
    ("xHIDDEN", POP3),
];

const CONFIG: &str = r#"
[[listen]]
protocol = "smtp"
address = "127.0.0.1:0"
[[listen]]
protocol = "smtp"
address = "127.0.0.1:0"
from_outside = true
[[listen]]
protocol = "lmtp"
address = "127.0.0.1:0"
[[listen]]
protocol = "pop3"
address = "127.0.0.1:0"
[limits]
errors_per_session = 1000
[aliases]
"team" = ["alice", "nobody-yet"]
"#;

/// A connection that goes on until the server closes it. All that it says is kept.
struct Peer {
    stream: BufReader<TcpStream>,
    heard: String,
}

impl Peer {
    fn connect(address: &str) -> Self {
        let stream = BufReader::new(TcpStream::connect(address).unwrap());
        let mut peer = Self { stream, heard: String::new() };
        peer.reply().unwrap();
        peer
    }

    /// How the next reply begins.
    fn reply(&mut self) -> Option<u8> {
        loop {
            let begin = self.heard.len();
            self.stream.read_line(&mut self.heard).ok()?;
            let line = &self.heard.as_bytes()[begin..];
            if line.get(3) != Some(&b'-') || !line[0].is_ascii_digit() {
                return line.first().copied();
            }
        }
    }

    /// How the reply to a line begins, or the last one where it holds a line's end.
    fn say(&mut self, line: &str) -> Option<u8> {
        self.stream.get_mut().write_all(format!("{line}\r\n").as_bytes()).ok()?;
        (0..=line.matches("\r\n").count()).map(|_| self.reply()).last()?
    }

    /// A command in its place in a transaction, unless the server closes the connection.
    fn transact(&mut self, command: &str, listener: usize, text: &str) -> Option<()> {
        let (sender, report) = match listener {
            CLIENTS => ("alice@mymailserver", " NOTIFY=SUCCESS"),
            _ => ("x@elsewhere.example", ""),
        };
        let mail = format!("MAIL FROM:<{sender}> SMTPUTF8");
        let rcpt = format!("RCPT TO:<alice@mymailserver>{report}");
        let commands = match command {
            _ if command.starts_with("MAIL") => [command.to_owned(), rcpt, String::new()],
            _ if command.starts_with("RCPT") => [mail, command.to_owned(), String::new()],
            _ => [command.to_owned(), mail, rcpt],
        };
        for command in commands.iter().filter(|command| !command.is_empty()) {
            self.say(command)?;
        }
        if self.say("DATA")? == b'3' {
            self.stream.get_mut().write_all(format!("{text}.\r\n").as_bytes()).ok()?;
            self.reply()?;
        }
        self.say("RSET").map(drop)
    }
}

/// The server, what was said by it and the password of alice.
struct Victim {
    server: Server,
    addresses: Vec<String>,
    home: Home,
    password: String,
}

impl Victim {
    fn start(log_format: &str) -> Self {
        let home = Home::new();
        fs::write(home.path("config.toml"), CONFIG).unwrap();
        let mut command =
            home.command(&["serve", "--config", "config.toml", "--data", "data", "--log-format", log_format]);
        command.env("RUST_LOG", "trace").stderr(File::create(home.path("log")).unwrap());
        let mut server = Server::start(&mut command);
        let mut addresses = vec![server.address.clone()];
        addresses.extend((OUTSIDE..=POP3).map(|_| server.next_listener()));
        let mut alice = Peer::connect(&server.address);
        for line in ["HELO", "XREGISTER alice", "XPASSWD"] {
            assert_eq!(alice.say(line), Some(b'2'));
        }
        let password = alice.heard.trim_end().rsplit(' ').next().unwrap().to_owned();
        Self { server, addresses, home, password }
    }

    fn peer(&self, listener: usize) -> Peer {
        let mut peer = Peer::connect(&self.addresses[listener]);
        match listener {
            CLIENTS => {
                peer.say("EHLO x").unwrap();
                assert_eq!(peer.say(&auth_plain("alice", &self.password)), Some(b'2'));
            }
            OUTSIDE => drop(peer.say("EHLO x").unwrap()),
            LMTP => drop(peer.say("LHLO x").unwrap()),
            _ => {}
        }
        peer
    }

    /// Says everything everywhere; what is heard.
    fn hear_all(&self) -> String {
        let in_circles = "Received: x\r\n".repeat(100);
        let mut heard = String::new();
        for (template, listener) in COMMANDS {
            let mut peer = self.peer(listener);
            for hidden in HIDDEN {
                let command = template.replace("HIDDEN", &format!("{hidden}{FORGED}"));
                let texts = [format!("Subject: {template}\r\n\r\nHello\r\n"), in_circles.clone()];
                for text in &texts[..if listener == LMTP { 2 } else { 1 }] {
                    let goes_on = match listener {
                        POP3 => peer.say(&command).map(drop),
                        _ => peer.transact(&command, listener, text),
                    };
                    if goes_on.is_none() {
                        heard.push_str(&peer.heard);
                        peer = self.peer(listener);
                    }
                }
            }
            heard.push_str(&peer.heard);
        }
        heard
    }

    /// All mail of alice, reports among it, with its trace lines.
    fn mail(&self) -> String {
        let mut pop3 = self.peer(POP3);
        pop3.say("USER alice").unwrap();
        assert_eq!(pop3.say(&format!("PASS {}", self.password)), Some(b'+'));
        let count: usize =
            pop3.heard.rsplit("maildrop has ").next().unwrap().split(' ').next().unwrap().parse().unwrap();
        let mut mail = String::new();
        for number in 1..=count {
            assert_eq!(pop3.say(&format!("RETR {number}")), Some(b'+'));
            while !mail.ends_with("\r\n.\r\n") || mail.is_empty() {
                pop3.stream.read_line(&mut mail).unwrap();
            }
            mail.push_str("\r\n");
        }
        mail
    }

    fn rows(&self) -> Vec<String> {
        let database = Connection::open(self.home.path("data/mail.db")).unwrap();
        let mut tables = database.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").unwrap();
        let names: Vec<String> = tables.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
        names.iter().flat_map(|name| texts(&database, name)).collect()
    }
}

/// All texts of a table.
fn texts(database: &Connection, table: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut statement = database.prepare(&format!("SELECT * FROM {table}")).unwrap();
    let columns = statement.column_count();
    let mut rows = statement.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        for column in 0..columns {
            if let ValueRef::Text(text) = row.get_ref(column).unwrap() {
                texts.push(String::from_utf8(text.to_owned()).unwrap());
            }
        }
    }
    texts
}

/// No line but those that we end, and nothing that a terminal obeys.
fn assert_plain(what: &str, text: &str, line_end: &str) {
    for line in text.split(line_end) {
        let is_plain = !line.contains(|c: char| c.is_control() && c != '\t');
        assert!(is_plain && !line.starts_with(FORGED), "{what}: {line:?}");
    }
}

fn check(log_format: &str) {
    let mut victim = Victim::start(log_format);
    assert_plain("replies", &victim.hear_all(), "\r\n");
    let mail = victim.mail();
    assert!(mail.contains("Original-Recipient: ") && mail.contains("Original-Envelope-Id: "));
    assert_plain("mail", &mail, "\r\n");

    kill_process(Pid::from_child(&victim.server.process), Signal::TERM).unwrap();
    assert!(victim.server.process.wait().unwrap().success());
    let rows = victim.rows();
    assert!(rows.iter().any(|row| row.contains("Received: ")), "{rows:?}");
    for row in rows {
        assert_plain("row", &row, "\r\n");
    }
    let log = fs::read_to_string(victim.home.path("log")).unwrap();
    assert!(log.contains("goes in circles") && log.contains("an alias leads to somebody"));
    assert_plain("log", &log, "\n");
    for line in log.lines() {
        // Some programs take these for line ends, and terminals obey the last one.
        assert!(!line.contains(['\u{2028}', '\u{2029}', '\u{202e}']), "{line:?}");
        match log_format {
            "json" => drop(serde_json::from_str::<serde_json::Value>(line).unwrap()),
            _ => assert!(line.starts_with("20"), "{line:?}"),
        }
    }
}

#[test]
fn nothing_is_forged() {
    check("text");
    check("json");
}
