//! The TRANSACTION state (RFC 1939 §5): the snapshot that a login brought, and what is marked as deleted in it.

use super::core::Core;
use super::{Stage, State};
use crate::pop3::{Response, responses};

/// What the driver knows a message by.
pub trait Message: Clone + Send + 'static {
    /// How many octets [`NextChunk`](super::NextChunk) will give of it.
    fn octets(&self) -> u64;

    /// What it is called in this mailbox, and nothing else ever is: 1 to 70 characters from `!` to `~` (RFC 1939 §7).
    fn unique_id(&self) -> String;
}

/// The messages of a session.
pub(super) struct Maildrop<M> {
    entries: Vec<Entry<M>>,
}

struct Entry<M> {
    message: M,
    is_deleted: bool,
}

impl<M: Message> Maildrop<M> {
    pub(super) fn new(messages: Vec<M>) -> Self {
        Self { entries: messages.into_iter().map(|message| Entry { message, is_deleted: false }).collect() }
    }

    /// The next command may come.
    pub(super) fn go_on(self) -> State<M> {
        State::Command(Stage::Transaction(self))
    }

    /// The client did something wrong.
    pub(super) fn refuse(self, core: &mut Core, response: &Response) -> State<M> {
        core.error(response);
        self.go_on()
    }

    /// How many messages have not been deleted, and their octets.
    pub(super) fn size(&self) -> (usize, u64) {
        let sizes = self.left().map(|message| message.octets());
        sizes.fold((0, 0), |(count, octets), size| (count + 1, octets.saturating_add(size)))
    }

    /// The same for people.
    pub(super) fn summary(&self) -> String {
        let (count, octets) = self.size();
        format!("{} ({octets} octets)", counted(count))
    }

    /// The message of this number, which must be digits alone, and what to call it by.
    pub(super) fn find(&self, number: &str) -> Result<(usize, &M), Response> {
        let number = number_of(number).ok_or_else(|| responses::syntax("a message number is digits alone"))?;
        let entry =
            usize::try_from(number).ok().and_then(|number| Some((number, self.entries.get(number.checked_sub(1)?)?)));
        match entry {
            Some((number, entry)) if !entry.is_deleted => Ok((number, &entry.message)),
            Some((number, _)) => Err(Response::err(None, format!("message {number} already deleted"))),
            None => {
                let text = format!("no such message, only {} in maildrop", counted(self.entries.len()));
                Err(Response::err(None, text))
            }
        }
    }

    /// The first message from this number on that has not been deleted.
    pub(super) fn next_from(&self, number: usize) -> Option<(usize, &M)> {
        let mut entries = self.entries.get(number.checked_sub(1)?..)?.iter().zip(number..);
        entries.find_map(|(entry, number)| (!entry.is_deleted).then_some((number, &entry.message)))
    }

    fn left(&self) -> impl Iterator<Item = &M> {
        self.entries.iter().filter(|entry| !entry.is_deleted).map(|entry| &entry.message)
    }

    /// What was deleted.
    pub(super) fn into_deleted(self) -> Vec<M> {
        self.entries.into_iter().filter_map(|entry| entry.is_deleted.then_some(entry.message)).collect()
    }

    pub(super) fn has_deleted(&self) -> bool {
        self.entries.iter().any(|entry| entry.is_deleted)
    }
}

/// A number that is digits alone, however many.
pub(super) fn number_of(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// `1 message`, `2 messages`
pub(super) fn counted(count: usize) -> String {
    if count == 1 { "1 message".to_owned() } else { format!("{count} messages") }
}

/// `STAT`
pub(super) fn stat<M: Message>(core: &mut Core, maildrop: Maildrop<M>, args: &str) -> State<M> {
    if !args.is_empty() {
        return maildrop.refuse(core, &responses::NO_ARGUMENT_ALLOWED);
    }
    let (count, octets) = maildrop.size();
    core.respond(&Response::ok(format!("{count} {octets}")));
    maildrop.go_on()
}

/// `DELE msg`
pub(super) fn dele<M: Message>(core: &mut Core, mut maildrop: Maildrop<M>, args: &str) -> State<M> {
    if args.is_empty() {
        return maildrop.refuse(core, &responses::syntax("DELE msg"));
    }
    match maildrop.find(args).map(|(number, _)| number) {
        Ok(number) => {
            maildrop.entries[number - 1].is_deleted = true;
            core.respond(&Response::ok(format!("message {number} deleted")));
            maildrop.go_on()
        }
        Err(response) => maildrop.refuse(core, &response),
    }
}

/// `RSET`
pub(super) fn rset<M: Message>(core: &mut Core, mut maildrop: Maildrop<M>, args: &str) -> State<M> {
    if !args.is_empty() {
        return maildrop.refuse(core, &responses::NO_ARGUMENT_ALLOWED);
    }
    maildrop.entries.iter_mut().for_each(|entry| entry.is_deleted = false);
    core.respond(&Response::ok(format!("maildrop has {}", maildrop.summary())));
    maildrop.go_on()
}

/// `NOOP`
pub(super) fn noop<M: Message>(core: &mut Core, maildrop: Maildrop<M>, args: &str) -> State<M> {
    if !args.is_empty() {
        return maildrop.refuse(core, &responses::NO_ARGUMENT_ALLOWED);
    }
    core.respond(&responses::OK);
    maildrop.go_on()
}
