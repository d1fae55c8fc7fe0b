//! The server's side of a POP3 session (RFC 1939), as a machine that never decides.
//!
//! Whoever drives it hands over what the peer sent ([`Session::receive`]) and asks for the [`Session::next`] step until there is
//! need for more. A step is something to write, or a question: the session knows how an answer is said, the driver knows what
//! the answer is. The verbs stand in one table (`verbs.rs`), the capabilities in another (`capabilities.rs`).
//!
//! A login brings a snapshot of the maildrop, and only [`Update`] ever takes something from it: the client has said QUIT and
//! lives to hear the answer. However else a session ends, nothing is deleted.

mod capabilities;
mod config;
mod core;
mod listing;
mod login;
mod maildrop;
mod message;
mod step;
mod stls;
mod top;
mod update;
mod verbs;

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;

pub use self::config::{Config, Limits};
pub use self::maildrop::Message;
pub use self::message::{NextChunk, OpenMessage};
pub use self::step::{Ask, Step};
pub use self::stls::StartTls;
pub use self::update::Update;

use self::core::Core;
use self::listing::Listing;
use self::login::Authorization;
use self::maildrop::Maildrop;
use self::step::Question;
use super::{Response, responses};
use crate::flow::Line;
use crate::sasl::Channel;
use crate::sasl::server::Exchange;

/// One session.
pub struct Session<M> {
    core: Core,
    state: State<M>,
}

/// Where a session is. Each state holds its own data, and moving on takes it by value.
enum State<M> {
    /// The greeting is due.
    Greeting,
    /// Between two commands.
    Command(Stage<M>),
    /// The client owes a response of its login.
    Sasl(Exchange),
    /// The login is granted: the client owes the sign that it has heard the server's proof.
    Confirming(Exchange, Maildrop<M>),
    /// A listing is going out.
    Listing(Listing<M>),
    /// A question is to be put.
    Asking(Question<M>),
    /// A question was put.
    Asked,
    /// TLS begins when the response that says so is out.
    BeforeTls,
    /// The rest of the output is due, then the end.
    Closing,
}

/// Which of RFC 1939's states the next command comes in. Its third, UPDATE, is a question: [`Update`].
enum Stage<M> {
    Authorization(Authorization),
    Transaction(Maildrop<M>),
}

/// What a move came to, before anything is lent out.
enum Move<M> {
    NeedInput,
    Send,
    Close,
    StartTls,
    Ask(Question<M>),
}

impl<M: Message> Session<M> {
    /// A session that has just been connected over this channel.
    pub fn new(config: Arc<Config>, channel: Channel, now: Instant) -> Self {
        Self { core: Core::new(config, channel, now), state: State::Greeting }
    }

    /// Takes what the peer sent.
    pub fn receive(&mut self, octets: &[u8]) {
        self.core.flow.input.extend_from_slice(octets);
    }

    /// Where a driver may put what the peer sent, to spare a copy: up to [`crate::INPUT_OCTETS_MAX`] in all.
    pub fn input(&mut self) -> &mut BytesMut {
        &mut self.core.flow.input
    }

    /// The server is stopping: the session ends at its next command.
    pub fn stop(&mut self) {
        self.core.stopping = true;
    }

    /// Whether [`Session::stop`] has been called.
    pub fn is_stopping(&self) -> bool {
        self.core.stopping
    }

    /// Why the session has ended, or will with its next step, if the client did not wish it to.
    pub fn ended_by(&self) -> Option<&Response> {
        self.core.ended_by.as_ref()
    }

    /// When a session that needs input has waited long enough; the step after that ends it without a word (RFC 1939 §3).
    pub fn deadline(&self) -> Instant {
        self.core.flow.idle_since + self.core.config.timeout
    }

    /// The next step. It takes for granted that the one before has been done: what was to be written is written.
    pub fn next(&mut self, now: Instant) -> Step<'_, M> {
        self.core.flow.settle(now);
        let made = loop {
            if let Some(made) = self.advance(now) {
                break made;
            }
        };
        match made {
            Move::NeedInput => Step::NeedInput,
            Move::Send => Step::Send(self.core.flow.lend_output()),
            Move::Close => Step::Close,
            Move::StartTls => Step::StartTls(StartTls::new(self)),
            Move::Ask(question) => question.put(self),
        }
    }

    fn advance(&mut self, now: Instant) -> Option<Move<M>> {
        match mem::replace(&mut self.state, State::Asked) {
            state @ (State::Command(_) | State::Listing(_) | State::Asking(_)) if self.core.flow.is_full() => {
                self.send(state)
            }
            State::Greeting => {
                let greeting = format!("{} POP3 server ready", self.core.config.hostname);
                self.core.respond(&Response::ok(greeting));
                self.proceed(State::Command(Stage::Authorization(Authorization::default())))
            }
            State::Command(_) | State::Sasl(_) | State::Confirming(..) if self.core.stopping => {
                self.close_with(&responses::STOPPING)
            }
            State::Command(stage) => match self.core.flow.command(self.core.config.limits.command_octets) {
                Line::Partial => self.wait(State::Command(stage), now),
                Line::TooLong => self.refuse_line(&responses::LINE_TOO_LONG, State::Command(stage)),
                Line::BareLineEnd => self.refuse_line(&responses::BARE_LINE_END, State::Command(stage)),
                Line::Foreign => self.close_with(&responses::NOT_POP3),
                Line::Command(line) => {
                    let next = verbs::command(&mut self.core, &line, stage);
                    self.core.flow.recycle(line);
                    self.proceed(next)
                }
            },
            State::Sasl(exchange) => match self.core.flow.response() {
                Line::Partial => self.wait(State::Sasl(exchange), now),
                Line::TooLong => self.refuse_line(&responses::LINE_TOO_LONG, Authorization::again()),
                Line::BareLineEnd => self.refuse_line(&responses::BARE_LINE_END, Authorization::again()),
                Line::Foreign => self.close_with(&responses::NOT_POP3),
                Line::Command(line) => {
                    let next = login::response(&mut self.core, exchange, &line);
                    self.core.flow.recycle(line);
                    self.proceed(next)
                }
            },
            State::Confirming(exchange, maildrop) => match self.core.flow.response() {
                Line::Partial => self.wait(State::Confirming(exchange, maildrop), now),
                Line::TooLong | Line::BareLineEnd | Line::Foreign => self.close_with(&responses::BAD_RESPONSE),
                Line::Command(line) => {
                    let next = login::confirmation(&mut self.core, exchange, maildrop, &line);
                    self.core.flow.recycle(line);
                    self.proceed(next)
                }
            },
            State::Listing(listing) => {
                let next = listing.go_on(&mut self.core);
                self.proceed(next)
            }
            State::Asking(question) => {
                // A message that nobody goes on with ends without a word: it would be one of the message's.
                if matches!(question, Question::NextChunk(_)) {
                    self.state = State::Closing;
                }
                Some(Move::Ask(question))
            }
            State::Asked => self.close_with(&responses::INTERNAL),
            State::BeforeTls if !self.core.flow.output.is_empty() => self.send(State::BeforeTls),
            State::BeforeTls => Some(Move::StartTls),
            State::Closing if !self.core.flow.output.is_empty() => self.send(State::Closing),
            State::Closing => {
                self.state = State::Closing;
                Some(Move::Close)
            }
        }
    }

    fn proceed(&mut self, next: State<M>) -> Option<Move<M>> {
        self.go(next);
        None
    }

    /// Goes on, unless the client has been told that this is the end.
    fn go(&mut self, next: State<M>) {
        self.state = if self.core.ended_by.is_some() { State::Closing } else { next };
    }

    fn send(&mut self, state: State<M>) -> Option<Move<M>> {
        self.state = state;
        Some(Move::Send)
    }

    /// There is nothing to go on with: what is to be said is said, and the client's time runs.
    fn wait(&mut self, state: State<M>, now: Instant) -> Option<Move<M>> {
        if !self.core.flow.output.is_empty() {
            return self.send(state);
        }
        if now >= self.deadline() {
            return self.proceed(State::Closing);
        }
        self.state = state;
        self.core.flow.rest();
        Some(Move::NeedInput)
    }

    fn refuse_line(&mut self, response: &Response, state: State<M>) -> Option<Move<M>> {
        self.core.error(response);
        self.proceed(state)
    }

    fn close_with(&mut self, response: &Response) -> Option<Move<M>> {
        self.core.end(response);
        self.proceed(State::Closing)
    }
}
