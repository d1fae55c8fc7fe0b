//! STARTTLS (RFC 3207): the connection is encrypted from here on, and the session starts anew.
//!
//! What the client sent in clear text behind the command ends the session: were it kept, somebody in the middle could have put
//! it there, and it would count as said under encryption.

use std::time::Instant;

use super::account::refuse;
use super::core::Core;
use super::{Session, State};
use crate::sasl::Channel;
use crate::smtp::replies;

/// The connection is to be encrypted. Dropped without that, it ends the session.
pub struct StartTls<'s, R> {
    session: &'s mut Session<R>,
}

/// `STARTTLS`
pub(super) fn starttls<R>(core: &mut Core, args: &str) -> State<R> {
    if core.channel.is_tls() {
        return refuse(core, &replies::TLS_IS_ON);
    }
    if !core.config.starttls {
        return refuse(core, &replies::NO_STARTTLS);
    }
    if !args.is_empty() {
        return refuse(core, &replies::NO_ARGUMENT_ALLOWED);
    }
    if !core.flow.input.is_empty() {
        return State::Closing;
    }
    core.reply(&replies::READY_FOR_TLS);
    State::BeforeTls
}

impl<'s, R> StartTls<'s, R> {
    pub(super) fn new(session: &'s mut Session<R>) -> Self {
        Self { session }
    }

    /// It is encrypted. Nothing that was said before counts any more.
    pub fn done(self, channel: Channel, now: Instant) {
        let Session { core, state } = self.session;
        let stopping = core.stopping;
        *core = Core::new(core.config.clone(), channel, now);
        core.stopping = stopping;
        *state = State::Command(None);
    }
}
