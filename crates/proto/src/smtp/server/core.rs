//! What a session holds in every state: its buffers, whom it talks to, and what it has counted.

use std::mem;
use std::sync::Arc;
use std::time::Instant;

use super::config::{Config, Role};
use crate::flow::{Flow, INPUT_OCTETS_MAX};
use crate::sasl::Channel;
use crate::smtp::{Reply, replies};

/// How the client said hello.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Hello {
    /// Not yet.
    #[default]
    None,
    /// `HELO`, with the name it gave, if any.
    Helo(Option<String>),
    /// `EHLO`, with the name it gave.
    Ehlo(String),
    /// `LHLO`, with the name it gave (RFC 2033 §4.1).
    Lhlo(String),
}

impl Hello {
    /// The name that the client gave.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::None | Self::Helo(None) => None,
            Self::Helo(Some(name)) | Self::Ehlo(name) | Self::Lhlo(name) => Some(name),
        }
    }

    /// Whether it was told the extensions, and knows enhanced status codes.
    pub fn is_extended(&self) -> bool {
        matches!(self, Self::Ehlo(_) | Self::Lhlo(_))
    }
}

/// What all states share.
pub(super) struct Core {
    pub(super) config: Arc<Config>,
    /// Who could overhear it.
    pub(super) channel: Channel,
    pub(super) hello: Hello,
    /// Whether the session speaks for an account.
    pub(super) bound: bool,
    pub(super) stopping: bool,
    /// How many messages the client has begun.
    pub(super) transactions: usize,
    /// Whether the driver holds octets of a message.
    pub(super) has_content: bool,
    /// Whether a chunk was refused and its message may go on: the client may have sent the rest before it heard of that.
    pub(super) in_refused_message: bool,
    pub(super) flow: Flow,
    errors: usize,
    /// By what the client has been told that this is the end (421, RFC 5321 §3.8).
    pub(super) ended_by: Option<Reply>,
    /// Set while messages have been handed over and their reader has not shown yet that it has them: up to where the input
    /// arrived before the writing that ends with the last dot. Commands in that part show nothing.
    unconfirmed: Option<u64>,
    /// More has been sent than has arrived here.
    under_way: bool,
}

impl Core {
    pub(super) fn new(config: Arc<Config>, channel: Channel, now: Instant) -> Self {
        let flow = Flow::new(config.role.is_strict(), now);
        Self {
            config,
            channel,
            hello: Hello::None,
            bound: false,
            stopping: false,
            transactions: 0,
            has_content: false,
            in_refused_message: false,
            flow,
            errors: 0,
            ended_by: None,
            unconfirmed: None,
            under_way: false,
        }
    }

    /// Messages have been handed over, all but what is written last, with the last dot.
    pub(super) fn expect_confirmation(&mut self) {
        // Where more came early than is known, nothing can confirm this time.
        let hides_more = mem::take(&mut self.under_way) || self.flow.input.len() >= INPUT_OCTETS_MAX;
        self.unconfirmed = (!hides_more).then_some(self.flow.received());
    }

    /// The peer has sent more than has arrived in the input.
    pub(super) fn expect_more(&mut self) {
        self.under_way = true;
    }

    /// There is nothing more to confirm.
    pub(super) fn forget_confirmation(&mut self) {
        self.unconfirmed = None;
    }

    pub(super) fn reply(&mut self, reply: &Reply) {
        let with_enhanced = self.hello.is_extended();
        match reply.code() {
            421 => {
                self.ended_by = Some(reply.clone());
                reply.of_host(&self.config.hostname).write(with_enhanced, &mut self.flow.output);
            }
            _ => reply.write(with_enhanced, &mut self.flow.output),
        }
    }

    /// Refuses on the driver's word. With a client that has no account it counts, for asking who lives here has an end; not with a
    /// mail server that hands us the mail of others, whose recipients they have chosen.
    pub(super) fn refuse(&mut self, reply: &Reply) {
        // The account has ended in another session.
        if [replies::REGISTER_FIRST, replies::LOG_IN_FIRST].contains(reply) {
            self.bound = false;
        }
        if self.bound || self.config.role == Role::Lmtp { self.reply(reply) } else { self.error(reply) }
    }

    /// Answers what the client did wrong, and counts it.
    pub(super) fn error(&mut self, reply: &Reply) {
        self.errors += 1;
        match self.errors > self.config.limits.errors {
            true => self.reply(&replies::TOO_MANY_ERRORS),
            false => self.reply(reply),
        }
    }

    /// Whether the client can be sent reports on its mail, and so may ask for them.
    pub(super) fn offers_reports(&self) -> bool {
        self.config.reports || self.bound
    }

    /// Whether the client has been told that this is the end.
    pub(super) fn is_over(&self) -> bool {
        self.ended_by.is_some()
    }

    /// Whether the next line shows that the client has read what was handed over: it does so once.
    pub(super) fn takes_confirmation(&mut self) -> bool {
        let is_late = self.unconfirmed.is_some_and(|early| self.flow.used() >= early);
        let confirms = is_late && self.flow.has_line(self.config.limits.command_octets);
        if confirms {
            self.unconfirmed = None;
        }
        confirms
    }
}
