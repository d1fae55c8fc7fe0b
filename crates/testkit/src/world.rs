//! A server's world in memory: sessions, accounts and mailboxes, with answers as `docs/wire.md` wants them. Time goes by only when
//! a dialogue says so.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use proto::sasl::scram::{self, Verifier};
use proto::sasl::server::{Attempt, Secret};
use proto::sasl::{Bindings, Channel};
use proto::smtp::server::{Block, Config, Issued, Limits, Role, Session, Step, Timeouts, Verified};
use proto::smtp::{Reply, replies};
use proto::{Address, Domain, ForwardPath, ReversePath};

use crate::{Dialogue, Over, Wire};

/// Sessions in memory.
pub struct World {
    config: Arc<Config>,
    channel: Channel,
    /// How many octets a session gets at once.
    chunk_octets: usize,
    now: Instant,
    stopping: bool,
    clients: HashMap<String, Client>,
    mailboxes: Mailboxes,
}

#[derive(Default)]
struct Mailboxes {
    next_number: u32,
    boxes: HashMap<String, Vec<Letter>>,
    verifiers: HashMap<String, Verifier>,
}

#[derive(Clone)]
struct Letter {
    id: usize,
    from: ReversePath,
    to: Address,
    text: Vec<u8>,
}

struct Client {
    session: Session<Address>,
    identity: Option<Address>,
    /// What the client has sent and the session has not been given.
    pending: VecDeque<u8>,
    heard: VecDeque<u8>,
    closed: bool,
    content: Vec<u8>,
    drop: Vec<Letter>,
    /// How far the handing-over has come: messages, and whether the current one's text is out.
    handed: usize,
    text_is_out: bool,
}

impl World {
    /// A world as a dialogue wants it.
    pub fn new(dialogue: &Dialogue, chunk_octets: usize) -> Self {
        let defaults = Limits::default();
        let limit = |name: &str, default: u64| dialogue.limits.get(name).copied().unwrap_or(default);
        let size = |name: &str, default: usize| usize::try_from(limit(name, default as u64)).expect("a small limit");
        let limits = Limits {
            command_octets: size("command_octets", defaults.command_octets),
            message_octets: limit("message_size", defaults.message_octets),
            recipients: size("recipients", defaults.recipients),
            recipient_domains: size("recipient_domains", defaults.recipient_domains),
            transactions: size("transactions", defaults.transactions),
            errors: size("errors_per_session", defaults.errors),
            data_octets_per_second_min: limit("min_rate", defaults.data_octets_per_second_min),
        };
        let config = Config {
            hostname: hostname(),
            role: dialogue.role,
            starttls: true,
            reports: matches!(dialogue.role, Role::Clients | Role::Submission),
            limits,
            timeouts: Timeouts::default(),
        };
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
            mailboxes: Mailboxes { next_number: 9, ..Mailboxes::default() },
        }
    }

    /// All that the server has said to this client and that has not been received, as it was sent.
    pub fn heard(&mut self, client: &str) -> String {
        let heard: Vec<u8> = self.run(client).heard.drain(..).collect();
        String::from_utf8(heard).expect("the server speaks UTF-8")
    }

    /// What a mailbox holds, oldest first.
    pub fn kept(&self, user: &str) -> Vec<Vec<u8>> {
        let letters = self.mailboxes.boxes.get(&key(full_address(user).as_ref()));
        letters.into_iter().flatten().map(|letter| letter.text.clone()).collect()
    }

    fn client(&mut self, name: &str) -> &mut Client {
        self.clients.entry(name.to_owned()).or_insert_with(|| Client {
            session: Session::new(self.config.clone(), self.channel.clone(), self.now),
            identity: None,
            pending: VecDeque::new(),
            heard: VecDeque::new(),
            closed: false,
            content: Vec::new(),
            drop: Vec::new(),
            handed: 0,
            text_is_out: false,
        })
    }

    fn run(&mut self, name: &str) -> &mut Client {
        self.client(name);
        let client = self.clients.get_mut(name).expect("just made");
        if self.stopping {
            client.session.stop();
        }
        client.run(self.config.role, &mut self.mailboxes, self.chunk_octets, self.now);
        client
    }
}

impl Wire for World {
    fn send(&mut self, client: &str, octets: &[u8]) {
        self.client(client).pending.extend(octets);
        self.run(client);
    }

    fn receive(&mut self, client: &str) -> Option<String> {
        let client = self.run(client);
        match client.heard.iter().position(|octet| *octet == b'\n') {
            Some(end) => {
                let line: Vec<u8> = client.heard.drain(..=end).collect();
                let text = line.strip_suffix(b"\r\n").expect("the server's lines end in CRLF");
                Some(String::from_utf8(text.to_vec()).expect("the server speaks UTF-8"))
            }
            None => {
                assert!(client.closed, "the server says nothing");
                None
            }
        }
    }

    fn password(&mut self, user: &str, password: &str) {
        let address = full_address(user).expect("an address");
        let verifier = Verifier::derive(password, &[0; scram::SALT_OCTETS], scram::ITERATIONS);
        self.mailboxes.verifiers.insert(address.key(), verifier);
        self.mailboxes.boxes.entry(address.key()).or_default();
    }

    fn wait(&mut self, time: Duration) {
        self.now += time;
        let names: Vec<String> = self.clients.keys().cloned().collect();
        for name in names {
            self.run(&name);
        }
    }

    fn start_tls(&mut self, client: &str) {
        // Nothing is encrypted in memory: the session has been told that it is.
        self.run(client);
    }

    fn stop(&mut self) {
        self.stopping = true;
    }

    fn rest(&mut self) -> String {
        let names: Vec<String> = self.clients.keys().cloned().collect();
        names.iter().map(|name| self.heard(name)).collect()
    }
}

impl Client {
    fn run(&mut self, role: Role, world: &mut Mailboxes, chunk_octets: usize, now: Instant) {
        while !self.closed {
            match self.session.next(now) {
                Step::Poll => {
                    let arrived: Vec<u8> = self.pending.drain(..).collect();
                    self.session.receive(&arrived);
                }
                Step::NeedInput if !self.pending.is_empty() => {
                    let octets = chunk_octets.min(self.pending.len());
                    let chunk: Vec<u8> = self.pending.drain(..octets).collect();
                    self.session.receive(&chunk);
                }
                Step::NeedInput => return,
                Step::Send(octets) => self.heard.extend(octets),
                Step::Close => self.closed = true,
                Step::StartTls(tls) => {
                    self.identity = None;
                    tls.done(encrypted(), now);
                }
                Step::Register(ask) => {
                    let verdict = world.register(ask.question.name.as_ref().map(|name| name.as_str()));
                    self.identity = verdict.as_ref().ok().cloned();
                    ask.answer(verdict);
                }
                Step::IssuePassword(mut ask) => {
                    let own = ask.question.verifier.take();
                    let issued = if own.is_some() { Issued::Kept } else { Issued::Password("secret".to_owned()) };
                    let verifier =
                        own.unwrap_or_else(|| Verifier::derive("secret", &[0; scram::SALT_OCTETS], scram::ITERATIONS));
                    world.verifiers.insert(key(self.identity.as_ref()), verifier);
                    ask.answer(Ok(issued));
                }
                Step::Unregister(ask) => {
                    let key = key(self.identity.take().as_ref());
                    world.boxes.remove(&key);
                    world.verifiers.remove(&key);
                    ask.answer(Ok(()));
                }
                Step::LookUp(ask) => {
                    let verifier = world.verifier(ask.question.user()).cloned().unwrap_or_else(nobody);
                    ask.answer(Ok(Secret { verifier, nonce: NONCE.to_owned() }));
                }
                Step::Authenticate(ask) => {
                    let verdict = world.log_in(ask.question.attempt());
                    self.identity = verdict.as_ref().ok().cloned();
                    ask.answer(verdict.map(drop));
                }
                Step::Mail(ask) => {
                    let from = ask.question.reverse_path.address();
                    let identity = self.identity.as_ref().filter(|own| world.boxes.contains_key(&own.key()));
                    let verdict = match identity {
                        _ if role == Role::Lmtp => Ok(()),
                        None if role == Role::Submission => Err(replies::LOG_IN_FIRST),
                        None if role == Role::Exchanger && from.is_none_or(|from| *from.domain() != hostname()) => {
                            Ok(())
                        }
                        None => Err(replies::REGISTER_FIRST),
                        Some(own) if from.is_some_and(|from| from.key() == own.key()) => Ok(()),
                        Some(_) if role == Role::Submission && from.is_none() => Ok(()),
                        Some(_) => Err(replies::NOT_YOUR_ADDRESS),
                    };
                    ask.answer(verdict);
                }
                Step::Recipient(ask) => {
                    let verdict = world.recipient(&ask.question.forward_path);
                    ask.answer(verdict);
                }
                Step::BeginData(ask) => {
                    self.content.clear();
                    ask.answer(now);
                }
                Step::Content(octets) => self.content.extend_from_slice(octets),
                Step::Abandon => self.content.clear(),
                Step::Commit(envelope, ask) => {
                    world.deliver(&envelope.reverse_path, &envelope.recipients, &self.content);
                    ask.answer(Ok(()));
                }
                Step::CommitEach(envelope, ask) => {
                    world.deliver(&envelope.reverse_path, &envelope.recipients, &self.content);
                    ask.answer(vec![Ok(()); envelope.recipients.len()]);
                }
                Step::Verify(ask) => {
                    let verdict = match (&self.identity, world.recipient(&ask.question.mailbox)) {
                        (None, _) => Ok(Verified::NotTold),
                        (_, Err(reply)) if reply == replies::RELAYING_DENIED => Ok(Verified::NotTold),
                        (_, found) => found.map(Verified::Mailbox),
                    };
                    ask.answer(verdict);
                }
                Step::Retrieve(ask) => {
                    self.drop = world.boxes.get(&key(self.identity.as_ref())).cloned().unwrap_or_default();
                    self.handed = 0;
                    ask.answer(Ok(self.drop.len()));
                }
                Step::NextMessage(ask) => {
                    let letter = &self.drop[self.handed];
                    self.text_is_out = false;
                    ask.answer(Some(Block { from: letter.from.clone(), to: letter.to.clone() }));
                }
                Step::NextChunk(ask) if !self.text_is_out => {
                    self.text_is_out = true;
                    ask.chunk(&self.drop[self.handed].text);
                }
                Step::NextChunk(ask) => {
                    self.handed += 1;
                    ask.end();
                }
                Step::Flush(ask) => {
                    if let Some(letters) = world.boxes.get_mut(&key(self.identity.as_ref())) {
                        letters.retain(|letter| self.drop.iter().all(|flushed| flushed.id != letter.id));
                    }
                    ask.done();
                }
            }
        }
    }
}

/// The server's part of the nonce in the example of RFC 7677 §3.
pub(crate) const NONCE: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";

/// The same TLS connection every time.
pub(crate) fn encrypted() -> Channel {
    let bindings = Bindings { exporter: Some([1; 32]), server_end_point: Some(vec![2; 32]) };
    Channel::Tls(Arc::new(bindings))
}

/// What is kept of the password of somebody who does not exist.
pub(crate) fn nobody() -> Verifier {
    Verifier::derive("", &[0; scram::SALT_OCTETS], scram::ITERATIONS)
}

impl Mailboxes {
    fn verifier(&self, user: &str) -> Option<&Verifier> {
        self.verifiers.get(&key(full_address(user).as_ref()))
    }

    fn log_in(&self, attempt: &Attempt) -> Result<Address, Reply> {
        let is_right = match attempt {
            Attempt::Password(credentials) => {
                self.verifier(&credentials.user).is_some_and(|verifier| verifier.accepts(&credentials.password))
            }
            Attempt::Proof { user, verifier, is_valid } => *is_valid && self.verifier(user) == Some(verifier),
        };
        full_address(attempt.user()).filter(|_| is_right).ok_or(replies::BAD_CREDENTIALS)
    }

    fn register(&mut self, name: Option<&str>) -> Result<Address, Reply> {
        let address: Address = match name {
            None => Address::numbered(self.next_number, &hostname()),
            Some(name) if name.bytes().all(|b| b.is_ascii_digit()) => return Err(replies::NAME_NOT_ALLOWED),
            Some(name) => format!("{name}@{}", hostname()).parse().map_err(|_| replies::NAME_NOT_ALLOWED)?,
        };
        if self.boxes.contains_key(&address.key()) {
            return Err(replies::NAME_TAKEN);
        }
        self.next_number += 1;
        self.boxes.insert(address.key(), Vec::new());
        Ok(address)
    }

    fn recipient(&self, forward_path: &ForwardPath) -> Result<Address, Reply> {
        let address = match forward_path {
            ForwardPath::Postmaster => Address::postmaster(&hostname()),
            ForwardPath::Address(address) if *address.domain() != hostname() => return Err(replies::RELAYING_DENIED),
            ForwardPath::Address(address) => address.clone(),
        };
        let known = self.boxes.contains_key(&address.key()) || *forward_path == ForwardPath::Postmaster;
        if known { Ok(address) } else { Err(replies::NO_SUCH_USER) }
    }

    fn deliver(&mut self, from: &ReversePath, recipients: &[Address], text: &[u8]) {
        let id = self.boxes.values().flatten().map(|letter| letter.id + 1).max().unwrap_or(0);
        for to in recipients {
            let letter = Letter { id, from: from.clone(), to: to.clone(), text: text.to_owned() };
            self.boxes.entry(to.key()).or_default().push(letter);
        }
    }
}

pub(crate) fn hostname() -> Domain {
    "mymailserver".parse().expect("a domain")
}

/// The address of a user name, which may be one or the local part of one.
fn full_address(user: &str) -> Option<Address> {
    format!("{}@{}", user.split('@').next().unwrap_or_default(), hostname()).parse().ok()
}

fn key(address: Option<&Address>) -> String {
    address.map(Address::key).unwrap_or_default()
}
