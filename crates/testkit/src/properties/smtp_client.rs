//! The SMTP client, with a server that says whatever the input says.

use std::time::Duration;

use proto::sasl::{self, Channel, Mechanism};
use proto::smtp::client::{
    Begun, Content, Delivery, Envelope, Event, Message, Opening, Outcome, Reports, Retrieval, Session,
};
use proto::{Address, ReversePath};

use super::data_reader::message_of;
use super::hostile_server::{HostileServer, assert_commands, credentials};
use super::smtp_session::message::chunks;
use super::{lines, parted, segments};
use crate::world::{encrypted, hostname};

/// How many octets of an input are choices.
const CHOICES: usize = 8;

const LETTER: &[u8] = b"Subject: hi\r\n\r\n.\r\n..hidden\r\n.\r\nQUIT\r\n";
const PASSWORD: &str = "0hX-pencil";

/// An input is eight octets of choices and what a server says.
pub fn smtp_client(input: &[u8]) {
    let (choices, said) = parted::<CHOICES>(input);
    let by_lines = run(&choices, lines(said));
    let by_octets = run(&choices, said.chunks(1).collect());
    assert_eq!(by_octets, by_lines, "octet by octet it is another session");
    // What comes before it is asked for is another matter: the client says so and goes.
    run(&choices, vec![said]);
    run(&choices, segments(u64::from(choices[0]), said));
}

/// What the client has said, and what came of it.
fn run(choices: &[u8; CHOICES], segments: Vec<&[u8]>) -> (String, Vec<String>) {
    let mut talk = Talk { server: HostileServer::new(segments), channel: channel(choices[0]), events: Vec::new() };
    let opening = Opening::new(hostname(), Some(talk.server.listener()));
    let mut session = talk.server.run(opening).and_then(Result::ok);
    for choice in &choices[1..] {
        session = session.and_then(|session| talk.act(session, *choice));
    }
    let heard = String::from_utf8_lossy(&talk.server.heard).into_owned();
    talk.server.assert_not_shown(PASSWORD);
    (heard, talk.events)
}

fn channel(choice: u8) -> Channel {
    if choice & 1 == 0 { Channel::Local } else { encrypted() }
}

struct Talk<'a> {
    server: HostileServer<'a>,
    channel: Channel,
    events: Vec<String>,
}

impl Talk<'_> {
    /// Asks for something; `None` if the session is over.
    fn act(&mut self, session: Session, choice: u8) -> Option<Session> {
        let from = self.server.heard.len();
        let session = match choice % 9 {
            0 => self.send(session, choice / 9)?,
            1 => self.retrieve(session, choice / 9)?,
            2 => self.log_in(session)?,
            3 => {
                let (session, answer) = self.server.run(session.register(None, None))?;
                self.events.push(format!("{answer:?}"));
                session
            }
            4 => self.password(session)?,
            5 => self.server.run(session.unregister())?.0,
            6 => {
                let (session, answer) = self.server.run(session.starttls())?;
                match answer {
                    Ok(()) => {
                        let opening = Opening::after_tls(session, hostname()).ok()?;
                        self.channel = encrypted();
                        self.server.run(opening)?.ok()?
                    }
                    Err(_) => session,
                }
            }
            7 => self.server.run(session.noop())?.0,
            _ => self.server.run(session.quit())?.0,
        };
        // A message is looked at where it is sent.
        if !choice.is_multiple_of(9) {
            assert_commands(&self.server.heard[from..]);
        }
        Some(session)
    }

    fn password(&mut self, session: Session) -> Option<Session> {
        let from = self.server.shown().len();
        let (session, answer) = self.server.run(session.issue_password())?;
        // A short one is in many a line.
        if let Ok(password) = answer.as_ref().map_err(drop)
            && password.len() > "250".len()
        {
            let shown = self.server.shown();
            let is_shown = shown[from..].iter().any(|line| line.split([' ', '-']).any(|word| word == password));
            assert!(!is_shown || password == "********", "{password:?} is shown: {:?}", &shown[from..]);
        }
        self.events.push(format!("{answer:?}"));
        Some(session)
    }

    fn log_in(&mut self, session: Session) -> Option<Session> {
        let credentials = credentials(PASSWORD);
        let offers = |it: Mechanism| session.extensions().has_mechanism(it.name());
        let Some(exchange) = sasl::client::Exchange::begin(&credentials, &self.channel, offers, "nonce") else {
            return Some(session);
        };
        let is_scram = matches!(exchange.mechanism(), Mechanism::ScramSha256 | Mechanism::ScramSha256Plus);
        let (session, answer) = self.server.run(session.log_in(exchange))?;
        assert!(!(is_scram && answer.is_ok()), "a server that proved nothing");
        self.events.push(format!("{answer:?}"));
        Some(session)
    }

    fn send(&mut self, session: Session, choice: u8) -> Option<Session> {
        let recipients: Vec<Address> =
            ["9@m", "jürgen@m", "10@m"].iter().map(|text| text.parse().expect("an address")).collect();
        let recipients_max = 1 + usize::from(choice % 3);
        let envelope = Envelope {
            reverse_path: ReversePath::Null,
            recipients: recipients.into_iter().take(recipients_max).collect(),
            reports: Reports { envelope_id: "id".parse().ok(), ..Reports::default() },
        };
        let message = Message { octets: LETTER.len() as u64, eight_bit: choice & 4 != 0, utf8: choice & 8 != 0 };
        let from = self.server.heard.len();
        let begun = self.server.run(session.transaction(envelope, message))?;
        assert_commands(&self.server.heard[from..]);
        let ending = match begun {
            Begun::Ending(ending) => ending,
            Begun::Content(content) => self.content(content)?,
        };
        let (session, delivery) = self.server.run(ending)?;
        self.look_at(&delivery);
        Some(session)
    }

    /// Sends the message, and sees that it is said as it is: the server can't have it end elsewhere.
    fn content(&mut self, mut content: Content) -> Option<proto::smtp::client::Ending> {
        let mut said = self.server.hear(content.wire());
        for piece in LETTER.chunks(5) {
            content.write(piece).ok()?;
            said.extend(self.server.hear(content.wire()));
            if content.listen().ok()?.is_some() {
                return None;
            }
        }
        let mut ending = content.finish().ok()?;
        said.extend(self.server.hear(proto::client::Exchange::wire(&mut ending)));
        let message = if said.starts_with(b"BDAT ") { chunks(&said, b"\r\n") } else { message_of(&said, b"\r\n") };
        assert_eq!(message.as_deref(), Some(LETTER), "{}", String::from_utf8_lossy(&said));
        Some(ending)
    }

    fn look_at(&mut self, delivery: &Delivery) {
        if let Outcome::Accepted(reply) = &delivery.outcome {
            assert!(reply.is_positive(), "{reply}");
            let mut replies = delivery.recipients.iter().filter_map(|(_, reply)| reply.as_ref());
            assert!(replies.any(proto::smtp::Reply::is_positive), "accepted for nobody");
        }
        self.events.push(format!("{delivery:?}"));
    }

    fn retrieve(&mut self, session: Session, choice: u8) -> Option<Session> {
        let wait = (choice % 2 == 1).then_some(Duration::from_secs(1));
        let mut retrieval = match self.server.run(session.retrieve(wait))? {
            Ok(retrieval) => retrieval,
            Err((session, refusal)) => {
                self.events.push(refusal.to_string());
                return Some(session);
            }
        };
        self.read(&mut retrieval)?;
        let confirmation = retrieval.confirm().expect("all was read");
        let (session, answer) = self.server.run(confirmation)?;
        self.events.push(format!("{answer:?}"));
        Some(session)
    }

    fn read(&mut self, retrieval: &mut Retrieval) -> Option<()> {
        let (mut message, mut ended) = (Vec::new(), 0);
        loop {
            match retrieval.next_event().ok()? {
                Event::Message(block) => self.events.push(format!("{block:?}")),
                Event::Content(octets) => message.extend_from_slice(&octets),
                Event::MessageEnd => {
                    ended += 1;
                    self.events.push(format!("{:?}", std::mem::take(&mut message)));
                }
                Event::End => {
                    assert_eq!(ended, retrieval.count(), "messages that have not ended");
                    return Some(());
                }
                Event::NeedInput => self.server.say(retrieval.wire())?,
            }
        }
    }
}
