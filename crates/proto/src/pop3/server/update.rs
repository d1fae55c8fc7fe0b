//! QUIT (RFC 1939 §4, §6), and the UPDATE state: what was marked as deleted goes, now and at no other time.

use super::core::Core;
use super::maildrop::{Maildrop, Message, counted};
use super::step::{Ask, Question};
use super::{Stage, State};
use crate::pop3::{Response, responses};

/// Are the messages that the client deleted gone, for good?
pub struct Update<M> {
    /// They alone, and all of them.
    pub deleted: Vec<M>,
    /// How many stay.
    left: usize,
}

/// `QUIT`
pub(super) fn quit<M: Message>(core: &mut Core, stage: Stage<M>, args: &str) -> State<M> {
    match stage {
        stage if !args.is_empty() => {
            core.error(&responses::NO_ARGUMENT_ALLOWED);
            State::Command(stage)
        }
        Stage::Authorization(_) => {
            let text = format!("{} POP3 server signing off", core.config.hostname);
            core.respond(&Response::ok(text));
            State::Closing
        }
        Stage::Transaction(maildrop) => leave(core, maildrop),
    }
}

fn leave<M: Message>(core: &mut Core, maildrop: Maildrop<M>) -> State<M> {
    let (left, _) = maildrop.size();
    if maildrop.has_deleted() {
        return State::Asking(Question::Update(Update { deleted: maildrop.into_deleted(), left }));
    }
    sign_off(core, left);
    State::Closing
}

fn sign_off(core: &mut Core, left: usize) {
    let left = if left == 0 { "maildrop empty".to_owned() } else { format!("{} left", counted(left)) };
    let text = format!("{} POP3 server signing off ({left})", core.config.hostname);
    core.respond(&Response::ok(text));
}

impl<M: Message> Ask<'_, M, Update<M>> {
    /// They are; or some or all are still there. The session is over either way.
    pub fn answer(self, verdict: Result<(), Response>) {
        self.proceed(|core, Update { left, .. }| {
            match verdict {
                Ok(()) => sign_off(core, left),
                Err(response) => core.respond(&response),
            }
            State::Closing
        });
    }
}
