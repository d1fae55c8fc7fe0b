//! The server's side of an SMTP session (RFC 5321), as a machine that never decides.
//!
//! Whoever drives it hands over what the peer sent ([`Session::receive`]) and asks for the [`Session::next`] step until there is
//! need for more. A step is something to write, something that was received, or a question: the session knows how an answer is
//! said, the driver knows what the answer is. The verbs stand in one table (`verbs.rs`), the extensions in another
//! (`extensions.rs`).
//!
//! `R` is what the driver knows a recipient by: it gives one with each that it accepts, and gets all of them back with the
//! [`Envelope`].

mod account;
mod auth;
mod config;
mod content;
mod core;
mod dropping;
mod extensions;
mod handover;
mod mail;
mod pace;
mod parameters;
mod starttls;
mod step;
mod verbs;
mod verify;

use std::mem;
use std::ops::Range;
use std::sync::Arc;
use std::time::Instant;

use bytes::BytesMut;

pub use self::account::{IssuePassword, Issued, Register, Unregister};
pub use self::config::{Config, Limits, Role, Timeouts, WAIT_MAX};
pub use self::content::{BeginData, Commit, CommitEach};
pub use self::core::Hello;
pub use self::handover::{Block, Flush, NextChunk, NextMessage, Retrieve};
pub use self::mail::{Envelope, Mail, Recipient};
pub use self::parameters::{Body, Parameters};
pub use self::starttls::StartTls;
pub use self::step::{Ask, Step};
pub use self::verify::{Verified, Verify};

use self::content::{Received, Receiving};
use self::core::Core;
use self::dropping::Dropping;
use self::mail::Transaction;
use self::step::Question;
use super::{Reply, replies};
use crate::flow::Line;
use crate::sasl::Channel;
use crate::sasl::server::Exchange;

/// One session.
pub struct Session<R> {
    core: Core,
    state: State<R>,
}

/// Where a session is. Each state holds its own data, and moving on takes it by value.
enum State<R> {
    /// Nothing has been looked at or said.
    Fresh,
    /// The greeting is due.
    Greeting,
    /// Between two commands, perhaps inside a transaction.
    Command(Option<Transaction<R>>),
    /// The client owes a response of its login.
    Sasl(Exchange),
    /// The login is granted: the client owes the sign that it has heard the server's proof.
    Confirming(Exchange),
    /// A question is to be put.
    Asking(Question<R>),
    /// A question was put.
    Asked,
    /// Mail data is coming in.
    Data(Box<Receiving<R>>),
    /// A chunk of mail data is coming in that is of no use.
    Dropping(Dropping<R>),
    /// TLS begins when the reply that says so is out.
    BeforeTls,
    /// A maildrop has gone out but for what ends with its last dot.
    BeforeLastDot,
    /// All that has arrived by now is known: that may go out too.
    LastDot,
    /// The rest of the output is due, then the end.
    Closing,
}

/// What a move came to, before anything is lent out.
#[allow(clippy::large_enum_variant, reason = "it lives for a moment, on the stack")]
enum Move<R> {
    NeedInput,
    Poll,
    Send,
    Close,
    StartTls,
    Content(Range<usize>),
    LineEnd,
    Abandon,
    Ask(Question<R>),
}

impl<R: 'static> Session<R> {
    /// A session that has just been connected over this channel.
    pub fn new(config: Arc<Config>, channel: Channel, now: Instant) -> Self {
        Self { core: Core::new(config, channel, now), state: State::Fresh }
    }

    /// Takes what the peer sent.
    pub fn receive(&mut self, octets: &[u8]) {
        self.core.flow.input.extend_from_slice(octets);
    }

    /// Where a driver may put what the peer sent, to spare a copy: up to [`crate::INPUT_OCTETS_MAX`] in all.
    pub fn input(&mut self) -> &mut BytesMut {
        &mut self.core.flow.input
    }

    /// What is polled for has arrived in part: the peer has begun to say more than can be had yet.
    pub fn expect_more(&mut self) {
        self.core.expect_more();
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
    pub fn ended_by(&self) -> Option<&Reply> {
        self.core.ended_by.as_ref()
    }

    /// When a session that needs input has waited long enough; the step after that says so.
    pub fn deadline(&self) -> Instant {
        match &self.state {
            State::Data(receiving) => receiving.deadline(&self.core.config),
            State::Dropping(dropping) => dropping.deadline(&self.core.config),
            _ => self.core.flow.idle_since + self.core.config.timeouts.command,
        }
    }

    /// The next step. It takes for granted that the one before has been done: what was to be written is written.
    pub fn next(&mut self, now: Instant) -> Step<'_, R> {
        self.core.flow.settle(now);
        let made = loop {
            if let Some(made) = self.advance(now) {
                break made;
            }
        };
        match made {
            Move::NeedInput => Step::NeedInput,
            Move::Poll => Step::Poll,
            Move::Send => Step::Send(self.core.flow.lend_output()),
            Move::Close => Step::Close,
            Move::StartTls => Step::StartTls(StartTls::new(self)),
            Move::Content(range) => Step::Content(&self.core.flow.input[range]),
            Move::LineEnd => Step::Content(b"\r\n"),
            Move::Abandon => Step::Abandon,
            Move::Ask(question) => question.put(self),
        }
    }

    fn advance(&mut self, now: Instant) -> Option<Move<R>> {
        self.core.flow.drop_lent();
        match mem::replace(&mut self.state, State::Asked) {
            State::Fresh => {
                self.state = State::Greeting;
                self.core.config.role.is_strict().then_some(Move::Poll)
            }
            State::Greeting => {
                let next = verbs::greet(&mut self.core);
                self.proceed(next)
            }
            State::Command(transaction) if self.core.flow.is_full() => {
                self.proceed(State::Command(transaction));
                Some(Move::Send)
            }
            State::Command(None) if mem::take(&mut self.core.has_content) => {
                self.state = State::Command(None);
                Some(Move::Abandon)
            }
            State::Command(transaction) if self.core.takes_confirmation() => {
                self.proceed(State::Asking(Question::Flush(Flush { transaction })))
            }
            State::Command(_) | State::Sasl(_) | State::Confirming(_) if self.core.stopping => {
                self.close_with(&replies::STOPPING)
            }
            State::Command(transaction) => match self.core.flow.command(self.core.config.limits.command_octets) {
                Line::Partial => self.wait(State::Command(transaction), now),
                Line::TooLong => self.refuse_line(&replies::LINE_TOO_LONG, transaction),
                Line::BareLineEnd => self.refuse_line(&replies::BARE_LINE_END, transaction),
                Line::Foreign => self.close_with(&replies::NOT_SMTP),
                Line::Command(line) => {
                    let next = verbs::command(&mut self.core, &line, transaction, now);
                    self.core.flow.recycle(line);
                    self.proceed(next)
                }
            },
            State::Sasl(exchange) => match self.core.flow.response() {
                Line::Partial => self.wait(State::Sasl(exchange), now),
                Line::TooLong => self.refuse_line(&replies::LINE_TOO_LONG, None),
                Line::BareLineEnd => self.refuse_line(&replies::BARE_LINE_END, None),
                Line::Foreign => self.close_with(&replies::NOT_SMTP),
                Line::Command(line) => {
                    let next = auth::response(&mut self.core, exchange, &line);
                    self.core.flow.recycle(line);
                    self.proceed(next)
                }
            },
            State::Confirming(exchange) => match self.core.flow.response() {
                Line::Partial => self.wait(State::Confirming(exchange), now),
                Line::TooLong | Line::BareLineEnd | Line::Foreign => self.close_with(&replies::BAD_RESPONSE),
                Line::Command(line) => {
                    let next = auth::confirmation(&mut self.core, exchange, &line);
                    self.core.flow.recycle(line);
                    self.proceed(next)
                }
            },
            State::Asking(question) if self.core.flow.output.len() > question.output_octets_max() => {
                self.state = State::Asking(question);
                Some(Move::Send)
            }
            State::Asking(question) => Some(Move::Ask(question)),
            State::Asked => self.close_with(&replies::INTERNAL),
            State::Data(receiving) => self.receive_data(receiving, now),
            State::Dropping(mut dropping) => match dropping.read(&mut self.core, now) {
                true => {
                    let next = dropping.finish(&mut self.core);
                    self.proceed(next)
                }
                false => self.wait(State::Dropping(dropping), now),
            },
            State::BeforeTls if !self.core.flow.output.is_empty() => {
                self.state = State::BeforeTls;
                Some(Move::Send)
            }
            State::BeforeTls => Some(Move::StartTls),
            State::BeforeLastDot => {
                self.state = State::LastDot;
                Some(Move::Poll)
            }
            State::LastDot => {
                self.core.expect_confirmation();
                self.state = State::Command(None);
                Some(Move::Send)
            }
            State::Closing => {
                self.state = State::Closing;
                Some(if self.core.flow.output.is_empty() { Move::Close } else { Move::Send })
            }
        }
    }

    fn proceed(&mut self, next: State<R>) -> Option<Move<R>> {
        self.go(next);
        None
    }

    /// Goes on, unless the client has been told that this is the end.
    fn go(&mut self, next: State<R>) {
        self.state = if self.core.is_over() { State::Closing } else { next };
    }

    /// There is nothing to go on with: what is to be said is said, and the client's time runs.
    fn wait(&mut self, state: State<R>, now: Instant) -> Option<Move<R>> {
        self.state = state;
        if !self.core.flow.output.is_empty() {
            Some(Move::Send)
        } else if now >= self.deadline() {
            self.close_with(&replies::TIMEOUT)
        } else {
            // Mail data comes at a pace that is worth its buffers.
            if !matches!(self.state, State::Data(_) | State::Dropping(_)) {
                self.core.flow.rest();
            }
            Some(Move::NeedInput)
        }
    }

    fn refuse_line(&mut self, reply: &Reply, transaction: Option<Transaction<R>>) -> Option<Move<R>> {
        self.core.error(reply);
        let is_chunk = verbs::announces_chunk(self.core.flow.bad_line());
        let next = if is_chunk { State::Closing } else { State::Command(transaction) };
        self.proceed(next)
    }

    fn close_with(&mut self, reply: &Reply) -> Option<Move<R>> {
        self.core.reply(reply);
        self.core.ended_by = Some(reply.clone());
        self.state = State::Closing;
        None
    }

    fn receive_data(&mut self, mut receiving: Box<Receiving<R>>, now: Instant) -> Option<Move<R>> {
        let received = receiving.read(&mut self.core, now);
        if let Received::End = received {
            let next = receiving.finish(&mut self.core);
            return self.proceed(next);
        }
        let state = State::Data(receiving);
        if let Received::More = received {
            return self.wait(state, now);
        }
        self.state = state;
        match received {
            Received::Content(range) => Some(Move::Content(range)),
            Received::LineEnd => Some(Move::LineEnd),
            Received::Bad => {
                self.core.has_content = false;
                Some(Move::Abandon)
            }
            Received::Dropped | Received::More | Received::End => None,
        }
    }
}
