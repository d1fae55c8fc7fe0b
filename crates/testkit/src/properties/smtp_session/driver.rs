//! The one who answers a session's questions, as an input has chosen.

use std::time::Instant;

use proto::sasl::server::{Attempt, Secret};
use proto::smtp::server::{Block, Body, Envelope, Issued, Step, Verified};
use proto::smtp::{Reply, replies};
use proto::{Address, ForwardPath, ReversePath};

use crate::properties::answers::{Answers, PENCIL};
use crate::properties::replies::assert_lines;
use crate::world::{NONCE, hostname};

/// What a maildrop holds here.
const LETTER: &[u8] = b"Subject: hi\r\n\r\n.\r\n..hidden\r\nno line end";

pub(super) struct Driver {
    answers: Answers,
    /// What the client has heard.
    pub(super) heard: Vec<u8>,
    /// What was asked and kept, in order.
    pub(super) events: Vec<String>,
    /// Whether a message has just begun.
    pub(super) begins_message: bool,
    /// The message that was just kept.
    pub(super) committed: Option<(Vec<u8>, Body)>,
    /// How many recipients the last message had that was begun.
    pub(super) recipients: usize,
    /// How many maildrops went out.
    pub(super) maildrops: usize,
    content: Vec<u8>,
    letter_is_out: bool,
}

impl Driver {
    pub(super) fn new(choices: &[u8]) -> Self {
        Self {
            answers: Answers::new(choices),
            heard: Vec::new(),
            events: Vec::new(),
            begins_message: false,
            committed: None,
            recipients: 0,
            maildrops: 0,
            content: Vec::new(),
            letter_is_out: false,
        }
    }

    /// Does what is wanted, and answers what is asked. Now and then it does not: that ends the session.
    pub(super) fn take(&mut self, step: Step<'_, Address>, now: Instant) {
        match step {
            Step::Send(octets) => {
                assert!(!octets.is_empty(), "nothing to write");
                assert_lines(octets);
                self.heard.extend_from_slice(octets);
            }
            Step::Content(octets) => self.content.extend_from_slice(octets),
            Step::Abandon => self.content.clear(),
            Step::BeginData(ask) => {
                self.content.clear();
                self.begins_message = true;
                self.recipients = ask.question.envelope.recipients.len();
                assert_ne!(self.recipients, 0, "a message for nobody");
                if self.answers.goes_on() {
                    ask.answer(now);
                }
            }
            Step::Commit(envelope, ask) => {
                self.keep(&envelope);
                let verdict = self.verdict((), replies::STORE_FAILED);
                if self.answers.goes_on() {
                    ask.answer(verdict);
                }
            }
            Step::CommitEach(envelope, ask) => {
                self.keep(&envelope);
                // An answer too few, or too many, does no harm.
                let answers = envelope.recipients.len() + usize::from(self.answers.choice() % 3) - 1;
                ask.answer((0..answers).map(|_| self.verdict((), replies::MAILBOX_FULL)).collect());
            }
            step => self.answer(step, now),
        }
    }

    fn keep(&mut self, envelope: &Envelope<Address>) {
        self.events.push(format!("{envelope:?} {:?}", String::from_utf8_lossy(&self.content)));
        self.committed = Some((self.content.clone(), envelope.parameters.body));
    }

    fn answer(&mut self, step: Step<'_, Address>, now: Instant) {
        match step {
            Step::StartTls(tls) => {
                self.events.push("TLS".to_owned());
                if self.answers.goes_on() {
                    tls.done(crate::world::encrypted(), now);
                }
            }
            Step::Mail(ask) => {
                self.events.push(format!("{:?} {:?}", ask.hello(), ask.question));
                let verdict = self.verdict((), replies::NOT_YOUR_ADDRESS);
                if self.answers.goes_on() {
                    ask.answer(verdict);
                }
            }
            Step::Recipient(ask) => {
                self.events.push(format!("{:?}", ask.question));
                let verdict = self.verdict(address(&ask.question.forward_path), replies::NO_SUCH_USER);
                ask.answer(verdict);
            }
            Step::Verify(ask) => {
                self.events.push(format!("{:?}", ask.question.mailbox));
                let verified = match self.answers.choice() % 2 {
                    0 => Verified::Mailbox(address(&ask.question.mailbox)),
                    _ => Verified::NotTold,
                };
                ask.answer(self.verdict(verified, replies::NO_SUCH_USER));
            }
            step => self.answer_about_accounts(step),
        }
    }

    fn answer_about_accounts(&mut self, step: Step<'_, Address>) {
        match step {
            Step::Register(ask) => {
                self.events.push(format!("register {:?} {:?}", ask.question.name, ask.question.token));
                let address = match &ask.question.name {
                    Some(name) => Address::new(name.clone(), hostname()),
                    None => Address::numbered(9, &hostname()),
                };
                let verdict = self.verdict(address, replies::NAME_TAKEN);
                if self.answers.goes_on() {
                    ask.answer(verdict);
                }
            }
            Step::IssuePassword(ask) => {
                self.events.push(format!("{:?}", ask.question));
                let issued = match ask.question.verifier {
                    Some(_) => Issued::Kept,
                    None => Issued::Password("secret".to_owned()),
                };
                ask.answer(self.verdict(issued, replies::STORE_FAILED));
            }
            Step::Unregister(ask) => {
                self.events.push("unregister".to_owned());
                ask.answer(self.verdict((), replies::STORE_FAILED));
            }
            Step::LookUp(ask) => {
                self.events.push(format!("look up {:?}", ask.question.user()));
                let secret = Secret { verifier: PENCIL.clone(), nonce: NONCE.to_owned() };
                ask.answer(self.verdict(secret, replies::TOO_MANY_FAILED_LOGINS));
            }
            Step::Authenticate(ask) => {
                self.events.push(format!("{:?}", ask.question.attempt()));
                let is_proved = !matches!(ask.question.attempt(), Attempt::Proof { is_valid: false, .. });
                let verdict = self.verdict((), replies::BAD_CREDENTIALS);
                ask.answer(if is_proved { verdict } else { Err(replies::BAD_CREDENTIALS) });
            }
            step => self.hand_over(step),
        }
    }

    fn hand_over(&mut self, step: Step<'_, Address>) {
        match step {
            Step::Retrieve(ask) => {
                self.events.push(format!("{:?}", ask.question));
                self.maildrops += 1;
                let letters = usize::from(self.answers.choice() % 3);
                ask.answer(self.verdict(letters, replies::REGISTER_FIRST));
            }
            Step::NextMessage(ask) => {
                self.letter_is_out = false;
                let block = Block { from: ReversePath::Null, to: Address::numbered(9, &hostname()) };
                ask.answer(self.answers.goes_on().then_some(block));
            }
            Step::NextChunk(ask) if self.letter_is_out => ask.end(),
            Step::NextChunk(ask) if self.answers.goes_on() => {
                self.letter_is_out = true;
                ask.chunk(LETTER);
            }
            Step::NextChunk(ask) => ask.fail(),
            Step::Flush(ask) => {
                self.events.push("flush".to_owned());
                ask.done();
            }
            _ => unreachable!("every other step is answered elsewhere"),
        }
    }

    /// Yes, or no with this reply.
    fn verdict<T>(&mut self, yes: T, no: Reply) -> Result<T, Reply> {
        if self.answers.choice() % 4 == 3 { Err(no) } else { Ok(yes) }
    }
}

fn address(path: &ForwardPath) -> Address {
    match path {
        ForwardPath::Postmaster => Address::postmaster(&hostname()),
        ForwardPath::Address(address) => address.clone(),
    }
}
