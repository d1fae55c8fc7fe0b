//! What every state of a session shares: the octets on their way, and the lines among them.

use std::fmt;

use bytes::{BufMut, BytesMut};
use memchr::memchr;

use super::failure::{Breach, Failure};
use crate::client::Octets;
use crate::pop3::Response;
use crate::smtp::client::Dialogue;

/// Longest line that is taken from a server outside a message, in octets: RFC 1939 §3 wants 512, but a challenge may have as
/// many as a client's response (RFC 5034 §4).
pub const LINE_OCTETS_MAX: usize = 12_288;

/// The octets on their way to and from the server.
pub struct Wire {
    pub(super) input: BytesMut,
    output: BytesMut,
    responses_read: u64,
    /// How many responses are still to come for what was said.
    outstanding: usize,
    /// What stands in `input` came before it was asked for.
    unasked: bool,
    dialogue: Option<Dialogue>,
}

/// What a server may say while a login is under way.
pub(super) enum Said {
    Response(Response),
    /// In base64.
    Challenge(String),
}

impl Wire {
    /// The wire of a new connection, on which the server speaks first.
    pub(super) fn new(dialogue: Option<Dialogue>) -> Self {
        Self { outstanding: 1, ..Self::silent(dialogue) }
    }

    /// A wire on which the client speaks first.
    fn silent(dialogue: Option<Dialogue>) -> Self {
        let (input, output) = (BytesMut::new(), BytesMut::new());
        Self { input, output, responses_read: 0, outstanding: 0, unasked: false, dialogue }
    }

    /// The wire of the same connection, encrypted: nothing that was on its way in clear text is.
    pub(super) fn encrypted(self) -> Self {
        Self { responses_read: self.responses_read, ..Self::silent(self.dialogue) }
    }

    /// How many commands have no response yet.
    pub(super) fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Says a command, whose response is then outstanding.
    pub(super) fn command(&mut self, line: &str) {
        self.ask();
        self.put(line);
        if let Some(dialogue) = &mut self.dialogue {
            dialogue.sent_command(line);
        }
    }

    /// Says a command that is a secret but for its verb.
    pub(super) fn secret_command(&mut self, verb: &str, secret: &str) {
        self.ask();
        self.put(&format!("{verb} {secret}"));
        if let Some(dialogue) = &mut self.dialogue {
            dialogue.sent_secret(&format!("{verb} "));
        }
    }

    /// Answers a challenge; the response to the command itself is still outstanding.
    pub(super) fn respond(&mut self, line: &str) {
        self.put(line);
        if let Some(dialogue) = &mut self.dialogue {
            dialogue.sent_response();
        }
    }

    /// Takes the next response; `None` while there is none, or none is outstanding. `to`: what it answers.
    pub(super) fn response(&mut self, to: &'static str) -> Result<Option<Response>, Failure> {
        match self.said(to)? {
            Some(Said::Response(response)) => Ok(Some(response)),
            Some(Said::Challenge(_)) => Err(Breach::NoResponse { to }.into()),
            None => Ok(None),
        }
    }

    /// The same where there may be a challenge, with which the response is still outstanding.
    pub(super) fn said(&mut self, to: &'static str) -> Result<Option<Said>, Failure> {
        if self.outstanding == 0 {
            return Ok(None);
        }
        let Some(line) = self.line()? else { return Ok(None) };
        self.responses_read += 1;
        if let Some(challenge) = line.strip_prefix('+').filter(|rest| rest.is_empty() || rest.starts_with(' ')) {
            return Ok(Some(Said::Challenge(challenge.trim_matches(' ').to_owned())));
        }
        let response = Response::parse(&line).ok_or(Breach::NoResponse { to })?;
        match (self.unasked, response.is_positive()) {
            (false, _) => {
                self.outstanding -= 1;
                Ok(Some(Said::Response(response)))
            }
            // Nothing but the end of the connection can follow.
            (true, false) => Err(Failure::Closing(response)),
            (true, true) => Err(Breach::Unasked(response).into()),
        }
    }

    /// Takes the next line of a list, of which `None` is the end; nothing at all while there is none.
    pub(super) fn list_line(&mut self) -> Result<Option<Option<String>>, Failure> {
        let Some(line) = self.line()? else { return Ok(None) };
        self.responses_read += 1;
        Ok(Some(match line.strip_prefix('.') {
            Some("") => None,
            Some(unstuffed) => Some(unstuffed.to_owned()),
            None => Some(line),
        }))
    }

    fn line(&mut self) -> Result<Option<String>, Failure> {
        let end = memchr(b'\n', &self.input);
        if end.unwrap_or(self.input.len()) >= LINE_OCTETS_MAX {
            return Err(Breach::LineTooLong.into());
        }
        let Some(end) = end else { return Ok(None) };
        let line = self.input.split_to(end + 1);
        let text = &line[..end];
        Ok(Some(String::from_utf8_lossy(text.strip_suffix(b"\r").unwrap_or(text)).into_owned()))
    }

    fn ask(&mut self) {
        self.unasked |= self.outstanding == 0 && !self.input.is_empty();
        self.outstanding += 1;
    }

    fn put(&mut self, line: &str) {
        self.output.put_slice(line.as_bytes());
        self.output.put_slice(b"\r\n");
    }
}

impl Octets for Wire {
    fn receive(&mut self, octets: &[u8]) {
        self.input.extend_from_slice(octets);
        if let Some(dialogue) = &mut self.dialogue {
            dialogue.received(octets);
        }
    }

    fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    fn replies_read(&self) -> u64 {
        self.responses_read
    }
}

impl fmt::Debug for Wire {
    /// Without the octets: there may be passwords and mail among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("outstanding", &self.outstanding).finish_non_exhaustive()
    }
}
