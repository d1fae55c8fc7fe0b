//! A POP3 server's world in memory: sessions, and the mailboxes that a dialogue fills. Time goes by only when it says so.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::pop3::server::{Config, Limits, Message, Session, Step};
use proto::pop3::{Response, responses};
use proto::sasl::Channel;
use proto::sasl::scram::{self, Verifier};
use proto::sasl::server::{Attempt, Secret};

use crate::world::{NONCE, encrypted, hostname, nobody};
use crate::{Dialogue, Over, Wire};

/// The least that RFC 1939 §3 allows.
const TIMEOUT: Duration = Duration::from_secs(10 * 60);
/// The salt in the example of RFC 7677 §3.
const SALT: [u8; scram::SALT_OCTETS] = *b"\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81";
/// How much of a message is read at once.
const CHUNK_OCTETS: usize = 8 << 10;

/// Sessions in memory.
pub struct Pop3World {
    config: Arc<Config>,
    channel: Channel,
    /// How many octets a session gets at once, from its client and from a message.
    chunk_octets: usize,
    now: Instant,
    stopping: bool,
    clients: HashMap<String, Client>,
    mailboxes: Mailboxes,
}

#[derive(Default)]
struct Mailboxes {
    letters: HashMap<String, Vec<Letter>>,
    passwords: HashMap<String, Verifier>,
    damaged: HashSet<usize>,
    /// How many messages have ever arrived.
    arrived: usize,
    /// How many more can be removed.
    removals: u64,
}

/// A message in a mailbox.
#[derive(Clone)]
struct Letter {
    id: usize,
    text: Arc<Vec<u8>>,
}

impl Message for Letter {
    fn octets(&self) -> u64 {
        self.text.len() as u64
    }

    fn unique_id(&self) -> String {
        format!("u{}", self.id)
    }
}

struct Client {
    session: Session<Letter>,
    user: String,
    /// What the client has sent and the session has not been given.
    pending: VecDeque<u8>,
    heard: VecDeque<u8>,
    closed: bool,
    /// The message that is open, and how much of it is out.
    open: Arc<Vec<u8>>,
    out: usize,
}

impl Pop3World {
    /// A world as a dialogue wants it.
    pub fn new(dialogue: &Dialogue, chunk_octets: usize) -> Self {
        let limit = |name: &str| dialogue.limits.get(name).copied();
        let size = |name: &str, default: usize| {
            limit(name).map_or(default, |value| usize::try_from(value).expect("a small limit"))
        };
        let defaults = Limits::default();
        let limits = Limits {
            command_octets: size("command_octets", defaults.command_octets),
            errors: size("errors_per_session", defaults.errors),
        };
        let config = Config { hostname: hostname(), starttls: true, limits, timeout: TIMEOUT };
        Self {
            config: Arc::new(config),
            channel: match dialogue.channel {
                Over::Tls => encrypted(),
                Over::Clear if dialogue.remote => Channel::Clear,
                Over::Clear => Channel::Local,
            },
            chunk_octets,
            now: Instant::now(),
            stopping: false,
            clients: HashMap::new(),
            mailboxes: Mailboxes { removals: limit("removals").unwrap_or(u64::MAX), ..Mailboxes::default() },
        }
    }

    /// All that the server has said to this client and that has not been received, as it was sent.
    pub fn heard(&mut self, client: &str) -> String {
        let heard: Vec<u8> = self.run(client).heard.drain(..).collect();
        String::from_utf8(heard).expect("the server speaks UTF-8")
    }

    fn client(&mut self, name: &str) -> &mut Client {
        self.clients.entry(name.to_owned()).or_insert_with(|| Client {
            session: Session::new(self.config.clone(), self.channel.clone(), self.now),
            user: String::new(),
            pending: VecDeque::new(),
            heard: VecDeque::new(),
            closed: false,
            open: Arc::default(),
            out: 0,
        })
    }

    fn run(&mut self, name: &str) -> &mut Client {
        self.client(name);
        let client = self.clients.get_mut(name).expect("just made");
        if self.stopping {
            client.session.stop();
        }
        client.run(&mut self.mailboxes, self.chunk_octets, self.now);
        client
    }
}

impl Wire for Pop3World {
    fn send(&mut self, client: &str, octets: &[u8]) {
        self.client(client).pending.extend(octets);
        self.run(client);
    }

    fn receive(&mut self, client: &str) -> Option<String> {
        let client = self.run(client);
        let Some(end) = client.heard.iter().position(|octet| *octet == b'\n') else {
            assert!(client.closed, "the server says nothing");
            assert!(client.heard.is_empty(), "the server has said half a line");
            return None;
        };
        let line: Vec<u8> = client.heard.drain(..=end).collect();
        let text = line.strip_suffix(b"\r\n").expect("the server's lines end in CRLF");
        Some(String::from_utf8(text.to_vec()).expect("the server speaks UTF-8"))
    }

    fn start_tls(&mut self, client: &str) {
        // Nothing is encrypted in memory: the session has been told that it is.
        self.run(client);
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        let names: Vec<String> = self.clients.keys().cloned().collect();
        for name in names {
            self.run(&name);
        }
    }

    fn stop(&mut self) {
        self.stopping = true;
    }

    fn password(&mut self, user: &str, password: &str) {
        let verifier = Verifier::derive(password, &SALT, scram::ITERATIONS);
        self.mailboxes.passwords.insert(user.to_owned(), verifier);
    }

    fn mail(&mut self, user: &str, text: &[u8]) {
        self.mailboxes.arrived += 1;
        let letter = Letter { id: self.mailboxes.arrived, text: Arc::new(text.to_vec()) };
        self.mailboxes.letters.entry(user.to_owned()).or_default().push(letter);
    }

    fn damage(&mut self, user: &str, number: usize) {
        let id = self.mailboxes.letters[user][number - 1].id;
        self.mailboxes.damaged.insert(id);
    }

    fn rest(&mut self) -> String {
        let names: Vec<String> = self.clients.keys().cloned().collect();
        names.iter().map(|name| self.heard(name)).collect()
    }
}

impl Client {
    fn run(&mut self, world: &mut Mailboxes, chunk_octets: usize, now: Instant) {
        while !self.closed {
            match self.session.next(now) {
                Step::NeedInput if !self.pending.is_empty() => {
                    let octets = chunk_octets.min(self.pending.len());
                    let chunk: Vec<u8> = self.pending.drain(..octets).collect();
                    self.session.receive(&chunk);
                }
                Step::NeedInput => return,
                Step::Send(octets) => self.heard.extend(octets),
                Step::Close => self.closed = true,
                Step::StartTls(tls) => tls.done(encrypted(), now),
                Step::LookUp(ask) => {
                    let verifier = world.verifier(ask.question.user()).cloned().unwrap_or_else(nobody);
                    ask.answer(Ok(Secret { verifier, nonce: NONCE.to_owned() }));
                }
                Step::Authenticate(ask) => {
                    let verdict = world.log_in(ask.question.attempt());
                    self.user = local_part(ask.question.attempt().user()).to_owned();
                    ask.answer(verdict);
                }
                Step::OpenMessage(ask) => {
                    let verdict = world.open(&self.user, &ask.question.message);
                    self.open = ask.question.message.text.clone();
                    self.out = 0;
                    ask.answer(verdict);
                }
                Step::NextChunk(ask) => {
                    let octets = chunk_octets.min(CHUNK_OCTETS).min(self.open.len() - self.out);
                    let chunk = &self.open[self.out..][..octets];
                    self.out += octets;
                    if chunk.is_empty() { ask.end() } else { ask.chunk(chunk) }
                }
                Step::Update(ask) => {
                    let verdict = world.remove(&self.user, &ask.question.deleted);
                    ask.answer(verdict);
                }
            }
        }
    }
}

impl Mailboxes {
    fn verifier(&self, user: &str) -> Option<&Verifier> {
        self.passwords.get(local_part(user))
    }

    fn log_in(&self, attempt: &Attempt) -> Result<Vec<Letter>, Response> {
        let is_right = match attempt {
            Attempt::Password(credentials) => {
                self.verifier(&credentials.user).is_some_and(|verifier| verifier.accepts(&credentials.password))
            }
            Attempt::Proof { user, verifier, is_valid } => *is_valid && self.verifier(user) == Some(verifier),
        };
        if !is_right {
            return Err(responses::BAD_CREDENTIALS);
        }
        Ok(self.letters.get(local_part(attempt.user())).cloned().unwrap_or_default())
    }

    fn open(&self, user: &str, letter: &Letter) -> Result<(), Response> {
        let is_there = self.letters[user].iter().any(|kept| kept.id == letter.id);
        match self.damaged.contains(&letter.id) {
            _ if !is_there => Err(responses::MESSAGE_GONE),
            true => Err(responses::MESSAGE_DAMAGED),
            false => Ok(()),
        }
    }

    fn remove(&mut self, user: &str, deleted: &[Letter]) -> Result<(), Response> {
        assert!(!deleted.is_empty(), "that nothing was deleted is no question");
        let letters = self.letters.entry(user.to_owned()).or_default();
        for letter in deleted {
            self.removals = self.removals.checked_sub(1).ok_or(responses::NOT_REMOVED)?;
            letters.retain(|kept| kept.id != letter.id);
        }
        Ok(())
    }
}

/// Of a user name, which may be an address.
fn local_part(user: &str) -> &str {
    user.split('@').next().unwrap_or_default()
}
