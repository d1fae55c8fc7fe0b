//! RETR and TOP (RFC 1939 §5, §7): a message goes out as the driver reads it, never whole in memory.

use super::State;
use super::core::Core;
use super::maildrop::{Maildrop, Message, number_of};
use super::step::{Ask, Question};
use super::top::Top;
use crate::data::DataWriter;
use crate::pop3::{Response, responses};

/// Can this message be had?
pub struct OpenMessage<M> {
    /// The one whose octets will be asked for.
    pub message: M,
    maildrop: Maildrop<M>,
    /// `None`: all of it goes out.
    top: Option<Top>,
}

/// The next octets of the message that is going out?
pub struct NextChunk<M> {
    maildrop: Maildrop<M>,
    top: Option<Top>,
    writer: DataWriter,
}

/// `RETR msg`
pub(super) fn retr<M: Message>(core: &mut Core, maildrop: Maildrop<M>, args: &str) -> State<M> {
    if args.is_empty() {
        return maildrop.refuse(core, &responses::syntax("RETR msg"));
    }
    open(core, maildrop, args, None)
}

/// `TOP msg n`
pub(super) fn top<M: Message>(core: &mut Core, maildrop: Maildrop<M>, args: &str) -> State<M> {
    let parsed = args.split_once(' ').and_then(|(number, lines)| Some((number, number_of(lines)?)));
    match parsed {
        Some((number, lines)) => open(core, maildrop, number, Some(Top::new(lines))),
        None => maildrop.refuse(core, &responses::syntax("TOP msg n")),
    }
}

fn open<M: Message>(core: &mut Core, maildrop: Maildrop<M>, number: &str, top: Option<Top>) -> State<M> {
    match maildrop.find(number).map(|(_, message)| message.clone()) {
        Ok(message) => State::Asking(Question::OpenMessage(OpenMessage { message, maildrop, top })),
        Err(response) => maildrop.refuse(core, &response),
    }
}

impl<M: Message> Ask<'_, M, OpenMessage<M>> {
    /// It can, and its octets come next; or it is gone or damaged, and the session goes on without it.
    pub fn answer(self, verdict: Result<(), Response>) {
        self.proceed(|core, OpenMessage { message, maildrop, top }| match verdict {
            Ok(()) => {
                match top {
                    Some(_) => core.respond(&responses::TOP_FOLLOWS),
                    None => core.respond(&Response::ok(format!("{} octets", message.octets()))),
                }
                State::Asking(Question::NextChunk(NextChunk { maildrop, top, writer: DataWriter::new() }))
            }
            // Not the client's fault: it doesn't count.
            Err(response) => {
                core.respond(&response);
                maildrop.go_on()
            }
        });
    }
}

impl<M: Message> Ask<'_, M, NextChunk<M>> {
    /// More of the message; at most some tens of KiB at a time.
    pub fn chunk(self, octets: &[u8]) {
        self.proceed(|core, NextChunk { maildrop, mut top, mut writer }| {
            let (taken, is_over) = top.as_mut().map_or((octets.len(), false), |top| top.take(octets));
            writer.write(&octets[..taken], &mut core.flow.output);
            if is_over {
                writer.finish(&mut core.flow.output);
                return maildrop.go_on();
            }
            State::Asking(Question::NextChunk(NextChunk { maildrop, top, writer }))
        });
    }

    /// That was all of it.
    pub fn end(self) {
        self.proceed(|core, NextChunk { maildrop, writer, .. }| {
            writer.finish(&mut core.flow.output);
            maildrop.go_on()
        });
    }

    /// The rest can't be had: the session ends without the dot that would make the message whole.
    pub fn fail(self) {
        self.proceed(|_, _| State::Closing);
    }
}
