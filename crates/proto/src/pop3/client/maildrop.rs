//! What is in the maildrop: STAT, LIST and UIDL (RFC 1939 §5, §7).

use std::mem;

use super::wire::Wire;
use super::{Breach, Capability, Failure, Quit, Retrieval, Transaction};
use crate::client::{Advance, Exchange};
use crate::pop3::Response;

/// The most messages that a server may list.
pub const MESSAGES_MAX: usize = 1_000_000;
/// Longest unique-id (RFC 1939 §7).
const UNIQUE_ID_OCTETS_MAX: usize = 70;

/// A message in the maildrop, by the server's word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number in this session, from 1.
    pub number: usize,
    /// Its size: not a number to allocate by.
    pub octets: u64,
    /// What it is called from session to session, if that was asked for and the server has such names: 1 to 70 printable ASCII
    /// characters.
    pub unique_id: Option<String>,
}

/// The question what messages there are.
#[derive(Debug)]
pub struct Survey {
    session: Transaction,
    unique_ids: bool,
    awaited: Awaited,
    /// How many messages the server has said to have.
    count: usize,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, Copy)]
enum Awaited {
    Stat,
    List,
    ListLine,
    Uidl,
    /// The line for the entry at this index or a later one.
    UidlLine(usize),
}

impl Survey {
    pub(super) fn new(mut session: Transaction, unique_ids: bool) -> Self {
        session.wire.command("STAT");
        Self { session, unique_ids, awaited: Awaited::Stat, count: 0, entries: Vec::new() }
    }

    fn say(&mut self, command: &str, awaited: Awaited) {
        self.session.wire.command(command);
        self.awaited = awaited;
    }

    /// `+OK 2 320`
    fn take_stat(&mut self, response: Response) -> Result<(), Failure> {
        let count = numbers(response.text()).map(|(count, _)| count);
        self.count = count.ok_or(Breach::Unexpected { to: "STAT", response })?;
        if self.count > MESSAGES_MAX {
            return Err(Breach::TooManyMessages.into());
        }
        self.say("LIST", Awaited::List);
        Ok(())
    }

    /// `1 120`
    fn take_size(&mut self, line: &str) -> Result<(), Failure> {
        let last = self.entries.last().map_or(0, |entry| entry.number);
        let parsed = numbers(line).filter(|(number, _)| *number > last && *number <= self.count);
        let (number, octets) = parsed.ok_or(Breach::List { of: "messages" })?;
        self.entries.push(Entry { number, octets, unique_id: None });
        Ok(())
    }

    /// `1 whqtswO00WBw418f9t5JxYwZ`
    fn take_unique_id(&mut self, from: usize, line: &str) -> Result<(), Failure> {
        let breach = Breach::List { of: "unique-ids" };
        let (number, id) = line.split_once(' ').ok_or(breach.clone())?;
        let is_id = (1..=UNIQUE_ID_OCTETS_MAX).contains(&id.len()) && id.bytes().all(|octet| octet.is_ascii_graphic());
        let number: usize = number.parse().ok().filter(|_| is_id).ok_or(breach.clone())?;
        let at = self.entries[from..].iter().position(|entry| entry.number == number).ok_or(breach)?;
        self.entries[from + at].unique_id = Some(id.to_owned());
        self.awaited = Awaited::UidlLine(from + at + 1);
        Ok(())
    }

    /// Goes on with one response or line, if there is one; gives the refusal that ends it all.
    fn take_next(&mut self) -> Result<Next, Failure> {
        match self.awaited {
            Awaited::Stat | Awaited::List | Awaited::Uidl => self.take_response(),
            Awaited::ListLine => match self.session.wire.list_line()? {
                None => Ok(Next::Wait),
                Some(Some(line)) => self.take_size(&line).map(|()| Next::More),
                Some(None) if self.unique_ids && !self.entries.is_empty() && self.may_have_unique_ids() => {
                    self.say("UIDL", Awaited::Uidl);
                    Ok(Next::More)
                }
                Some(None) => Ok(Next::Done),
            },
            Awaited::UidlLine(from) => match self.session.wire.list_line()? {
                None => Ok(Next::Wait),
                Some(Some(line)) => self.take_unique_id(from, &line).map(|()| Next::More),
                Some(None) => Ok(Next::Done),
            },
        }
    }

    fn take_response(&mut self) -> Result<Next, Failure> {
        let to = match self.awaited {
            Awaited::Stat => "STAT",
            Awaited::List | Awaited::ListLine => "LIST",
            Awaited::Uidl | Awaited::UidlLine(_) => "UIDL",
        };
        let Some(response) = self.session.wire.response(to)? else { return Ok(Next::Wait) };
        match self.awaited {
            // An old server without unique-ids.
            Awaited::Uidl if !response.is_positive() => return Ok(Next::Done),
            _ if !response.is_positive() => return Ok(Next::Refused(response)),
            Awaited::Stat => self.take_stat(response)?,
            Awaited::List | Awaited::ListLine => self.awaited = Awaited::ListLine,
            Awaited::Uidl | Awaited::UidlLine(_) => self.awaited = Awaited::UidlLine(0),
        }
        Ok(Next::More)
    }

    fn may_have_unique_ids(&self) -> bool {
        let capabilities = &self.session.capabilities;
        !capabilities.are_known() || capabilities.has(Capability::UniqueIds)
    }
}

/// What comes of one response or line.
enum Next {
    More,
    Wait,
    Refused(Response),
    Done,
}

/// Two numbers; more may follow them.
fn numbers(text: &str) -> Option<(usize, u64)> {
    let mut words = text.split(' ');
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

impl Exchange for Survey {
    /// The maildrop, or the session and the refusal.
    type Outcome = Result<Maildrop, (Transaction, Response)>;
    type Wire = Wire;
    type Failure = Failure;

    fn wire(&mut self) -> &mut Wire {
        &mut self.session.wire
    }

    fn advance(mut self) -> Result<Advance<Self>, Failure> {
        loop {
            match self.take_next()? {
                Next::More => {}
                Next::Wait => return Ok(Advance::Waiting(self)),
                Next::Refused(refusal) => return Ok(Advance::Done(Err((self.session, refusal)))),
                Next::Done => {
                    let entries = mem::take(&mut self.entries);
                    return Ok(Advance::Done(Ok(Maildrop { session: self.session, entries })));
                }
            }
        }
    }
}

/// The messages of a session.
#[derive(Debug)]
pub struct Maildrop {
    session: Transaction,
    entries: Vec<Entry>,
}

impl Maildrop {
    /// The messages, the oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Leaves alone what is not wanted.
    pub fn retain(&mut self, is_wanted: impl FnMut(&Entry) -> bool) {
        self.entries.retain(is_wanted);
    }

    /// Has the messages sent, one after the other.
    pub fn retrieve(self) -> Retrieval {
        Retrieval::new(self.session, self.entries)
    }

    /// Says goodbye. Nothing is deleted.
    pub fn quit(self) -> Quit {
        self.session.quit()
    }
}
