//! What a session asks of whoever drives it.

use super::account::{IssuePassword, Register, Unregister};
use super::content::{BeginData, Commit, CommitEach};
use super::core::{Core, Hello};
use super::handover::{Flush, NextChunk, NextMessage, Retrieve};
use super::mail::{Envelope, Mail, Recipient};
use super::starttls::StartTls;
use super::verify::Verify;
use super::{Session, State};
use crate::flow::OUTPUT_OCTETS;
use crate::sasl::server::{Claim, LookUp};

/// What the driver shall do next.
pub enum Step<'s, R> {
    /// Receive more, or see the deadline pass.
    NeedInput,
    /// Receive what has arrived already, without waiting.
    Poll,
    /// Write these octets, all of them, before the next step.
    Send(&'s [u8]),
    /// Close the connection.
    Close,
    /// Encrypt the connection.
    StartTls(StartTls<'s, R>),

    /// May this peer have an address?
    Register(Ask<'s, R, Register>),
    /// May this account log in with a password?
    IssuePassword(Ask<'s, R, IssuePassword>),
    /// Shall this account go?
    Unregister(Ask<'s, R, Unregister>),
    /// What is kept of this user's password?
    LookUp(Ask<'s, R, LookUp>),
    /// Is it who it says?
    Authenticate(Ask<'s, R, Claim>),

    /// May mail come from there?
    Mail(Ask<'s, R, Mail>),
    /// May it go there?
    Recipient(Ask<'s, R, Recipient<R>>),
    /// Is there room for the data? An earlier message's is of no use any more.
    BeginData(Ask<'s, R, BeginData<R>>),
    /// Octets of the message.
    Content(&'s [u8]),
    /// The message will be refused, or does not go on: its octets are of no use.
    Abandon,
    /// The message is whole. Is it kept, for good and for all recipients?
    Commit(Box<Envelope<R>>, Ask<'s, R, Commit>),
    /// The message is whole. For which of its recipients is it kept, for good?
    CommitEach(Box<Envelope<R>>, Ask<'s, R, CommitEach>),

    /// Is that a mailbox here?
    Verify(Ask<'s, R, Verify<R>>),

    /// How many messages does the mailbox hold?
    Retrieve(Ask<'s, R, Retrieve>),
    /// Who is the next one from and to?
    NextMessage(Ask<'s, R, NextMessage>),
    /// What are its next octets?
    NextChunk(Ask<'s, R, NextChunk>),
    /// The reader has them all: are they flushed?
    Flush(Ask<'s, R, Flush<R>>),
}

/// A question, to be answered by its own `answer` method. Dropped without an answer, it ends the session.
pub struct Ask<'s, R, Q> {
    session: &'s mut Session<R>,
    /// What is asked.
    pub question: Q,
}

impl<R: 'static, Q> Ask<'_, R, Q> {
    /// How the client said hello.
    pub fn hello(&self) -> &Hello {
        &self.session.core.hello
    }

    /// Answers, and goes on in the state that `next` makes of the question.
    pub(super) fn proceed(self, next: impl FnOnce(&mut Core, Q) -> State<R>) {
        let next = next(&mut self.session.core, self.question);
        self.session.go(next);
    }
}

/// The questions, with what the session needs to go on.
pub(super) enum Question<R> {
    Register(Register),
    IssuePassword(IssuePassword),
    Unregister(Unregister),
    LookUp(LookUp),
    Authenticate(Claim),
    Mail(Mail),
    Recipient(Recipient<R>),
    BeginData(BeginData<R>),
    Commit(Box<Envelope<R>>),
    CommitEach(Box<Envelope<R>>, CommitEach),
    Verify(Verify<R>),
    Retrieve(Retrieve),
    NextMessage(NextMessage),
    NextChunk(NextChunk),
    Flush(Flush<R>),
}

impl<R> Question<R> {
    /// How much output may wait for the answer. What can take its time makes nobody wait for earlier replies.
    pub(super) fn output_octets_max(&self) -> usize {
        if matches!(self, Self::Retrieve(_)) { 0 } else { OUTPUT_OCTETS }
    }

    /// Puts it to the driver.
    pub(super) fn put(self, session: &mut Session<R>) -> Step<'_, R> {
        fn ask<R, Q>(session: &mut Session<R>, question: Q) -> Ask<'_, R, Q> {
            Ask { session, question }
        }
        match self {
            Self::Register(question) => Step::Register(ask(session, question)),
            Self::IssuePassword(question) => Step::IssuePassword(ask(session, question)),
            Self::Unregister(question) => Step::Unregister(ask(session, question)),
            Self::LookUp(question) => Step::LookUp(ask(session, question)),
            Self::Authenticate(question) => Step::Authenticate(ask(session, question)),
            Self::Mail(question) => Step::Mail(ask(session, question)),
            Self::Recipient(question) => Step::Recipient(ask(session, question)),
            Self::BeginData(question) => Step::BeginData(ask(session, question)),
            Self::Commit(envelope) => Step::Commit(envelope, ask(session, Commit)),
            Self::CommitEach(envelope, question) => Step::CommitEach(envelope, ask(session, question)),
            Self::Verify(question) => Step::Verify(ask(session, question)),
            Self::Retrieve(question) => Step::Retrieve(ask(session, question)),
            Self::NextMessage(question) => Step::NextMessage(ask(session, question)),
            Self::NextChunk(question) => Step::NextChunk(ask(session, question)),
            Self::Flush(question) => Step::Flush(ask(session, question)),
        }
    }
}
