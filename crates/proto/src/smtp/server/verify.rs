//! VRFY (RFC 5321 §3.5): whether there is such a mailbox. Who may know that is not decided here.

use super::State;
use super::core::Core;
use super::mail::Transaction;
use super::step::{Ask, Question};
use crate::path::ForwardPath;
use crate::smtp::{Enhanced, Reply, replies};
use crate::{Address, LocalPart};

/// Is that a mailbox here, and may this peer know?
#[derive(Debug)]
pub struct Verify<R> {
    /// The mailbox asked for.
    pub mailbox: ForwardPath,
    transaction: Option<Transaction<R>>,
}

/// What is known of a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verified {
    /// It is there, and this is its address.
    Mailbox(Address),
    /// This peer is not told (RFC 5321 §7.3).
    NotTold,
}

/// `VRFY address [SMTPUTF8]`; the address may lack its domain (RFC 5321 §3.5.1) or be in brackets.
pub(super) fn vrfy<R>(core: &mut Core, transaction: Option<Transaction<R>>, args: &str) -> State<R> {
    let (text, utf8) = match args.rsplit_once(' ') {
        Some((text, keyword)) if keyword.eq_ignore_ascii_case("SMTPUTF8") => (text.trim_end_matches(' '), true),
        _ => (args, false),
    };
    let refusal = match mailbox(core, text) {
        _ if !utf8 && !text.is_ascii() => replies::NEEDS_SMTPUTF8,
        Some(mailbox) => return State::Asking(Question::Verify(Verify { mailbox, transaction })),
        None => replies::syntax("VRFY address"),
    };
    core.error(&refusal);
    State::Command(transaction)
}

fn mailbox(core: &Core, text: &str) -> Option<ForwardPath> {
    if text.eq_ignore_ascii_case("postmaster") {
        return Some(ForwardPath::Postmaster);
    }
    if let Ok(local) = text.parse::<LocalPart>() {
        return Some(ForwardPath::Address(Address::new(local, core.config.hostname.clone())));
    }
    match ForwardPath::parse_prefix(text) {
        Ok((path, "")) => Some(path),
        _ => None,
    }
}

impl<R: 'static> Ask<'_, R, Verify<R>> {
    /// It is, or this peer may not know; or it is not.
    pub fn answer(self, verdict: Result<Verified, Reply>) {
        self.proceed(|core, Verify { transaction, .. }| {
            match verdict {
                Ok(Verified::Mailbox(address)) => {
                    core.reply(&Reply::new(250, Some(Enhanced(2, 1, 5)), format!("<{address}>")));
                }
                Ok(Verified::NotTold) => core.reply(&replies::CANNOT_VERIFY),
                Err(reply) => core.refuse(&reply),
            }
            State::Command(transaction)
        });
    }
}
