//! The envelope of a transaction: MAIL, RCPT for each recipient, DATA (RFC 5321 §3.3). A server with CHUNKING (RFC 3030) gets
//! the message as one chunk instead of behind DATA, once it has answered the others.
//!
//! With PIPELINING (RFC 2920) these are sent as one group, of which at most [`PIPELINED_COMMANDS_MAX`] are outstanding at any
//! time; without it that is one. This is the whole difference.

use super::super::Reply;
use super::super::dsn::OriginalRecipient;
use super::chunk::ChunkWriter;
use super::content::Way;
use super::envelope::{Answers, NOT_ASCII};
use super::{
    Breach, Content, Ending, Envelope, Extension, Extensions, Failure, Message, Outcome, Reports, Session, Wire,
};
use crate::client::{Advance, Exchange};
use crate::data::DataWriter;
use crate::{Address, ReversePath};

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
    reverse_path: ReversePath,
    reports: Reports,
    message: Message,
    /// What it makes use of.
    used: Vec<Extension>,
    /// Those of the envelope, said or not.
    recipients: Answers,
    /// Where those of them stand that are said.
    said: Vec<usize>,
    /// How many commands were sent: MAIL, one for each recipient that is said, DATA.
    sent: usize,
    mail: Option<Reply>,
    /// How many of those that are said have their answers.
    answered: usize,
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
        let used = used(&session.extensions, &envelope, message);
        let Envelope { reverse_path, recipients, reports } = envelope;
        let with_refusal = |address: Address| {
            let is_sayable = address.is_ascii() || used.contains(&Extension::SmtpUtf8);
            (address, (!is_sayable).then_some(NOT_ASCII))
        };
        let recipients: Answers = recipients.into_iter().map(with_refusal).collect();
        let sayable = (0..recipients.len()).filter(|&at| recipients[at].1.is_none());
        let said = sayable.take(session.extensions.recipients_max().unwrap_or(usize::MAX)).collect();
        Self {
            session,
            reverse_path,
            reports,
            message,
            used,
            recipients,
            said,
            sent: 0,
            mail: None,
            answered: 0,
            data: None,
        }
    }

    fn take(&mut self, reply: Reply) -> Result<(), Breach> {
        match (&self.mail, self.said.get(self.answered)) {
            (None, _) => self.mail = Some(checked("MAIL", reply, Reply::is_positive)?),
            (Some(_), Some(&at)) => {
                self.recipients[at].1 = Some(checked("RCPT", reply, Reply::is_positive)?);
                self.answered += 1;
            }
            (Some(_), None) => self.data = Some(checked("DATA", reply, |reply| reply.code() == START_MAIL_INPUT)?),
        }
        Ok(())
    }

    /// Sends as many commands as may be outstanding and make sense.
    fn send(&mut self) {
        let outstanding_max = if self.uses(Extension::Pipelining) { PIPELINED_COMMANDS_MAX } else { 1 };
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
            sent => match self.said.get(sent - 1) {
                Some(&at) => Some(self.rcpt_command(&self.recipients[at].0)),
                None if self.uses(Extension::Chunking) => None,
                None => (sent == self.said.len() + 1).then(|| "DATA".to_owned()),
            },
        }
    }

    fn mail_command(&self) -> String {
        let address = self.reverse_path.address().map(ToString::to_string).unwrap_or_default();
        let mut command = format!("MAIL FROM:<{address}>");
        if self.uses(Extension::Size) {
            command += &format!(" SIZE={}", self.message.octets);
        }
        if self.uses(Extension::EightBitMime) {
            command += " BODY=8BITMIME";
        }
        if self.uses(Extension::SmtpUtf8) {
            command += " SMTPUTF8";
        }
        if self.uses(Extension::Dsn) {
            let ret = self.reports.ret.map(|ret| format!(" RET={ret}"));
            let envelope_id = self.reports.envelope_id.as_ref().map(|id| format!(" ENVID={id}"));
            command.extend([ret, envelope_id].into_iter().flatten());
        }
        command
    }

    /// Who is to be told of a recipient is told which one the sender meant (RFC 3461 §5.2.1).
    fn rcpt_command(&self, address: &Address) -> String {
        match self.reports.notify.filter(|_| self.uses(Extension::Dsn)) {
            Some(notify) => {
                let original = OriginalRecipient::of_address(address);
                format!("RCPT TO:<{address}> NOTIFY={notify} ORCPT={original}")
            }
            None => format!("RCPT TO:<{address}>"),
        }
    }

    fn uses(&self, extension: Extension) -> bool {
        self.used.contains(&extension)
    }

    /// Whether some recipient is accepted so far.
    fn is_accepted(&self) -> bool {
        let mut replies = self.recipients.iter().filter_map(|(_, reply)| reply.as_ref());
        self.mail.as_ref().is_some_and(Reply::is_positive) && replies.any(Reply::is_positive)
    }

    /// Whether no recipient can be accepted any more.
    fn is_futile(&self) -> bool {
        let mail_is_refused = self.mail.as_ref().is_some_and(Reply::is_negative);
        let all_are_answered = self.answered == self.said.len();
        mail_is_refused || (all_are_answered && !self.is_accepted())
    }

    /// All that was sent is answered, and there is nothing more to send.
    fn conclude(self) -> Begun {
        let is_accepted = self.is_accepted();
        let Self { mut session, message, used, mut recipients, mail, data, .. } = self;
        let mail_refusal = mail.filter(Reply::is_negative);
        if mail_refusal.is_some() {
            // The answers to RCPT say no more than that MAIL was refused.
            recipients.iter_mut().for_each(|(_, reply)| *reply = None);
        }
        let nobody = mail_refusal.map_or(Outcome::NoRecipients, Outcome::SenderRefused);
        let outcome = match data {
            None if is_accepted => {
                let way = Way::Chunk(ChunkWriter::new(message.octets));
                return Begun::Content(Content::new(session, recipients, used, way));
            }
            Some(start) if !start.is_negative() && is_accepted => {
                let way = Way::Data(DataWriter::new());
                return Begun::Content(Content::new(session, recipients, used, way));
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

/// What a transaction makes use of: what it has a use for, and the server offers.
fn used(offered: &Extensions, envelope: &Envelope, message: Message) -> Vec<Extension> {
    let uses = [
        (Extension::Pipelining, true),
        (Extension::Size, true),
        (Extension::EightBitMime, message.eight_bit),
        (Extension::SmtpUtf8, message.utf8 || !envelope.is_ascii()),
        (Extension::Dsn, envelope.reports.are_wanted()),
        (Extension::Chunking, true),
    ];
    let used = uses.into_iter().filter(|(extension, is_of_use)| *is_of_use && offered.offers(*extension));
    used.map(|(extension, _)| extension).collect()
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
    use crate::client::Octets;

    const RECIPIENTS: usize = 1000;

    /// A server that answers as many commands at a time as `batch` says, the odd recipients with a refusal.
    fn run(extensions: &'static str, batch: usize) -> (usize, Content) {
        let mut wire = Wire::new(None);
        wire.receive(b"220 ready\r\n");
        wire.reply().unwrap().unwrap();
        let session = Session::new(wire, Extensions::of(&Reply::new(250, None, extensions)));
        let recipients = (0..RECIPIENTS).map(|n| format!("{n}@m").parse().unwrap()).collect();
        let envelope = Envelope { reverse_path: ReversePath::Null, recipients, reports: Reports::default() };
        let mut transaction = session.transaction(envelope, Message { octets: 1, eight_bit: false, utf8: false });
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
                let reply = reply.as_ref().unwrap();
                assert_eq!((address.to_string(), reply.text()), (format!("{number}@m"), number.to_string().as_str()));
                assert_eq!(reply.is_negative(), number % 2 == 1);
            }
        }
    }
}
