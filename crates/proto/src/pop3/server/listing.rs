//! LIST and UIDL (RFC 1939 §5, §7): a line for each message, as many at a time as the output has room for.

use super::State;
use super::core::Core;
use super::maildrop::{Maildrop, Message};
use crate::pop3::{Response, responses};

/// A listing on its way.
pub(super) struct Listing<M> {
    maildrop: Maildrop<M>,
    /// The number that the next line may be for.
    next: usize,
    /// What stands behind a message's number.
    tell: fn(&M) -> String,
}

/// `LIST [msg]`
pub(super) fn list<M: Message>(core: &mut Core, maildrop: Maildrop<M>, args: &str) -> State<M> {
    let header = Response::ok(maildrop.summary());
    run(core, maildrop, args, &header, |message| message.octets().to_string())
}

/// `UIDL [msg]`
pub(super) fn uidl<M: Message>(core: &mut Core, maildrop: Maildrop<M>, args: &str) -> State<M> {
    run(core, maildrop, args, &responses::UNIQUE_IDS, M::unique_id)
}

fn run<M: Message>(
    core: &mut Core,
    maildrop: Maildrop<M>,
    args: &str,
    header: &Response,
    tell: fn(&M) -> String,
) -> State<M> {
    if args.is_empty() {
        core.respond(header);
        return State::Listing(Listing { maildrop, next: 1, tell });
    }
    match maildrop.find(args).map(|(number, message)| format!("{number} {}", tell(message))) {
        Ok(line) => {
            core.respond(&Response::ok(line));
            maildrop.go_on()
        }
        Err(response) => maildrop.refuse(core, &response),
    }
}

impl<M: Message> Listing<M> {
    /// Writes until the output is full, or all is said.
    pub(super) fn go_on(mut self, core: &mut Core) -> State<M> {
        while !core.flow.is_full() {
            let Some((number, message)) = self.maildrop.next_from(self.next) else {
                core.line(".");
                return self.maildrop.go_on();
            };
            core.line(&format!("{number} {}", (self.tell)(message)));
            self.next = number + 1;
        }
        State::Listing(self)
    }
}
