//! XRETRIEVE (docs/registration.md): a maildrop goes out, and is flushed when its reader has shown that it has it.
//!
//! A next command that arrives after the last dot was written is that sign. What arrived before shows nothing, so the session
//! polls for it just before it writes that dot.

use std::time::Duration;

use bytes::BufMut;

use super::State;
use super::config::WAIT_MAX;
use super::core::Core;
use super::mail::Transaction;
use super::step::{Ask, Question};
use crate::data::DataWriter;
use crate::smtp::{Enhanced, Reply, replies};
use crate::{Address, ReversePath};

/// How many messages are there to hand over?
#[derive(Debug)]
pub struct Retrieve {
    /// How long an empty mailbox may be waited on; at most [`WAIT_MAX`].
    pub wait: Duration,
}

/// The envelope of the message that is next?
#[derive(Debug)]
pub struct NextMessage {
    /// How many have still to go, this one among them.
    left: usize,
}

/// The next octets of the message that is going out?
#[derive(Debug)]
pub struct NextChunk {
    left: usize,
    writer: DataWriter,
}

/// Shall the messages that were handed over go from the mailbox?
#[derive(Debug)]
pub struct Flush<R> {
    pub(super) transaction: Option<Transaction<R>>,
}

/// What the header block of a message says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// Where it came from.
    pub from: ReversePath,
    /// Which of the reader's addresses it was sent to.
    pub to: Address,
}

/// What the block stands between.
const STARS: &str = "*****\r\n";

/// `XRETRIEVE [WAIT=seconds]`
pub(super) fn xretrieve<R>(core: &mut Core, args: &str) -> State<R> {
    let wait = match args.split_once('=') {
        None if args.is_empty() => Some(Duration::ZERO),
        Some((keyword, seconds)) if keyword.eq_ignore_ascii_case("WAIT") => wait_of(seconds),
        _ => None,
    };
    match wait {
        Some(wait) => State::Asking(Question::Retrieve(Retrieve { wait: wait.min(WAIT_MAX) })),
        None => {
            core.error(&replies::syntax("XRETRIEVE [WAIT=seconds]"));
            State::Command(None)
        }
    }
}

/// Digits alone, however many.
fn wait_of(seconds: &str) -> Option<Duration> {
    let digits = !seconds.is_empty() && seconds.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| Duration::from_secs(seconds.parse().unwrap_or(u64::MAX)))
}

impl<R: 'static> Ask<'_, R, Retrieve> {
    /// So many; or none of the reader's business.
    pub fn answer(self, verdict: Result<usize, Reply>) {
        self.proceed(|core, _| match verdict {
            Ok(0) => {
                core.reply(&Reply::new(250, Some(Enhanced(2, 0, 0)), "0 messages"));
                State::Command(None)
            }
            Ok(left) => {
                let text = format!("{left} messages; each ends with <CRLF>.<CRLF>");
                core.reply(&Reply::new(250, Some(Enhanced(2, 0, 0)), text));
                State::Asking(Question::NextMessage(NextMessage { left }))
            }
            Err(reply) => {
                core.refuse(&reply);
                State::Command(None)
            }
        });
    }
}

impl<R: 'static> Ask<'_, R, NextMessage> {
    /// From and to whom it is. `None`: it can't be had, and the session ends before it claims a message that is not there.
    pub fn answer(self, block: Option<Block>) {
        self.proceed(|core, NextMessage { left }| match block {
            Some(Block { from, to }) => {
                let block = format!("From: {from}\r\nTo: {to}\r\nMIME-Version: 1.0\r\nContent-Type: text\r\n");
                for part in [STARS, &block, STARS] {
                    core.flow.output.put_slice(part.as_bytes());
                }
                State::Asking(Question::NextChunk(NextChunk { left, writer: DataWriter::new() }))
            }
            None => State::Closing,
        });
    }
}

impl<R: 'static> Ask<'_, R, NextChunk> {
    /// More of the message; at most some tens of KiB at a time.
    pub fn chunk(self, octets: &[u8]) {
        self.proceed(|core, NextChunk { left, mut writer }| {
            writer.write(octets, &mut core.flow.output);
            State::Asking(Question::NextChunk(NextChunk { left, writer }))
        });
    }

    /// That was all of it.
    pub fn end(self) {
        self.proceed(|core, NextChunk { left, writer }| {
            writer.finish(&mut core.flow.output);
            match left {
                0 | 1 => State::BeforeLastDot,
                _ => State::Asking(Question::NextMessage(NextMessage { left: left - 1 })),
            }
        });
    }

    /// The rest can't be had: the session ends without the dot that would make the message whole.
    pub fn fail(self) {
        self.proceed(|_, _| State::Closing);
    }
}

impl<R: 'static> Ask<'_, R, Flush<R>> {
    /// It has been tried; the client's command goes on either way. What could not be flushed comes again.
    pub fn done(self) {
        self.proceed(|_, Flush { transaction }| State::Command(transaction));
    }
}
