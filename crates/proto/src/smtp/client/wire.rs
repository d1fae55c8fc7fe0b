//! What every state of a session shares: the octets on their way, and the replies among them.

use std::fmt;

use bytes::{BufMut, BytesMut};

use super::super::{Reply, ReplyReader};
use super::dialogue::Dialogue;
use super::failure::{Breach, Failure};
use crate::client::Octets;
use crate::data::DataWriter;

/// Service not available, closing transmission channel (RFC 5321 §4.2.3).
const CLOSING: u16 = 421;

/// The octets on their way to and from the server.
pub struct Wire {
    pub(super) input: BytesMut,
    output: BytesMut,
    replies: ReplyReader,
    replies_read: u64,
    /// How many replies are still to come for what was said.
    outstanding: usize,
    /// What stands in `input` came before it was asked for.
    unasked: bool,
    dialogue: Option<Dialogue>,
}

impl Wire {
    /// The wire of a new connection, on which the server speaks first.
    pub(super) fn new(dialogue: Option<Dialogue>) -> Self {
        Self {
            input: BytesMut::new(),
            output: BytesMut::new(),
            replies: ReplyReader::default(),
            replies_read: 0,
            outstanding: 1,
            unasked: false,
            dialogue,
        }
    }

    /// The wire of the same connection under TLS, on which the client speaks first. Fails if something came in clear text that
    /// was not read.
    pub(super) fn after_tls(self) -> Result<Self, Breach> {
        if !self.input.is_empty() {
            return Err(Breach::Injected);
        }
        let replies_read = self.replies_read;
        Ok(Self { outstanding: 0, replies_read, ..Self::new(self.dialogue) })
    }

    /// How many commands have no reply yet.
    pub(super) fn outstanding(&self) -> usize {
        self.outstanding
    }

    /// Says a command, whose reply is then outstanding.
    pub(super) fn command(&mut self, line: &str) {
        self.ask();
        self.output.put_slice(line.as_bytes());
        self.output.put_slice(b"\r\n");
        if let Some(dialogue) = &mut self.dialogue {
            dialogue.sent_command(line);
        }
    }

    /// Says a response to a challenge, whose reply is then outstanding. It is a secret.
    pub(super) fn response(&mut self, line: &str) {
        self.ask();
        self.output.put_slice(line.as_bytes());
        self.output.put_slice(b"\r\n");
        if let Some(dialogue) = &mut self.dialogue {
            dialogue.sent_response();
        }
    }

    /// Says a piece of a message.
    pub(super) fn content(&mut self, writer: &mut DataWriter, octets: &[u8]) {
        let before = self.output.len();
        writer.write(octets, &mut self.output);
        self.show_content(before);
    }

    /// Says the end of a message, whose reply is then outstanding.
    pub(super) fn end_of_data(&mut self, writer: DataWriter) {
        self.ask();
        let before = self.output.len();
        writer.finish(&mut self.output);
        self.show_content(before);
    }

    /// Says that a chunk of so many octets follows, the last one of its message (RFC 3030 §2). Its reply is outstanding when
    /// all of it is said.
    pub(super) fn begin_chunk(&mut self, octets: u64) {
        let line = format!("BDAT {octets} LAST");
        self.output.put_slice(line.as_bytes());
        self.output.put_slice(b"\r\n");
        if let Some(dialogue) = &mut self.dialogue {
            dialogue.sent_command(&line);
        }
    }

    /// Says a piece of a chunk. A dialogue does not show it: it need not be lines.
    pub(super) fn chunk(&mut self, octets: &[u8]) {
        self.output.put_slice(octets);
    }

    /// Says the last octet of a chunk, if it has one.
    pub(super) fn end_chunk(&mut self, last: Option<u8>) {
        self.ask();
        self.output.extend(last);
    }

    /// Tells whoever reads the dialogue what it comes to.
    pub(super) fn note(&mut self, text: &str) {
        if let Some(dialogue) = &mut self.dialogue {
            dialogue.note(text);
        }
    }

    /// Takes the next reply; `None` while there is none, or none is outstanding.
    pub(super) fn reply(&mut self) -> Result<Option<Reply>, Failure> {
        if self.outstanding == 0 {
            return Ok(None);
        }
        let Some(reply) = self.read_reply()? else { return Ok(None) };
        if self.unasked {
            return Err(Breach::Unasked(reply).into());
        }
        self.outstanding -= 1;
        Ok(Some(reply))
    }

    /// Takes a refusal that the server has said although it was not its turn: nothing but the end of the connection can
    /// follow. Fails if it has said anything else.
    pub(super) fn early_refusal(&mut self) -> Result<Option<Reply>, Failure> {
        match self.read_reply()? {
            Some(reply) if !reply.is_negative() => Err(Breach::Unasked(reply).into()),
            refusal => Ok(refusal),
        }
    }

    fn ask(&mut self) {
        self.unasked |= self.outstanding == 0 && !self.input.is_empty();
        self.outstanding += 1;
    }

    fn read_reply(&mut self) -> Result<Option<Reply>, Failure> {
        let Some(reply) = self.replies.read(&mut self.input)? else { return Ok(None) };
        self.replies_read += 1;
        if reply.code() == CLOSING { Err(Failure::Closing(reply)) } else { Ok(Some(reply)) }
    }

    fn show_content(&mut self, from: usize) {
        if let Some(dialogue) = &mut self.dialogue {
            dialogue.sent_content(&self.output[from..]);
        }
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
        self.replies_read
    }
}

impl fmt::Debug for Wire {
    /// Without the octets: there may be passwords and mail among them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("outstanding", &self.outstanding).finish_non_exhaustive()
    }
}
