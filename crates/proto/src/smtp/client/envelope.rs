//! What a transaction is about and what became of it.

use super::super::dsn::{EnvelopeId, Notify, Return};
use super::super::{Enhanced, Reply};
use crate::{Address, ReversePath};

/// Answers a recipient that can't be said to a server without SMTPUTF8, as RFC 6531 §3.7.4.2 has a server answer.
pub(super) const NOT_ASCII: Reply =
    Reply::fixed(553, Enhanced(5, 6, 7), "The server takes no address other than ASCII: it does not offer SMTPUTF8");

/// Where a message comes from and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// Whom reports go to.
    pub reverse_path: ReversePath,
    /// Whom the message goes to.
    pub recipients: Vec<Address>,
    /// What the sender wants to be told of its fate.
    pub reports: Reports,
}

/// What a sender asks a server with DSN for (RFC 3461 §4); nothing, unless told otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reports {
    /// When the fate of a recipient is to be told; the same for all of them.
    pub notify: Option<Notify>,
    /// How much of a message that failed its report gives back.
    pub ret: Option<Return>,
    /// What the sender knows the message by, which reports repeat.
    pub envelope_id: Option<EnvelopeId>,
}

impl Reports {
    /// Whether anything is asked for.
    pub fn are_wanted(&self) -> bool {
        *self != Self::default()
    }
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
    /// Whether its header has octets over 127 (RFC 6532), which is a matter of SMTPUTF8 (RFC 6531 §3.4).
    pub utf8: bool,
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The recipients in the order of the envelope, each with what the server answered: to RCPT or, where that never came
    /// into question, to MAIL. One that can't be said to this server has an answer of the client's own. `None`: the
    /// transaction had no room for it.
    pub recipients: Vec<(Address, Option<Reply>)>,
    /// What became of the message.
    pub outcome: Outcome,
}

/// The recipients of an envelope, in its order, each with its answer, if there is one.
pub(super) type Answers = Vec<(Address, Option<Reply>)>;

impl Delivery {
    /// Whom there was no room for shares the fate of a message that is refused to all. A server that says to every recipient
    /// that it is one too many has no room for any, in whatever transaction.
    pub(super) fn new(mut recipients: Answers, outcome: Outcome) -> Self {
        match &outcome {
            Outcome::Refused(refusal) | Outcome::SenderRefused(refusal) => {
                recipients.iter_mut().for_each(|(_, reply)| *reply = reply.take().or_else(|| Some(refusal.clone())));
            }
            Outcome::Accepted(_) | Outcome::NoRecipients => {
                if recipients.iter().filter_map(|(_, reply)| reply.as_ref()).any(|reply| !is_too_many(reply)) {
                    recipients.iter_mut().for_each(|(_, reply)| *reply = reply.take().filter(|it| !is_too_many(it)));
                }
            }
        }
        Self { recipients, outcome }
    }

    /// The recipients that there was no room for: they are to be sent the message in a transaction of their own (RFC 5321
    /// §4.5.3.1.10). They are fewer each time.
    pub fn left_over(&self) -> Vec<Address> {
        let left_over = self.recipients.iter().filter(|(_, reply)| reply.is_none());
        left_over.map(|(address, _)| address.clone()).collect()
    }

    /// Takes in what became of the transaction with those that were left over.
    pub fn merge(&mut self, further: Self) {
        if matches!((&self.outcome, &further.outcome), (Outcome::NoRecipients, Outcome::Accepted(_))) {
            self.outcome = further.outcome.clone();
        }
        let mut answers = further.recipients.into_iter().map(|(_, reply)| match &further.outcome {
            Outcome::Refused(refusal) if reply.as_ref().is_some_and(Reply::is_positive) => Some(refusal.clone()),
            _ => reply,
        });
        for (_, reply) in self.recipients.iter_mut().filter(|(_, reply)| reply.is_none()) {
            *reply = answers.next().flatten();
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

    /// What comes of these answers: codes, or 0 for none.
    fn delivery(answers: &[(&str, u16)], outcome: Outcome) -> Delivery {
        let recipients = answers.iter().map(|(name, code)| {
            let enhanced = (*code == 552).then_some(Enhanced(5, 5, 3));
            let reply = (*code != 0).then(|| Reply::new(*code, enhanced, "text"));
            (format!("{name}@m").parse().unwrap(), reply)
        });
        Delivery::new(recipients.collect(), outcome)
    }

    fn accepted() -> Outcome {
        Outcome::Accepted(Reply::new(250, None, "OK"))
    }

    fn codes(delivery: &Delivery) -> Vec<u16> {
        delivery.recipients.iter().map(|(_, reply)| reply.as_ref().map_or(0, Reply::code)).collect()
    }

    fn left_over(delivery: &Delivery) -> Vec<String> {
        delivery.left_over().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn those_that_were_too_many_are_left_over_if_others_were_not() {
        let replies = [("a", 250), ("b", 452), ("c", 550), ("d", 552)];
        assert_eq!(left_over(&delivery(&replies, accepted())), ["b@m", "d@m"]);
        let refusal = Reply::new(451, None, "later");
        assert!(left_over(&delivery(&replies, Outcome::Refused(refusal.clone()))).is_empty());
        assert!(left_over(&delivery(&replies, Outcome::SenderRefused(refusal))).is_empty());
        assert_eq!(left_over(&delivery(&replies[1..], Outcome::NoRecipients)).len(), 2, "c has made room");
        let none = delivery(&[("b", 452), ("d", 552)], Outcome::NoRecipients);
        assert_eq!((codes(&none), left_over(&none)), (vec![452, 552], vec![]));
    }

    #[test]
    fn those_that_had_no_turn_are_left_over_whatever_others_were_told() {
        let full = delivery(&[("a", 452), ("b", 452), ("c", 0)], Outcome::NoRecipients);
        assert_eq!((codes(&full), left_over(&full)), (vec![452, 452, 0], vec!["c@m".to_owned()]));
        let some = delivery(&[("a", 250), ("b", 452), ("c", 0)], accepted());
        assert_eq!(left_over(&some), ["b@m", "c@m"]);
    }

    #[test]
    fn those_that_had_no_turn_share_the_fate_of_a_message_that_is_refused() {
        let answers = [("a", 250), ("b", 0)];
        assert_eq!(codes(&delivery(&answers, accepted())), [250, 0]);
        let refused = delivery(&answers, Outcome::Refused(Reply::new(554, None, "no")));
        assert_eq!((codes(&refused), left_over(&refused)), (vec![250, 554], vec![]));
    }

    #[test]
    fn a_further_transaction_answers_for_its_recipients_alone() {
        let mut whole = delivery(&[("a", 250), ("b", 452), ("c", 550), ("d", 552)], accepted());
        whole.merge(delivery(&[("b", 250), ("d", 452)], accepted()));
        assert_eq!((codes(&whole), left_over(&whole)), (vec![250, 250, 550, 0], vec!["d@m".to_owned()]));
        let refusal = Reply::new(554, None, "no more");
        whole.merge(delivery(&[("d", 250)], Outcome::Refused(refusal)));
        assert_eq!(codes(&whole), [250, 250, 550, 554]);
        assert_eq!(whole.outcome, accepted());
        let mut refused = delivery(&[("a", 452), ("b", 0)], Outcome::NoRecipients);
        refused.merge(delivery(&[("b", 250)], accepted()));
        assert_eq!((codes(&refused), refused.outcome), (vec![452, 250], accepted()));
    }
}
