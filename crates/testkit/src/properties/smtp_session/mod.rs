//! A whole session of SMTP or LMTP, with a driver that answers whatever the input has chosen.

mod driver;
pub(super) mod message;
mod turns;

use std::sync::Arc;
use std::time::Instant;

use proto::sasl::{AUTH_OCTETS_MAX, Channel};
use proto::smtp::server::{Config, Limits, Role, Session, Step, Timeouts};
use proto::{Address, INPUT_OCTETS_MAX};

use self::driver::Driver;
use self::turns::Turns;
use super::{lines, parted, segments};
use crate::world::{encrypted, hostname};

/// How many octets of an input are choices.
const CHOICES: usize = 16;

const ROLES: [Role; 4] = [Role::Clients, Role::Exchanger, Role::Submission, Role::Lmtp];
/// The least that a session must take (RFC 5321 §4.5.3.1.4).
const SHORT_COMMAND_OCTETS: usize = 512;

/// An input is sixteen octets of choices and what a client says.
pub fn smtp_session(input: &[u8]) {
    let (choices, said) = parted::<CHOICES>(input);
    let said = &said[..said.len().min(INPUT_OCTETS_MAX / 2)];
    // A client that awaits each reply: how its lines arrive makes no difference, whatever the listener.
    let mut turns = Turns::default();
    let by_lines = run(&choices, false, &lines(said), |line, run| turns.check(line, run));
    let by_octets = run(&choices, false, &said.chunks(1).collect::<Vec<_>>(), |_, _| {});
    by_octets.assert_like(&by_lines, "octet by octet");
    // One that says all at once. Where it must not talk before its turn, it matters what has arrived.
    let at_once = run(&choices, true, &[said], |_, _| {});
    let in_pieces = run(&choices, true, &segments(u64::from(choices[1]), said), |_, _| {});
    if !at_once.config.role.is_strict() && !at_once.config.starttls {
        in_pieces.assert_like(&at_once, "in pieces");
    }
}

/// A session and what has come of it so far.
struct Run {
    config: Arc<Config>,
    session: Session<Address>,
    driver: Driver,
    now: Instant,
    /// What the session has been given.
    given: Vec<u8>,
    /// From where on of that the message is, with its DATA or its first BDAT.
    message_from: usize,
    is_over: bool,
}

/// Lets the client say one segment after the other, and looks at what came of each. When the session polls, all has arrived, or
/// nothing more.
fn run(choices: &[u8; CHOICES], all_has_arrived: bool, segments: &[&[u8]], mut look: impl FnMut(&[u8], &Run)) -> Run {
    let mut run = Run::new(choices);
    let mut segments = segments.iter().copied();
    let mut segment: &[u8] = b"";
    loop {
        run.give(segment);
        while run.go() == Wish::Poll {
            segments.by_ref().filter(|_| all_has_arrived).for_each(|segment| run.give(segment));
        }
        look(segment, &run);
        match segments.next() {
            Some(next) if !run.is_over => segment = next,
            _ => break,
        }
    }
    run.fall_silent();
    run
}

/// Why a session stops.
#[derive(PartialEq, Eq)]
enum Wish {
    Input,
    Poll,
    Close,
}

impl Run {
    fn new(choices: &[u8; CHOICES]) -> Self {
        let [who, _, size, ..] = *choices;
        let small = Limits {
            command_octets: SHORT_COMMAND_OCTETS,
            message_octets: 300,
            recipients: 2,
            recipient_domains: 1,
            transactions: 3,
            errors: 4,
            ..Limits::default()
        };
        let config = Arc::new(Config {
            hostname: hostname(),
            role: ROLES[usize::from(who % 4)],
            starttls: who & 0x10 != 0,
            reports: who & 0x20 != 0,
            limits: if size % 2 == 0 { Limits::default() } else { small },
            timeouts: Timeouts::default(),
        });
        let channel = match (who >> 2) % 4 {
            0 | 1 => Channel::Local,
            2 => encrypted(),
            _ => Channel::Clear,
        };
        let now = Instant::now();
        Self {
            session: Session::new(config.clone(), channel, now),
            driver: Driver::new(&choices[3..]),
            config,
            now,
            given: Vec::new(),
            message_from: 0,
            is_over: false,
        }
    }

    fn give(&mut self, segment: &[u8]) {
        self.session.receive(segment);
        self.given.extend_from_slice(segment);
    }

    /// Goes on until the session can't.
    fn go(&mut self) -> Wish {
        let wish = loop {
            match self.session.next(self.now) {
                Step::NeedInput => break Wish::Input,
                Step::Poll => break Wish::Poll,
                Step::Close => break Wish::Close,
                step => self.driver.take(step, self.now),
            }
            let used = self.given.len() - self.session.input().len();
            if std::mem::take(&mut self.driver.begins_message) {
                self.message_from = message::command_before(&self.given[..used]);
            }
            if let Some((content, body)) = self.driver.committed.take() {
                message::assert_said(&self.given[self.message_from..used], &content, body);
                assert!(content.len() as u64 <= self.config.limits.message_octets, "a message that is too large");
            }
        };
        self.is_over = wish == Wish::Close;
        // Of a line that has no end yet there is never more than the longest one.
        assert!(wish != Wish::Input || self.session.input().len() <= AUTH_OCTETS_MAX, "input gathers");
        wish
    }

    /// The client says no more: its time goes by, and the session ends.
    fn fall_silent(&mut self) {
        if !self.is_over {
            self.now = self.session.deadline();
            assert!(self.go() == Wish::Close, "a silent client is waited for, for ever");
        }
    }

    fn assert_like(&self, other: &Self, how: &str) {
        let shown = |run: &Self| format!("{}\n{:#?}", String::from_utf8_lossy(&run.driver.heard), run.driver.events);
        assert_eq!(shown(self), shown(other), "{how} it is another session");
    }
}
