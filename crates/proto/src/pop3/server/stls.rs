//! STLS (RFC 2595 §4): the connection is encrypted from here on, and the session starts anew.
//!
//! What the client sent in clear text behind the command ends the session: were it kept, somebody in the middle could have put
//! it there, and it would count as said under encryption.

use std::time::Instant;

use super::core::Core;
use super::login::{Authorization, refuse};
use super::maildrop::Message;
use super::{Session, State};
use crate::pop3::responses;
use crate::sasl::Channel;

/// The connection is to be encrypted. Dropped without that, it ends the session.
pub struct StartTls<'s, M> {
    session: &'s mut Session<M>,
}

/// `STLS`
pub(super) fn stls<M>(core: &mut Core, authorization: Authorization, args: &str) -> State<M> {
    if core.channel.is_tls() {
        return refuse(core, authorization, &responses::TLS_IS_ON);
    }
    if !core.config.starttls {
        return refuse(core, authorization, &responses::NO_STLS);
    }
    if !args.is_empty() {
        return refuse(core, authorization, &responses::NO_ARGUMENT_ALLOWED);
    }
    if !core.flow.input.is_empty() {
        return State::Closing;
    }
    core.respond(&responses::READY_FOR_TLS);
    State::BeforeTls
}

impl<'s, M: Message> StartTls<'s, M> {
    pub(super) fn new(session: &'s mut Session<M>) -> Self {
        Self { session }
    }

    /// It is encrypted. Nothing that was said before counts any more; there is no second greeting.
    pub fn done(self, channel: Channel, now: Instant) {
        let Session { core, state } = self.session;
        let stopping = core.stopping;
        *core = Core::new(core.config.clone(), channel, now);
        core.stopping = stopping;
        *state = Authorization::again();
    }
}
