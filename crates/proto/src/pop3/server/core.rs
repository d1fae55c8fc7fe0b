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
}

impl Core {
    pub(super) fn new(config: Arc<Config>, channel: Channel, now: Instant) -> Self {
        Self { config, channel, stopping: false, flow: Flow::new(false, now), errors: 0 }
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
        match self.has_too_many_errors() {
            true => self.respond(&responses::TOO_MANY_ERRORS),
            false => self.respond(response),
        }
    }

    pub(super) fn has_too_many_errors(&self) -> bool {
        self.errors > self.config.limits.errors
    }
}
