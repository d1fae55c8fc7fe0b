//! The envelope of a transaction: MAIL, RCPT for each recipient, DATA (RFC 5321 §3.3).
//!
//! With PIPELINING (RFC 2920) these are sent as one group, of which at most [`PIPELINED_COMMANDS_MAX`] are outstanding at any
//! time; without it that is one. This is the whole difference.

use super::super::Reply;
use super::{Breach, Content, Ending, Envelope, Extension, Failure, Message, Outcome, Session, Wire};
use crate::client::{Advance, Exchange};
use crate::data::DataWriter;

/// The most commands that are outstanding at a time.
pub const PIPELINED_COMMANDS_MAX: usize = 100;
/// Longest reply to a command of the envelope, in octets of text: one is kept for every recipient.
pub const ENVELOPE_REPLY_OCTETS_MAX: usize = 8192;

/// Start mail input (RFC 5321 §4.2.3).
const START_MAIL_INPUT: u16 = 354;

/// The envelope of a transaction under way.
#[derive(Debug)]
pub struct Transaction {
    session: Session,
    envelope: Envelope,
    message: Message,
    /// How many commands were sent: MAIL, one for each recipient, DATA.
    sent: usize,
    mail: Option<Reply>,
    rcpt: Vec<Reply>,
    data: Option<Reply>,
}

/// What comes of an envelope.
#[derive(Debug)]
pub enum Begun {
    /// The server takes the message, for some recipient at least.
    Content(Content),
    /// It doesn't; what is left is to end the transaction.
    Ending(Ending),
}

impl Transaction {
    pub(super) fn new(session: Session, envelope: Envelope, message: Message) -> Self {
        Self { session, envelope, message, sent: 0, mail: None, rcpt: Vec::new(), data: None }
    }

    fn take(&mut self, reply: Reply) -> Result<(), Breach> {
        let awaits_rcpt = self.rcpt.len() < self.envelope.recipients.len();
        match self.mail {
            None => self.mail = Some(checked("MAIL", reply, Reply::is_positive)?),
            Some(_) if awaits_rcpt => self.rcpt.push(checked("RCPT", reply, Reply::is_positive)?),
            Some(_) => self.data = Some(checked("DATA", reply, |reply| reply.code() == START_MAIL_INPUT)?),
        }
        Ok(())
    }

    /// Sends as many commands as may be outstanding and make sense.
    fn send(&mut self) {
        let pipelining = self.session.extensions.offers(Extension::Pipelining);
        let outstanding_max = if pipelining { PIPELINED_COMMANDS_MAX } else { 1 };
        while self.session.wire.outstanding() < outstanding_max
            && let Some(command) = self.next_command()
        {
            self.session.wire.command(&command);
            self.sent += 1;
        }
    }

    fn next_command(&self) -> Option<String> {
        match self.sent {
            _ if self.is_futile() => None,
            0 => Some(self.mail_command()),
            sent => match self.envelope.recipients.get(sent - 1) {
                Some(recipient) => Some(format!("RCPT TO:<{recipient}>")),
                None => (sent == self.envelope.recipients.len() + 1).then(|| "DATA".to_owned()),
            },
        }
    }

    fn mail_command(&self) -> String {
        let address = self.envelope.reverse_path.address().map(ToString::to_string).unwrap_or_default();
        let Message { octets, eight_bit } = self.message;
        let offers = |extension| self.session.extensions.offers(extension);
        let size = if offers(Extension::Size) { format!(" SIZE={octets}") } else { String::new() };
        let body = if eight_bit && offers(Extension::EightBitMime) { " BODY=8BITMIME" } else { "" };
        let utf8 = if self.envelope.is_ascii() { "" } else { " SMTPUTF8" };
        format!("MAIL FROM:<{address}>{size}{body}{utf8}")
    }

    /// Whether some recipient is accepted so far.
    fn is_accepted(&self) -> bool {
        self.mail.as_ref().is_some_and(Reply::is_positive) && self.rcpt.iter().any(Reply::is_positive)
    }

    /// Whether no recipient can be accepted any more.
    fn is_futile(&self) -> bool {
        let mail_is_refused = self.mail.as_ref().is_some_and(Reply::is_negative);
        let all_are_answered = self.rcpt.len() == self.envelope.recipients.len();
        mail_is_refused || (all_are_answered && !self.is_accepted())
    }

    /// All that was sent is answered, and there is nothing more to send.
    fn conclude(self) -> Begun {
        let is_accepted = self.is_accepted();
        let Self { mut session, envelope, mail, rcpt, data, .. } = self;
        let recipients = envelope.recipients.into_iter();
        let mail_refusal = mail.filter(Reply::is_negative);
        let recipients = match &mail_refusal {
            Some(refusal) => recipients.map(|address| (address, refusal.clone())).collect(),
            None => recipients.zip(rcpt).collect(),
        };
        let nobody = mail_refusal.map_or(Outcome::NoRecipients, Outcome::SenderRefused);
        let outcome = match data {
            Some(start) if !start.is_negative() && is_accepted => {
                return Begun::Content(Content::new(session, recipients));
            }
            // Some servers take DATA although they refused every recipient. They get an empty message to throw away
            // (RFC 2920 §3.1).
            Some(start) if !start.is_negative() => {
                session.wire.end_of_data(DataWriter::new());
                return Begun::Ending(Ending::decided(session, recipients, nobody));
            }
            Some(refusal) if is_accepted => Outcome::Refused(refusal),
            _ => nobody,
        };
        session.wire.command("RSET");
        Begun::Ending(Ending::decided(session, recipients, outcome))
    }
}

impl Exchange for Transaction {
    type Outcome = Begun;
    type Wire = Wire;
    type Failure = Failure;

    fn wire(&mut self) -> &mut Wire {
        &mut self.session.wire
    }

    fn advance(mut self) -> Result<Advance<Self>, Failure> {
        while let Some(reply) = self.session.wire.reply()? {
            self.take(reply)?;
        }
        self.send();
        Ok(if self.session.wire.outstanding() == 0 { Advance::Done(self.conclude()) } else { Advance::Waiting(self) })
    }
}

/// A reply that says yes or no, and not too much.
fn checked(to: &'static str, reply: Reply, is_positive: fn(&Reply) -> bool) -> Result<Reply, Breach> {
    if reply.text().len() > ENVELOPE_REPLY_OCTETS_MAX {
        Err(Breach::TooLong { to })
    } else if is_positive(&reply) || reply.is_negative() {
        Ok(reply)
    } else {
        Err(Breach::Unexpected { to, reply })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ReversePath;
    use crate::client::Octets;
    use crate::smtp::client::Wire;

    const RECIPIENTS: usize = 1000;

    /// A server that answers as many commands at a time as `batch` says, the odd recipients with a refusal.
    fn run(extensions: &'static str, batch: usize) -> (usize, Content) {
        let mut wire = Wire::new(None);
        wire.receive(b"220 ready\r\n");
        wire.reply().unwrap().unwrap();
        let session = Session::new(wire, crate::smtp::client::Extensions::of(&Reply::new(250, None, extensions)));
        let recipients = (0..RECIPIENTS).map(|n| format!("{n}@m").parse().unwrap()).collect();
        let envelope = Envelope { reverse_path: ReversePath::Null, recipients };
        let mut transaction = session.transaction(envelope, Message { octets: 1, eight_bit: false });
        let (mut unanswered, mut unanswered_max) = (String::new(), 0);
        loop {
            match transaction.advance().unwrap() {
                Advance::Waiting(waiting) => transaction = waiting,
                Advance::Done(Begun::Content(content)) => return (unanswered_max, content),
                Advance::Done(Begun::Ending(_)) => panic!("some recipients are accepted"),
            }
            unanswered.push_str(str::from_utf8(&transaction.wire().output().split()).unwrap());
            unanswered_max = unanswered_max.max(unanswered.lines().count());
            let answered: usize = unanswered.split_inclusive('\n').take(batch).map(str::len).sum();
            for command in unanswered.drain(..answered).collect::<String>().lines() {
                let number =
                    command.strip_prefix("RCPT TO:<").and_then(|rest| rest.split('@').next()?.parse::<u32>().ok());
                let reply = match number {
                    Some(number) if number % 2 == 1 => format!("550 {number}\r\n"),
                    Some(number) => format!("250 {number}\r\n"),
                    None if command == "DATA" => "354 Go\r\n".to_owned(),
                    None => "250 OK\r\n".to_owned(),
                };
                transaction.wire().receive(reply.as_bytes());
            }
        }
    }

    #[test]
    fn a_thousand_recipients_are_sent_in_bounded_groups() {
        for (extensions, batch, outstanding_max) in [("m\nPIPELINING", 1, 100), ("m\nPIPELINING", 64, 100), ("m", 1, 1)]
        {
            let (unanswered_max, content) = run(extensions, batch);
            assert_eq!(unanswered_max, outstanding_max);
            let mut ending = content.finish().unwrap();
            ending.wire().receive(b"250 OK\r\n");
            let Ok(Advance::Done((_, delivery))) = ending.advance() else { panic!("it was answered") };
            assert_eq!(delivery.recipients.len(), RECIPIENTS);
            for (number, (address, reply)) in delivery.recipients.iter().enumerate() {
                assert_eq!((address.to_string(), reply.text()), (format!("{number}@m"), number.to_string().as_str()));
                assert_eq!(reply.is_negative(), number % 2 == 1);
            }
        }
    }
}
