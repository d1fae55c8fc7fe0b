//! A server that says what an input has it say, whatever the client asks for.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proto::client::{Advance, Exchange, Octets};
use proto::sasl::plain::Credentials;
use proto::smtp::client::{Dialogue, Line};

/// Longest line that a client may say outside a login and a message, its end included (RFC 5321 §4.5.3.1.4).
const LINE_OCTETS_MAX: usize = 512;

pub(super) struct HostileServer<'a> {
    segments: std::vec::IntoIter<&'a [u8]>,
    /// What the client has said.
    pub(super) heard: Vec<u8>,
    /// What the user of the client was shown.
    shown: Arc<Mutex<Vec<String>>>,
}

impl<'a> HostileServer<'a> {
    /// One that says one segment whenever the client waits.
    pub(super) fn new(segments: Vec<&'a [u8]>) -> Self {
        Self { segments: segments.into_iter(), heard: Vec::new(), shown: Arc::default() }
    }

    /// The client's listener.
    pub(super) fn listener(&self) -> Dialogue {
        let shown = self.shown.clone();
        Dialogue::new(Box::new(move |line| {
            let line = match line {
                Line::Sent(text) => format!("> {text}"),
                Line::Received(text) => format!("< {text}"),
                Line::Note(text) => format!("= {text}"),
            };
            shown.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }))
    }

    /// What the user was shown so far.
    pub(super) fn shown(&self) -> Vec<String> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Panics if the user was shown that the client says this password, in clear or as a mechanism has it.
    pub(super) fn assert_not_shown(&self, password: &str) {
        let forms = [password.to_owned(), STANDARD.encode(password), credentials(password).encode()];
        for line in self.shown().iter().filter(|line| line.starts_with('>')) {
            assert!(!forms.iter().any(|form| line.contains(form)), "shown: {line:?}");
        }
    }

    /// Hears what the client says, and takes it away.
    pub(super) fn hear(&mut self, wire: &mut impl Octets) -> Vec<u8> {
        let said = wire.output().split().to_vec();
        self.heard.extend_from_slice(&said);
        said
    }

    /// Says the next segment; `None` if there is none: the connection is lost.
    pub(super) fn say(&mut self, wire: &mut impl Octets) -> Option<()> {
        self.hear(wire);
        wire.receive(self.segments.next()?);
        Some(())
    }

    /// Runs an exchange to its end; `None` if the connection is lost, or the client breaks it off.
    pub(super) fn run<E: Exchange>(&mut self, mut exchange: E) -> Option<E::Outcome> {
        loop {
            match exchange.advance().ok()? {
                Advance::Done(outcome) => return Some(outcome),
                Advance::Waiting(waiting) => exchange = waiting,
            }
            self.say(exchange.wire())?;
        }
    }
}

/// Those of the client's user.
pub(super) fn credentials(password: &str) -> Credentials {
    Credentials { user: "user".to_owned(), password: password.to_owned() }
}

/// Panics unless the octets are commands: lines of ASCII, short but for those of logins.
pub(super) fn assert_commands(octets: &[u8]) {
    let text = str::from_utf8(octets).expect("a client says UTF-8");
    assert!(text.is_empty() || text.ends_with("\r\n"), "half a command: {text:?}");
    for line in text.split_terminator("\r\n") {
        assert!(!line.contains(char::is_control), "a control in {line:?}");
        let is_of_login = line.starts_with("AUTH ") || !line.contains(' ');
        assert!(is_of_login || line.len() + 2 <= LINE_OCTETS_MAX, "{} octets: {line:?}", line.len());
    }
}
