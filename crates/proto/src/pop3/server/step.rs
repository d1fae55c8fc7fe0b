//! What a session asks of whoever drives it.

use super::core::Core;
use super::maildrop::Message;
use super::message::{NextChunk, OpenMessage};
use super::stls::StartTls;
use super::update::Update;
use super::{Session, State};
use crate::sasl::server::{Claim, LookUp};

/// What the driver shall do next.
pub enum Step<'s, M> {
    /// Receive more, or see the deadline pass.
    NeedInput,
    /// Write these octets, all of them, before the next step.
    Send(&'s [u8]),
    /// Close the connection.
    Close,
    /// Encrypt the connection.
    StartTls(StartTls<'s, M>),

    /// What is kept of this user's password?
    LookUp(Ask<'s, M, LookUp>),
    /// Is it who it says, and what is in its maildrop?
    Authenticate(Ask<'s, M, Claim>),

    /// Can this message be had? One that was opened before is of no use any more, read to its end or not.
    OpenMessage(Ask<'s, M, OpenMessage<M>>),
    /// What are its next octets?
    NextChunk(Ask<'s, M, NextChunk<M>>),

    /// The client has said QUIT: are the messages that it deleted gone, for good?
    Update(Ask<'s, M, Update<M>>),
}

/// A question, to be answered by its own `answer` method. Dropped without an answer, it ends the session.
pub struct Ask<'s, M, Q> {
    session: &'s mut Session<M>,
    /// What is asked.
    pub question: Q,
}

impl<M: Message, Q> Ask<'_, M, Q> {
    /// Answers, and goes on in the state that `next` makes of the question.
    pub(super) fn proceed(self, next: impl FnOnce(&mut Core, Q) -> State<M>) {
        let next = next(&mut self.session.core, self.question);
        self.session.go(next);
    }
}

/// The questions, with what the session needs to go on.
pub(super) enum Question<M> {
    LookUp(LookUp),
    Authenticate(Claim),
    OpenMessage(OpenMessage<M>),
    NextChunk(NextChunk<M>),
    Update(Update<M>),
}

impl<M> Question<M> {
    /// Puts it to the driver.
    pub(super) fn put(self, session: &mut Session<M>) -> Step<'_, M> {
        fn ask<M, Q>(session: &mut Session<M>, question: Q) -> Ask<'_, M, Q> {
            Ask { session, question }
        }
        match self {
            Self::LookUp(question) => Step::LookUp(ask(session, question)),
            Self::Authenticate(question) => Step::Authenticate(ask(session, question)),
            Self::OpenMessage(question) => Step::OpenMessage(ask(session, question)),
            Self::NextChunk(question) => Step::NextChunk(ask(session, question)),
            Self::Update(question) => Step::Update(ask(session, question)),
        }
    }
}
