//! One reply for one command, and none for what is no command.

use std::mem;

use super::Run;
use crate::properties::replies::codes;

/// Looks at a session line by line, as a client does that awaits each reply.
#[derive(Default)]
pub(super) struct Turns {
    /// What was heard by now.
    heard: usize,
    maildrops: usize,
    /// How many times something was asked or kept.
    events: usize,
    is_greeted: bool,
    /// Whether lines end in LF alone; `None`: that is not settled yet.
    is_typed: Option<bool>,
    /// Whether content is awaited, and not a command.
    in_content: bool,
    /// Whether the line goes on that was bad.
    in_bad_line: bool,
    /// Whether a chunk has come: where it ends may be inside a line, so commands need not begin where lines do.
    had_chunk: bool,
}

impl Turns {
    pub(super) fn check(&mut self, line: &[u8], run: &Run) {
        let heard = &run.driver.heard[self.heard..];
        self.heard += heard.len();
        if mem::replace(&mut self.maildrops, run.driver.maildrops) != run.driver.maildrops {
            // A maildrop is no reply. It comes when a command has, so what follows is one again.
            return;
        }
        let mut codes = codes(heard);
        // A driver that breaks off ends the session, with a word of its own.
        if codes.len() > 1 && run.is_over && codes.last() == Some(&421) {
            codes.pop();
        }
        if !mem::replace(&mut self.is_greeted, true) {
            assert_eq!(codes, [220], "the greeting");
            return;
        }
        let Some(text) = line.strip_suffix(b"\n") else { return };
        let has_cr = text.ends_with(b"\r");
        let is_typed = *self.is_typed.get_or_insert(!run.config.role.is_strict() && !has_cr);
        let text = if is_typed { text } else { text.strip_suffix(b"\r").unwrap_or(text) };
        let is_chunk = text.get(..4).is_some_and(|verb| verb.eq_ignore_ascii_case(b"BDAT"));
        let is_clean = !text.contains(&b'\r') && (is_typed || has_cr) && !self.in_bad_line;
        self.had_chunk |= is_chunk;
        let most = if self.in_content || self.had_chunk { run.driver.recipients.max(1) } else { 1 };
        assert!(codes.len() <= most + usize::from(self.had_chunk), "{codes:?} for one command");
        if is_clean && !self.in_content && !self.had_chunk && !run.is_over {
            assert_eq!(codes.len(), 1, "one reply for {:?}", String::from_utf8_lossy(line));
        }
        self.in_content = match codes.last() {
            Some(code) => *code == 354,
            None => self.in_content,
        };
        self.in_bad_line = !self.in_content && !is_typed && !has_cr;
        if run.driver.events.len() > self.events && run.driver.events.last().is_some_and(|event| event == "TLS") {
            self.is_typed = None;
        }
        self.events = run.driver.events.len();
    }
}
