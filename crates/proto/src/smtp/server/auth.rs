//! AUTH (RFC 4954): a login by SASL, framed for SMTP.

use super::State;
use super::account::{refuse, refused};
use super::core::Core;
use super::step::{Ask, Question};
use crate::sasl::Mechanism;
use crate::sasl::server::{Attempt, Exchange, Flaw, LookUp, Secret, Turn};
use crate::smtp::{Reply, replies};

/// Is the client who it says?
#[derive(Debug)]
pub struct Authenticate {
    /// What the client claims.
    pub attempt: Attempt,
}

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
        Turn::Judge(attempt) => State::Asking(Question::Authenticate(Authenticate { attempt })),
        Turn::Over(Flaw::Cancelled) => refuse(core, &replies::AUTH_CANCELLED),
        Turn::Over(Flaw::Malformed) => refuse(core, &replies::BAD_RESPONSE),
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

impl<R: 'static> Ask<'_, R, Authenticate> {
    /// It is who it says; or not.
    pub fn answer(self, verdict: Result<(), Reply>) {
        self.proceed(|core, _| match verdict {
            Ok(()) => {
                core.bound = true;
                core.reply(&replies::LOGGED_IN);
                State::Command(None)
            }
            Err(reply) => refused(core, &reply),
        });
    }
}
