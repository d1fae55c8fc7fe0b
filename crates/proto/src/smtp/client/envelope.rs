//! What a transaction is about and what became of it.

use super::super::{Enhanced, Reply};
use crate::{Address, ReversePath};

/// Where a message comes from and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Whom reports go to.
    pub reverse_path: ReversePath,
    /// Whom the message goes to.
    pub recipients: Vec<Address>,
}

impl Envelope {
    /// Whether it can be said to every server; else only to one that offers SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.reverse_path.address().into_iter().chain(&self.recipients).all(Address::is_ascii)
    }
}

/// What is known of a message before its octets are seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// How many octets it has, dots not stuffed (RFC 1870 §5).
    pub octets: u64,
    /// Whether it may have octets over 127 (RFC 6152 §3).
    pub eight_bit: bool,
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The recipients in the order of the envelope, each with what the server answered: to RCPT or, where that never came
    /// into question, to MAIL.
    pub recipients: Vec<(Address, Reply)>,
    /// What became of the message.
    pub outcome: Outcome,
}

impl Delivery {
    /// The recipients that the server had no room for beside those that it took: they are to be sent the message in a
    /// transaction of their own (RFC 5321 §4.5.3.1.10).
    pub fn left_over(&self) -> Vec<Address> {
        let mut replies = self.recipients.iter().map(|(_, reply)| reply);
        if !matches!(self.outcome, Outcome::Accepted(_)) || !replies.any(Reply::is_positive) {
            return Vec::new();
        }
        let left_over = self.recipients.iter().filter(|(_, reply)| is_too_many(reply));
        left_over.map(|(address, _)| address.clone()).collect()
    }

    /// Takes in what became of the transaction with those that were left over.
    pub fn merge(&mut self, further: Self) {
        let mut further = further.recipients.into_iter().map(|(address, reply)| match &further.outcome {
            Outcome::Refused(refusal) if reply.is_positive() => (address, refusal.clone()),
            _ => (address, reply),
        });
        for (_, reply) in self.recipients.iter_mut().filter(|(_, reply)| is_too_many(reply)) {
            if let Some((_, answer)) = further.next() {
                *reply = answer;
            }
        }
    }
}

/// Too many recipients, in the words of RFC 5321 §4.5.3.1.10: those that it wants, and those that older servers use.
fn is_too_many(reply: &Reply) -> bool {
    matches!((reply.code(), reply.enhanced()), (452, _) | (552, Some(Enhanced(5, 5, 3))))
}

/// What became of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The server has it, for the recipients that it accepted.
    Accepted(Reply),
    /// The server refused DATA or the message: nobody gets it.
    Refused(Reply),
    /// The server refused MAIL, because of the sender or of the message's size: nobody gets it.
    SenderRefused(Reply),
    /// No recipient was accepted; the message was not sent.
    NoRecipients,
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOO_MANY: &str = "Too many recipients";

    fn delivery(replies: &[(&str, u16)], outcome: Outcome) -> Delivery {
        let recipients = replies.iter().map(|(name, code)| {
            let enhanced = (*code == 552).then_some(Enhanced(5, 5, 3));
            (format!("{name}@m").parse().unwrap(), Reply::new(*code, enhanced, TOO_MANY))
        });
        Delivery { recipients: recipients.collect(), outcome }
    }

    fn accepted() -> Outcome {
        Outcome::Accepted(Reply::new(250, None, "OK"))
    }

    fn codes(delivery: &Delivery) -> Vec<u16> {
        delivery.recipients.iter().map(|(_, reply)| reply.code()).collect()
    }

    #[test]
    fn those_that_were_too_many_are_left_over_if_others_were_not() {
        let replies = [("a", 250), ("b", 452), ("c", 550), ("d", 552)];
        let left_over: Vec<_> = delivery(&replies, accepted()).left_over().iter().map(ToString::to_string).collect();
        assert_eq!(left_over, ["b@m", "d@m"]);
        let refusal = Reply::new(451, None, "later");
        assert_eq!(delivery(&replies, Outcome::Refused(refusal)).left_over(), []);
        assert_eq!(delivery(&replies[1..], Outcome::NoRecipients).left_over(), []);
    }

    #[test]
    fn a_further_transaction_answers_for_its_recipients_alone() {
        let mut whole = delivery(&[("a", 250), ("b", 452), ("c", 550), ("d", 552)], accepted());
        whole.merge(delivery(&[("b", 250), ("d", 452)], accepted()));
        assert_eq!(codes(&whole), [250, 250, 550, 452]);
        let refusal = Reply::new(554, None, "no more");
        whole.merge(delivery(&[("d", 250)], Outcome::Refused(refusal)));
        assert_eq!(codes(&whole), [250, 250, 550, 554]);
        assert_eq!(whole.outcome, accepted());
    }
}
