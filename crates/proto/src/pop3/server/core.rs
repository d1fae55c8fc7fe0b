//! What a session holds in every state: its buffers, whom it talks to, and what it has counted.

use std::sync::Arc;
use std::time::Instant;

use bytes::BufMut;

use super::config::Config;
use crate::flow::Flow;
use crate::pop3::{Response, responses};
use crate::sasl::Channel;

/// What all states share.
pub(super) struct Core {
    pub(super) config: Arc<Config>,
    /// Who could overhear it.
    pub(super) channel: Channel,
    pub(super) stopping: bool,
    pub(super) flow: Flow,
    errors: usize,
    /// By what the client has been told that this is the end.
    pub(super) ended_by: Option<Response>,
}

impl Core {
    pub(super) fn new(config: Arc<Config>, channel: Channel, now: Instant) -> Self {
        Self { config, channel, stopping: false, flow: Flow::new(false, now), errors: 0, ended_by: None }
    }

    pub(super) fn respond(&mut self, response: &Response) {
        response.write(&mut self.flow.output);
    }

    /// Writes a line that is no response: one of a list, or a challenge.
    pub(super) fn line(&mut self, text: &str) {
        self.flow.output.put_slice(text.as_bytes());
        self.flow.output.put_slice(b"\r\n");
    }

    /// Answers what the client did wrong, and counts it.
    pub(super) fn error(&mut self, response: &Response) {
        self.errors += 1;
        match self.errors > self.config.limits.errors {
            true => self.end(&responses::TOO_MANY_ERRORS),
            false => self.respond(response),
        }
    }

    /// The last word.
    pub(super) fn end(&mut self, response: &Response) {
        self.respond(response);
        self.ended_by = Some(response.clone());
    }
}
