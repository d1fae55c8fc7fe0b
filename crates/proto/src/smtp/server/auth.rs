//! AUTH (RFC 4954): a login by SASL, framed for SMTP.

use super::State;
use super::account::{refuse, refused};
use super::core::Core;
use super::step::{Ask, Question};
use crate::sasl::Mechanism;
use crate::sasl::server::{Claim, Exchange, Flaw, LookUp, Secret, Turn};
use crate::smtp::{Reply, replies};

/// `AUTH mechanism [initial-response]`
pub(super) fn auth<R>(core: &mut Core, args: &str) -> State<R> {
    if !core.channel.is_private() {
        return refuse(core, &replies::ENCRYPTION_REQUIRED);
    }
    let (mechanism, initial) = match args.split_once(' ') {
        Some((mechanism, initial)) => (mechanism, Some(initial.as_bytes())),
        None => (args, None),
    };
    match Mechanism::find(mechanism).filter(|it| it.fits(&core.channel)) {
        _ if mechanism.is_empty() => refuse(core, &replies::syntax("AUTH mechanism [initial-response]")),
        Some(mechanism) => {
            let turn = Exchange::begin(mechanism, &core.channel, initial);
            take(core, turn)
        }
        None => refuse(core, &replies::UNKNOWN_MECHANISM),
    }
}

/// The client's response to a challenge.
pub(super) fn response<R>(core: &mut Core, exchange: Exchange, response: &[u8]) -> State<R> {
    take(core, exchange.respond(response))
}

fn take<R>(core: &mut Core, turn: Turn) -> State<R> {
    match turn {
        Turn::Challenge(exchange, text) => {
            core.reply(&Reply::new(334, None, text));
            State::Sasl(exchange)
        }
        Turn::LookUp(question) => State::Asking(Question::LookUp(question)),
        Turn::Judge(claim) => State::Asking(Question::Authenticate(claim)),
        Turn::Done => logged_in(core),
        Turn::Over(flaw) => refuse(core, &reply_to(flaw)),
    }
}

impl<R: 'static> Ask<'_, R, LookUp> {
    /// This is kept of the password; or nobody may log in now.
    pub fn answer(self, secret: Result<Secret, Reply>) {
        self.proceed(|core, question| match secret {
            Ok(secret) => take(core, question.answer(secret)),
            Err(reply) => refused(core, &reply),
        });
    }
}

impl<R: 'static> Ask<'_, R, Claim> {
    /// It is who it says; or not.
    pub fn answer(self, verdict: Result<(), Reply>) {
        self.proceed(|core, claim| match verdict.map(|()| claim.grant()) {
            Ok(Turn::Challenge(exchange, text)) => {
                core.reply(&Reply::new(334, None, text));
                State::Confirming(exchange)
            }
            Ok(turn) => take(core, turn),
            Err(reply) => refused(core, &reply),
        });
    }
}

/// The client has heard the server's proof; or it ends the session, as somebody who does not like it does.
pub(super) fn confirmation<R>(core: &mut Core, exchange: Exchange, response: &[u8]) -> State<R> {
    match exchange.respond(response) {
        Turn::Over(flaw) => {
            core.error(&reply_to(flaw));
            State::Closing
        }
        turn => take(core, turn),
    }
}

fn logged_in<R>(core: &mut Core) -> State<R> {
    core.bound = true;
    core.reply(&replies::LOGGED_IN);
    State::Command(None)
}

fn reply_to(flaw: Flaw) -> Reply {
    match flaw {
        Flaw::Cancelled => replies::AUTH_CANCELLED,
        Flaw::Malformed => replies::BAD_RESPONSE,
    }
}
