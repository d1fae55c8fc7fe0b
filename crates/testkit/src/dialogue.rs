//! Dialogues as text files, and how they are run.
//!
//! ```text
//! # A comment. Settings come first: where the listener stands, who the peer is, limits.
//! from_outside
//! limit: recipients=2
//! S: 220 mymailserver ESMTP Service Ready
//! C: HELO
//! S: 250 OK
//! ```
//!
//! `from_outside`, `submission` and `lmtp` say what kind of listener it is, where it is none for our own clients.
//!
//! With several clients, each line begins with the client's name: `A C: HELO`. Consecutive `C:` lines of one client are sent
//! as one group. `typed` ends the lines with LF instead of CRLF, `whole` says that a group must arrive at once, `unhurried` that
//! the server lets the client speak first. `C|` sends a line without its end, and `\r`, `\n`, `\0`, `\xNN`, `{x*100}`
//! (repetition) are understood in what a client sends. In what the server says `{name}` stands for any word, and later for the
//! same word. `S: <closed>` expects the end, `C: <tls>` begins TLS, `wait: SECONDS` lets time go by, `stop` stops the server.
//! A line behind `clear:` or `tls:` counts only where the dialogue begins in clear text, or under TLS. `in_memory` says that the
//! server's part can't be foretold elsewhere.
//!
//! `config: key = value` lines are the configuration of a real server.
//!
//! Where there are mailboxes before anybody connects, `password alice: secret` makes one that this password opens, `mail alice:
//! Subject: hi\r\n\r\nHello\r\n` lets a message arrive there, and `damage alice: 1` makes its first message unreadable.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use proto::smtp::server::Role;

/// A dialogue, ready to run.
#[derive(Debug, Default)]
pub struct Dialogue {
    /// The file it comes from.
    pub path: PathBuf,
    /// Whom the listener is for.
    pub role: Role,
    /// Whether what a client says at once must arrive at once.
    pub whole: bool,
    /// Whether the client is faster than any real server's greeting.
    pub unhurried: bool,
    /// Whether the peer can be overheard.
    pub remote: bool,
    /// Whether a real server would say something else every time.
    pub in_memory: bool,
    /// What it begins over.
    pub channel: Over,
    /// The configuration of a real server, but for its listeners (TOML).
    pub config: String,
    /// Limits that differ from the default.
    pub limits: HashMap<String, u64>,
    /// What happens, in order.
    pub events: Vec<Event>,
}

/// What a dialogue begins over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Over {
    /// Clear text.
    #[default]
    Clear,
    /// TLS.
    Tls,
}

/// One thing that happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// This client sends this, `{name}` still to be filled in.
    Client(String, String),
    /// The server says this line to this client.
    Server(String, String),
    /// The server closes this client's connection.
    Closed(String),
    /// This client and the server begin TLS.
    StartTls(String),
    /// Time goes by.
    Wait(Duration),
    /// The server is told to stop.
    Stop,
    /// This user has this password.
    Password(String, String),
    /// For this user this message arrives.
    Mail(String, Vec<u8>),
    /// This user's message of this number can't be read any more.
    Damage(String, usize),
}

/// Where a dialogue runs: connections that are made when a client's name is first used.
pub trait Wire {
    /// Sends octets as this client.
    fn send(&mut self, client: &str, octets: &[u8]);
    /// The next line from the server, without its CRLF; `None` if it has closed the connection. Panics when none comes.
    fn receive(&mut self, client: &str) -> Option<String>;
    /// Encrypts this client's connection.
    fn start_tls(&mut self, client: &str);
    /// Lets time go by.
    fn wait(&mut self, time: Duration);
    /// Tells the server to stop.
    fn stop(&mut self);
    /// Makes a mailbox that this password opens.
    fn password(&mut self, user: &str, password: &str) {
        panic!("no mailbox for {user} can be made here, with {} characters for a password", password.len());
    }
    /// Lets a message arrive.
    fn mail(&mut self, user: &str, text: &[u8]) {
        panic!("{} octets can't be delivered to {user} here", text.len());
    }
    /// Makes a message unreadable.
    fn damage(&mut self, user: &str, number: usize) {
        panic!("message {number} of {user} can't be damaged here");
    }
    /// The clients say no more: what the server has said to any of them that was not received.
    fn rest(&mut self) -> String;
}

impl Dialogue {
    /// All dialogues of a folder, at least one, as they go over this channel.
    pub fn all_in(folder: &Path, channel: Over) -> Vec<Self> {
        let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
        paths.sort();
        assert!(!paths.is_empty(), "{}: no dialogues", folder.display());
        let dialogues = paths.iter().map(|path| Self::read(path, channel));
        // Under TLS nobody overhears, and TLS does not begin again.
        let fits = |dialogue: &Self| channel == Over::Clear || !(dialogue.remote || dialogue.starts_tls());
        dialogues.filter(fits).collect()
    }

    /// Reads one file.
    pub fn read(path: &Path, channel: Over) -> Self {
        let text = std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut dialogue = Self { path: path.to_owned(), channel, ..Self::default() };
        let mut line_end = "\r\n";
        for (number, line) in text.lines().enumerate() {
            let Some(line) = line_over(channel, line) else { continue };
            match line {
                "" => {}
                "from_outside" => dialogue.role = Role::Exchanger,
                "submission" => dialogue.role = Role::Submission,
                "lmtp" => dialogue.role = Role::Lmtp,
                "whole" => dialogue.whole = true,
                "unhurried" => dialogue.unhurried = true,
                "remote" => dialogue.remote = true,
                "in_memory" => dialogue.in_memory = true,
                "typed" => line_end = "\n",
                "stop" => dialogue.events.push(Event::Stop),
                _ if line.starts_with('#') => {}
                _ => {
                    dialogue.line(line, line_end).unwrap_or_else(|| panic!("{}:{}: {line}", path.display(), number + 1))
                }
            }
        }
        dialogue
    }

    fn line(&mut self, line: &str, line_end: &str) -> Option<()> {
        if let Some(limit) = line.strip_prefix("limit: ") {
            let (name, value) = limit.split_once('=')?;
            self.limits.insert(name.to_owned(), value.parse().ok()?);
            return Some(());
        }
        if let Some(config) = line.strip_prefix("config: ") {
            self.config.push_str(config);
            self.config.push('\n');
            return Some(());
        }
        if let Some(seconds) = line.strip_prefix("wait: ") {
            self.events.push(Event::Wait(Duration::from_secs(seconds.parse().ok()?)));
            return Some(());
        }
        if let Some(event) = mailbox_event(line) {
            self.events.push(event?);
            return Some(());
        }
        let (client, said) = match line.split_once(' ')? {
            ("S:" | "C:" | "C|", _) => ("", line),
            (client, said) => (client, said),
        };
        let (who, text) = said.split_at_checked(2)?;
        let text = text.strip_prefix(' ').unwrap_or(text);
        let client = client.to_owned();
        match (who, text) {
            ("S:", "<closed>") => self.events.push(Event::Closed(client)),
            ("S:", text) => self.events.push(Event::Server(client, text.to_owned())),
            ("C:", "<tls>") => self.events.push(Event::StartTls(client)),
            ("C:", text) => self.say(client, &(unescape(text) + line_end)),
            ("C|", text) => self.say(client, &unescape(text)),
            _ => return None,
        }
        Some(())
    }

    /// Adds to what this client has just said, or begins anew.
    fn say(&mut self, client: String, text: &str) {
        match self.events.last_mut() {
            Some(Event::Client(last, said)) if *last == client => said.push_str(text),
            _ => self.events.push(Event::Client(client, text.to_owned())),
        }
    }

    /// Whether it can run where time goes by at its own pace and stopping ends the server.
    pub fn runs_in_real_time(&self) -> bool {
        !self.unhurried
            && !self.in_memory
            && !self.events.iter().any(|event| matches!(event, Event::Wait(_) | Event::Stop))
    }

    fn starts_tls(&self) -> bool {
        self.events.iter().any(|event| matches!(event, Event::StartTls(_)))
    }

    /// Runs it; panics at the first line that differs, with what was said so far.
    pub fn run(&self, wire: &mut impl Wire) {
        let mut words: HashMap<String, String> = HashMap::new();
        let mut said = String::new();
        for event in &self.events {
            match event {
                Event::Client(client, text) => {
                    let text = fill(text, &words);
                    said.push_str(&format!("{client} C: {text:?}\n"));
                    wire.send(client, &unescape_octets(&text));
                }
                Event::Server(client, pattern) => {
                    let line = wire.receive(client);
                    let matches = line.as_deref().is_some_and(|line| matches(pattern, line, &mut words));
                    assert!(matches, "{}\n{said}{client} S: {pattern}\nbut got: {line:?}", self.path.display());
                    said.push_str(&format!("{client} S: {}\n", line.unwrap_or_default()));
                }
                Event::Closed(client) => {
                    let line = wire.receive(client);
                    assert_eq!(line, None, "{}\n{said}{client} should be closed", self.path.display());
                }
                Event::StartTls(client) => wire.start_tls(client),
                Event::Wait(time) => wire.wait(*time),
                Event::Stop => wire.stop(),
                Event::Password(user, password) => wire.password(user, password),
                Event::Mail(user, text) => wire.mail(user, text),
                Event::Damage(user, number) => wire.damage(user, *number),
            }
        }
        assert_eq!(wire.rest(), "", "{}\n{said}and nothing more", self.path.display());
    }
}

/// The line, if it counts over this channel.
fn line_over(channel: Over, line: &str) -> Option<&str> {
    match (line.strip_prefix("clear: "), line.strip_prefix("tls: ")) {
        (Some(line), _) => (channel == Over::Clear).then_some(line),
        (_, Some(line)) => (channel == Over::Tls).then_some(line),
        (None, None) => Some(line),
    }
}

/// What happens to a mailbox, if the line is about that; `Some(None)`: in words that make no sense.
fn mailbox_event(line: &str) -> Option<Option<Event>> {
    let (verb, rest) = line.split_once(' ').filter(|(verb, _)| matches!(*verb, "password" | "mail" | "damage"))?;
    Some(rest.split_once(": ").and_then(|(user, value)| {
        let user = user.to_owned();
        Some(match verb {
            "password" => Event::Password(user, unescape(value)),
            "mail" => Event::Mail(user, unescape_octets(&unescape(value))),
            _ => Event::Damage(user, value.parse().ok()?),
        })
    }))
}

/// Fills words in that the server has said.
fn fill(text: &str, words: &HashMap<String, String>) -> String {
    words.iter().fold(text.to_owned(), |text, (name, word)| text.replace(&format!("{{{name}}}"), word))
}

/// Compares, and learns new words.
fn matches(pattern: &str, line: &str, words: &mut HashMap<String, String>) -> bool {
    let pattern = fill(pattern, words);
    let Some((before, rest)) = pattern.split_once('{') else { return pattern == line };
    let Some((name, after)) = rest.split_once('}') else { return pattern == line };
    let Some(line) = line.strip_prefix(before) else { return false };
    let word = &line[..line.find([' ', '@']).unwrap_or(line.len())];
    words.insert(name.to_owned(), word.to_owned());
    !word.is_empty() && matches(after, &line[word.len()..], words)
}

/// Control characters and repetitions. Octets over 127 stay escaped as private characters until they are sent.
fn unescape(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '{']) {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        let (replacement, used) = unescape_one(rest).unwrap_or_else(|| (rest[..1].to_owned(), 1));
        plain.push_str(&replacement);
        rest = &rest[used..];
    }
    plain + rest
}

fn unescape_one(text: &str) -> Option<(String, usize)> {
    if let Some(repetition) = text.strip_prefix('{') {
        let (inner, _) = repetition.split_once('}')?;
        let (what, times) = inner.rsplit_once('*')?;
        return Some((unescape(what).repeat(times.parse().ok()?), inner.len() + 2));
    }
    let c = match text.get(1..2)? {
        "r" => '\r',
        "n" => '\n',
        "0" => '\0',
        "\\" => '\\',
        "x" => {
            let octet = u8::from_str_radix(text.get(2..4)?, 16).ok()?;
            let c = if octet < 0x80 { octet.into() } else { char::from_u32(PRIVATE + u32::from(octet))? };
            return Some((c.to_string(), 4));
        }
        _ => return None,
    };
    Some((c.to_string(), 2))
}

/// Where octets over 127 hide in a string: a private-use area.
const PRIVATE: u32 = 0xE000;

fn unescape_octets(text: &str) -> Vec<u8> {
    let mut octets = Vec::with_capacity(text.len());
    for c in text.chars() {
        match u32::from(c).checked_sub(PRIVATE).and_then(|octet| u8::try_from(octet).ok()) {
            Some(octet) => octets.push(octet),
            None => octets.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    octets
}
