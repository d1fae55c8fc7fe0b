//! Who a session speaks for: XREGISTER, XPASSWD, XUNREGISTER (docs/registration.md).

use super::State;
use super::core::Core;
use super::step::{Ask, Question};
use crate::sasl::scram::Verifier;
use crate::smtp::{Enhanced, Reply, replies};
use crate::{Address, LocalPart};

/// May this peer have an address?
pub struct Register {
    /// The name it wishes for; `None`: its descriptor's number.
    pub name: Option<LocalPart>,
    /// The invite token it shows.
    pub token: Option<String>,
}

/// May this account have a password?
#[derive(Debug)]
pub struct IssuePassword {
    /// The client's own password in the form that the server keeps; `None`: the server shall make one.
    pub verifier: Option<Verifier>,
}

/// What a password became.
pub enum Issued {
    /// The server made this one.
    Password(String),
    /// The client's own is kept.
    Kept,
}

/// Shall the session's account and its mail go?
#[derive(Debug)]
pub struct Unregister;

/// `XREGISTER [name] [TOKEN=token]`
pub(super) fn xregister<R>(core: &mut Core, args: &str) -> State<R> {
    match parse_register(args) {
        Ok(question) => State::Asking(Question::Register(question)),
        Err(reply) => refuse(core, &reply),
    }
}

fn parse_register(args: &str) -> Result<Register, Reply> {
    let mut question = Register { name: None, token: None };
    for word in args.split_ascii_whitespace() {
        match word.split_once('=') {
            Some((keyword, value)) if keyword.eq_ignore_ascii_case("TOKEN") && question.token.is_none() => {
                question.token = Some(value.to_owned());
            }
            None if question.name.is_none() && question.token.is_none() => {
                let name = word.parse().map_err(|_| replies::NAME_NOT_ALLOWED)?;
                question.name = Some(name);
            }
            _ => return Err(replies::syntax("XREGISTER [name] [TOKEN=token]")),
        }
    }
    Ok(question)
}

impl<R: 'static> Ask<'_, R, Register> {
    /// This address is the client's from now on; or not.
    pub fn answer(self, verdict: Result<Address, Reply>) {
        self.proceed(|core, _| match verdict {
            Ok(address) => {
                core.bound = true;
                core.reply(&Reply::new(250, Some(Enhanced(2, 1, 0)), address.to_string()));
                State::Command(None)
            }
            Err(reply) => refused(core, &reply),
        });
    }
}

/// `XPASSWD [VERIFIER=verifier]`
pub(super) fn xpasswd<R>(core: &mut Core, args: &str) -> State<R> {
    if !core.channel.is_private() {
        return refuse(core, &replies::ENCRYPTION_REQUIRED);
    }
    let verifier = match args.split_once('=') {
        None if args.is_empty() => Ok(None),
        Some((keyword, text)) if keyword.eq_ignore_ascii_case("VERIFIER") => text.parse().map(Some),
        _ => return refuse(core, &replies::syntax("XPASSWD [VERIFIER=verifier]")),
    };
    match verifier {
        Ok(verifier) => State::Asking(Question::IssuePassword(IssuePassword { verifier })),
        Err(_) => refuse(core, &replies::syntax("VERIFIER=SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey")),
    }
}

impl<R: 'static> Ask<'_, R, IssuePassword> {
    /// The account has a password from now on; or not.
    pub fn answer(self, verdict: Result<Issued, Reply>) {
        self.proceed(|core, _| match verdict {
            Ok(Issued::Password(password)) => {
                core.reply(&Reply::new(250, Some(Enhanced(2, 7, 0)), password));
                State::Command(None)
            }
            Ok(Issued::Kept) => {
                core.reply(&replies::OK);
                State::Command(None)
            }
            Err(reply) => refused(core, &reply),
        });
    }
}

/// `XUNREGISTER`
pub(super) fn xunregister<R>(core: &mut Core, args: &str) -> State<R> {
    if args.is_empty() {
        State::Asking(Question::Unregister(Unregister))
    } else {
        refuse(core, &replies::NO_ARGUMENT_ALLOWED)
    }
}

impl<R: 'static> Ask<'_, R, Unregister> {
    /// The account is gone; or not.
    pub fn answer(self, verdict: Result<(), Reply>) {
        self.proceed(|core, _| match verdict {
            Ok(()) => {
                core.bound = false;
                core.forget_confirmation();
                core.reply(&replies::OK);
                State::Command(None)
            }
            Err(reply) => refused(core, &reply),
        });
    }
}

/// The driver's refusal.
pub(super) fn refused<R>(core: &mut Core, reply: &Reply) -> State<R> {
    core.refuse(reply);
    State::Command(None)
}

/// The session's own refusal.
pub(super) fn refuse<R>(core: &mut Core, reply: &Reply) -> State<R> {
    core.error(reply);
    State::Command(None)
}
