//! The AUTHORIZATION state: USER and PASS (RFC 1939 §7), or AUTH (RFC 5034), where nobody can overhear them.

use super::core::Core;
use super::maildrop::{Maildrop, Message};
use super::step::{Ask, Question};
use super::{Stage, State};
use crate::pop3::{Response, responses};
use crate::sasl::Mechanism;
use crate::sasl::plain::Credentials;
use crate::sasl::server::{Claim, Exchange, Flaw, LookUp, Secret, Turn};

/// The client has not logged in.
#[derive(Default)]
pub(super) struct Authorization {
    /// Whom the next PASS is for.
    user: Option<String>,
}

impl Authorization {
    /// From its beginning.
    pub(super) fn again<M>() -> State<M> {
        Self::default().go_on()
    }

    fn go_on<M>(self) -> State<M> {
        State::Command(Stage::Authorization(self))
    }
}

/// `USER name`. Any name is good enough: that a mailbox exists is nobody's business (RFC 1939 §13).
pub(super) fn user<M>(core: &mut Core, authorization: Authorization, name: &str) -> State<M> {
    if !core.channel.is_private() {
        return refuse(core, authorization, &responses::ENCRYPTION_REQUIRED);
    }
    if name.is_empty() {
        return refuse(core, authorization, &responses::syntax("USER name"));
    }
    core.respond(&responses::SEND_PASSWORD);
    Authorization { user: Some(name.to_owned()) }.go_on()
}

/// `PASS password`, which may have spaces anywhere.
pub(super) fn pass<M>(core: &mut Core, authorization: Authorization, password: &str) -> State<M> {
    if !core.channel.is_private() {
        return refuse(core, authorization, &responses::ENCRYPTION_REQUIRED);
    }
    if password.is_empty() {
        return refuse(core, authorization, &responses::syntax("PASS password"));
    }
    match authorization.user {
        Some(user) => {
            let credentials = Credentials { user, password: password.to_owned() };
            State::Asking(Question::Authenticate(Claim::of_password(credentials)))
        }
        None => refuse(core, authorization, &responses::USER_FIRST),
    }
}

/// `AUTH [mechanism [initial-response]]`; without any it lists the mechanisms, as it did before there was CAPA.
pub(super) fn auth<M>(core: &mut Core, authorization: Authorization, args: &str) -> State<M> {
    if !core.channel.is_private() {
        return refuse(core, authorization, &responses::ENCRYPTION_REQUIRED);
    }
    if args.is_empty() {
        core.respond(&responses::MECHANISMS);
        Mechanism::list(&core.channel).split(' ').for_each(|name| core.line(name));
        core.line(".");
        return authorization.go_on();
    }
    let (mechanism, initial) = match args.split_once(' ') {
        Some((mechanism, initial)) => (mechanism, Some(initial.as_bytes())),
        None => (args, None),
    };
    match Mechanism::find(mechanism).filter(|it| it.fits(&core.channel)) {
        Some(mechanism) => {
            let turn = Exchange::begin(mechanism, &core.channel, initial);
            take(core, turn)
        }
        None => refuse(core, authorization, &responses::UNKNOWN_MECHANISM),
    }
}

/// The client's response to a challenge.
pub(super) fn response<M>(core: &mut Core, exchange: Exchange, response: &[u8]) -> State<M> {
    take(core, exchange.respond(response))
}

fn take<M>(core: &mut Core, turn: Turn) -> State<M> {
    match turn {
        Turn::Challenge(exchange, text) => {
            core.line(&format!("+ {text}"));
            State::Sasl(exchange)
        }
        Turn::LookUp(question) => State::Asking(Question::LookUp(question)),
        Turn::Judge(claim) => State::Asking(Question::Authenticate(claim)),
        // Nothing is complete before somebody has judged.
        Turn::Done => State::Closing,
        Turn::Over(flaw) => refuse(core, Authorization::default(), &response_to(flaw)),
    }
}

impl<M: Message> Ask<'_, M, LookUp> {
    /// This is kept of the password; or nobody may log in now.
    pub fn answer(self, secret: Result<Secret, Response>) {
        self.proceed(|core, question| match secret {
            Ok(secret) => take(core, question.answer(secret)),
            Err(response) => refuse(core, Authorization::default(), &response),
        });
    }
}

impl<M: Message> Ask<'_, M, Claim> {
    /// It is who it says, and these are its messages, the oldest first; or not.
    pub fn answer(self, maildrop: Result<Vec<M>, Response>) {
        self.proceed(|core, claim| match maildrop {
            Ok(messages) => match (claim.grant(), Maildrop::new(messages)) {
                (Turn::Challenge(exchange, text), maildrop) => {
                    core.line(&format!("+ {text}"));
                    State::Confirming(exchange, maildrop)
                }
                (_, maildrop) => logged_in(core, maildrop),
            },
            Err(response) => refuse(core, Authorization::default(), &response),
        });
    }
}

/// The client has heard the server's proof; or it ends the session, as somebody who does not like it does.
pub(super) fn confirmation<M: Message>(
    core: &mut Core,
    exchange: Exchange,
    maildrop: Maildrop<M>,
    response: &[u8],
) -> State<M> {
    match exchange.respond(response) {
        Turn::Done => logged_in(core, maildrop),
        Turn::Over(flaw) => {
            core.error(&response_to(flaw));
            State::Closing
        }
        Turn::Challenge(..) | Turn::LookUp(_) | Turn::Judge(_) => State::Closing,
    }
}

fn logged_in<M: Message>(core: &mut Core, maildrop: Maildrop<M>) -> State<M> {
    core.respond(&Response::ok(format!("maildrop has {}", maildrop.summary())));
    maildrop.go_on()
}

fn response_to(flaw: Flaw) -> Response {
    match flaw {
        Flaw::Cancelled => responses::AUTH_CANCELLED,
        Flaw::Malformed => responses::BAD_RESPONSE,
    }
}

/// A refusal, the session's own or the driver's. It counts: guessing has an end.
pub(super) fn refuse<M>(core: &mut Core, authorization: Authorization, response: &Response) -> State<M> {
    core.error(response);
    authorization.go_on()
}
