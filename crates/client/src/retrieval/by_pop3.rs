//! Mail that a POP3 server gives. POP3 has no envelope, but the server that delivered a message may have kept its reverse-path in
//! a line before it (RFC 5321 §4.4).

use std::mem;

use bytes::{Bytes, BytesMut};
use proto::ReversePath;
use proto::pop3::Response;
use proto::pop3::client::{Event as Pop3, Retrieval as Machine};

use super::Event;
use crate::pop3_connection::Session;
use crate::{Error, Pop3Mailbox};

/// How much of a message is read ahead, in octets, to see its first line: the most that one may have (RFC 5321 §4.5.3.1.6).
const FIRST_LINE_OCTETS_MAX: usize = 1000;
/// How many refusals of messages are kept: enough to see what is wrong, of a server that may refuse a million.
const REFUSALS_MAX: usize = 10;

#[derive(Debug)]
pub(super) struct ByPop3<'a> {
    mailbox: &'a mut Pop3Mailbox,
    machine: Machine,
    withheld: usize,
    /// The first of them, by their numbers.
    refusals: Vec<(usize, Response)>,
    /// What was read of the message before anybody asked for it.
    ahead: Bytes,
    is_end_ahead: bool,
}

impl<'a> ByPop3<'a> {
    pub(super) fn new(mailbox: &'a mut Pop3Mailbox, machine: Machine) -> Self {
        Self { mailbox, machine, withheld: 0, refusals: Vec::new(), ahead: Bytes::new(), is_end_ahead: false }
    }

    pub(super) fn count(&self) -> usize {
        self.machine.count()
    }

    pub(super) fn withheld(&self) -> usize {
        self.withheld
    }

    pub(super) fn refusals(&self) -> &[(usize, Response)] {
        &self.refusals
    }

    pub(super) async fn next_event(&mut self) -> Result<Event, Error> {
        if !self.ahead.is_empty() {
            return Ok(Event::Content(mem::take(&mut self.ahead)));
        }
        if mem::take(&mut self.is_end_ahead) {
            return Ok(Event::MessageEnd);
        }
        loop {
            match self.receive().await? {
                Pop3::Message(_) => {
                    self.read_ahead().await?;
                    return Ok(Event::Message { from: sender(&self.ahead), to: self.mailbox.user.clone() });
                }
                Pop3::Refused(entry, refusal) => {
                    self.withheld += 1;
                    if self.refusals.len() < REFUSALS_MAX {
                        self.refusals.push((entry.number, refusal));
                    }
                }
                Pop3::Content(octets) => return Ok(Event::Content(octets)),
                Pop3::MessageEnd => return Ok(Event::MessageEnd),
                Pop3::End => return Ok(Event::End),
                Pop3::NeedInput => {}
            }
        }
    }

    pub(super) async fn confirm(self) -> Result<(), Error> {
        let is_empty = self.count() == self.withheld;
        let mailbox = self.mailbox;
        let confirmation = self.machine.confirm().ok_or(Error::Unread)?;
        let confirmed = mailbox.transport.run(confirmation).await;
        let confirmed = confirmed.and_then(|answer| answer.map_err(Error::Pop3Refused));
        confirmed.map_err(|error| if is_empty { error } else { Error::FlushInDoubt(error.into()) })?;
        mailbox.session = Session::Over;
        mailbox.transport.close().await;
        Ok(())
    }

    async fn receive(&mut self) -> Result<Pop3, Error> {
        loop {
            match self.machine.next_event()? {
                Pop3::NeedInput => self.mailbox.transport.receive(self.machine.wire()).await?,
                event => return Ok(event),
            }
        }
    }

    /// Reads the message's first line, if it has one of a sane length.
    async fn read_ahead(&mut self) -> Result<(), Error> {
        let mut ahead = BytesMut::new();
        while !self.is_end_ahead && !ahead.contains(&b'\n') && ahead.len() < FIRST_LINE_OCTETS_MAX {
            match self.receive().await? {
                Pop3::Content(octets) => ahead.extend_from_slice(&octets),
                _ => self.is_end_ahead = true,
            }
        }
        self.ahead = ahead.freeze();
        Ok(())
    }
}

/// The address in a message's first line if that is its Return-Path, `<>` otherwise.
fn sender(message: &[u8]) -> String {
    let line = message.split(|octet| *octet == b'\n').next().unwrap_or_default();
    let path = std::str::from_utf8(line).ok().and_then(|line| {
        let (name, path) = line.split_once(':')?;
        let is_return_path = name.trim_end().eq_ignore_ascii_case("Return-Path");
        let (path, rest) = ReversePath::parse_prefix(path.trim()).ok()?;
        (is_return_path && rest.is_empty()).then_some(path)
    });
    match path {
        Some(ReversePath::Address(address)) => address.to_string(),
        Some(ReversePath::Null) | None => "<>".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sender_stands_in_the_first_line() {
        for (message, from) in [
            ("Return-Path: <9@mymailserver>\r\nReceived: x\r\n", "9@mymailserver"),
            ("return-path:<a.b+c@mail.example>\r\n", "a.b+c@mail.example"),
            ("Return-Path: <>\r\n", "<>"),
            ("Return-Path: nonsense\r\n", "<>"),
            ("Return-Path: <a\r@b>\r\n", "<>"),
            ("Received: x\r\nReturn-Path: <9@mymailserver>\r\n", "<>"),
            ("Hello\r\n", "<>"),
            ("", "<>"),
        ] {
            assert_eq!(sender(message.as_bytes()), from, "{message}");
        }
        assert_eq!(sender(b"Return-Path: <\xff@a>\r\n"), "<>");
    }
}
