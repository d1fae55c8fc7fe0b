//! Who may send, and to whom.

use std::time::Instant;

use proto::Address;
use proto::smtp::dsn::{Notify, OriginalRecipient};
use proto::smtp::server::{self, Mail, Role};
use proto::smtp::{Reply, replies};
use store::{AccountId, Mailbox, Recipient, Store};

use super::routing::{Member, Route};
use super::{Client, store_refusal};
use crate::shared::TraceId;

/// From so many accounts on that the aliases of one message have led to, it takes no more recipients.
const MEMBERS_MAX: usize = 10_000;

/// The transaction as trace line and log name it.
#[derive(Default)]
pub(super) struct Transaction {
    pub(super) id: TraceId,
    /// How many accounts its aliases have led to so far.
    members: usize,
}

/// A recipient that was accepted.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(super) mailbox: Destination,
    /// What is rare.
    pub(super) more: Option<Box<More>>,
}

/// A mailbox that a message goes to.
#[derive(Debug)]
pub(super) struct Destination {
    /// Whose it is, under the address that the envelope has.
    pub(super) recipient: Recipient,
    /// How many octets it can still take.
    room: u64,
}

/// What not every recipient has.
#[derive(Debug, Default)]
pub(super) struct More {
    /// When the sender wants to hear of it.
    pub(super) notify: Option<Notify>,
    /// Whom the sender has sent it to.
    pub(super) original: Option<OriginalRecipient>,
    /// The other mailboxes of an alias.
    pub(super) others: Vec<Destination>,
    /// Why some of an alias can't have it, if so.
    pub(super) left_out: Option<Reply>,
}

impl Accepted {
    /// When the sender wants to hear of it (RFC 3461 §4.1).
    pub(super) fn notify(&self) -> Notify {
        self.more.as_ref().and_then(|more| more.notify).unwrap_or_default()
    }

    /// The mailboxes that it goes to.
    pub(super) fn into_mailboxes(self) -> impl Iterator<Item = Recipient> {
        let others = self.more.map(|more| more.others).unwrap_or_default();
        std::iter::once(self.mailbox).chain(others).map(|mailbox| mailbox.recipient)
    }

    /// Whose mailboxes it goes to.
    pub(super) fn accounts(&self) -> impl Iterator<Item = AccountId> {
        self.mailboxes().map(|mailbox| mailbox.recipient.account)
    }

    /// Whether one of its mailboxes can take so many octets.
    pub(super) fn has_room_for(&self, octets: u64) -> bool {
        self.mailboxes().any(|mailbox| octets <= mailbox.room)
    }

    fn mailboxes(&self) -> impl Iterator<Item = &Destination> {
        std::iter::once(&self.mailbox).chain(self.more.iter().flat_map(|more| &more.others))
    }

    /// The same, with those of its mailboxes alone that can take so many octets; nothing, if none can.
    pub(super) fn that_can_take(self, octets: u64) -> Option<Self> {
        let Self { mailbox, more } = self;
        let Some(mut more) = more else {
            return (octets <= mailbox.room).then_some(Self { mailbox, more });
        };
        let count = more.others.len() + 1;
        let mailboxes = std::iter::once(mailbox).chain(std::mem::take(&mut more.others));
        let mut taking = mailboxes.filter(|mailbox| octets <= mailbox.room);
        let mailbox = taking.next()?;
        more.others = taking.collect();
        if more.others.len() + 1 < count {
            more.left_out.get_or_insert(replies::MAILBOX_FULL);
        }
        Some(Self { mailbox, more: Some(more) })
    }

    /// Why some of an alias can't have it, if so.
    pub(super) fn left_out(&self) -> Option<&Reply> {
        self.more.as_ref().and_then(|more| more.left_out.as_ref())
    }

    /// Whether it is an alias of several.
    pub(super) fn is_expanded(&self) -> bool {
        self.more.as_ref().is_some_and(|more| !more.others.is_empty())
    }
}

impl<S: Store> Client<S> {
    /// May mail come from there? An account sends as itself; a peer without one only from outside, and only where mail from
    /// outside is taken. Over LMTP the server in front has decided.
    pub(crate) fn may_send(&mut self, mail: &Mail) -> Result<(), Reply> {
        let (role, sender) = (self.listen().role(), mail.reverse_path.address());
        let verdict = match self.identity() {
            _ if role == Role::Lmtp => Ok(()),
            Some(identity) if sender.is_some_and(|sender| self.is_own(&identity.address, sender)) => Ok(()),
            // Mail programs answer so for their users, who may not be answered in turn (RFC 6409 §3.2).
            Some(_) if role == Role::Submission && sender.is_none() => Ok(()),
            Some(_) => Err(replies::NOT_YOUR_ADDRESS),
            None if role == Role::Submission => Err(replies::LOG_IN_FIRST),
            None if role == Role::Clients => Err(replies::REGISTER_FIRST),
            None if sender.is_some_and(|sender| self.is_local(sender)) => Err(replies::REGISTER_FIRST),
            None => Ok(()),
        };
        verdict.and_then(|()| self.is_there_room(mail.parameters.octets.unwrap_or(0)))?;
        self.transaction = Transaction { id: self.shared.trace_id(), members: 0 };
        Ok(())
    }

    /// What can't be kept need not be sent (RFC 5321 §4.2.3, RFC 1870 §6.1).
    fn is_there_room(&self, octets: u64) -> Result<(), Reply> {
        self.shared.store.takes_writes().map_err(|error| store_refusal(&error))?;
        if self.shared.has_room_for(octets, self.settings.config.limits.reserve) {
            return Ok(());
        }
        tracing::debug!(octets, "a message was refused for lack of room");
        Err(replies::STORE_FULL)
    }

    /// An account that has ended in the middle of a message sends it no more.
    pub(super) fn may_go_on(&self) -> Result<(), Reply> {
        match (self.listen().role(), &self.identity) {
            (Role::Lmtp, _) | (_, None) => Ok(()),
            (_, Some(identity)) if !identity.bond.has_ended() => Ok(()),
            (Role::Submission, _) => Err(replies::LOG_IN_FIRST),
            (Role::Clients | Role::Exchanger, _) => Err(replies::REGISTER_FIRST),
        }
    }

    /// The same at its end. Where there are other servers the store is asked: the account may have ended on one of them, and its address
    /// may be somebody else's by now.
    pub(super) async fn may_end(&self) -> Result<(), Reply> {
        if let Some(identity) = &self.identity
            && self.shared.store.is_shared()
        {
            let account = self.shared.store.account(identity.account).await;
            if account.map_err(|error| store_refusal(&error))?.is_none() {
                self.shared.presence.end(identity.account);
            }
        }
        self.may_go_on()
    }

    /// May it go there? To our own users, and to nobody else. What can be refused is refused here.
    pub(crate) async fn may_receive(&mut self, question: &mut server::Recipient<Accepted>) -> Result<Accepted, Reply> {
        self.may_go_on()?;
        self.may_ask()?;
        match self.find_recipient(question).await {
            Err(reply) if reply == replies::NO_SUCH_USER => Err(self.unknown_recipient().await),
            outcome => outcome,
        }
    }

    async fn find_recipient(&mut self, question: &mut server::Recipient<Accepted>) -> Result<Accepted, Reply> {
        let octets = question.envelope.parameters.octets;
        let address = self.local_address(&question.forward_path)?;
        if self.transaction.members >= MEMBERS_MAX {
            return Err(replies::TOO_MANY_RECIPIENTS);
        }
        let mut accepted = match self.route(&address).await? {
            Route::Account(mailbox) if self.has_room(&mailbox, octets) => {
                Accepted { mailbox: self.destination(&mailbox, address), more: None }
            }
            Route::Account(_) => {
                if let Some(times) = self.shared.full_mailboxes.happened(Instant::now()) {
                    tracing::warn!(%address, times, "a mailbox is full, or its quota: mail for it is refused");
                }
                return Err(replies::MAILBOX_FULL);
            }
            Route::Several(members) => {
                self.transaction.members += members.len();
                self.accept_some(address, members, octets)?
            }
        };
        let (notify, original) = (question.notify.take(), question.original.take());
        if notify.is_some() || original.is_some() {
            let more = accepted.more.get_or_insert_default();
            (more.notify, more.original) = (notify, original);
        }
        Ok(accepted)
    }

    /// An alias takes mail as long as one of its mailboxes does; the sender will hear of the others.
    fn accept_some(&self, address: Address, members: Vec<Member>, octets: Option<u64>) -> Result<Accepted, Reply> {
        let (mut taking, mut left_out) = (Vec::new(), None);
        for Member { address: member, mailbox } in members {
            let refusal = match mailbox {
                Some(mailbox) if self.has_room(&mailbox, octets) => {
                    taking.push(self.destination(&mailbox, address.clone()));
                    continue;
                }
                Some(_) => replies::MAILBOX_FULL,
                None => replies::NO_SUCH_USER,
            };
            let id = self.transaction.id;
            tracing::warn!(%id, alias = %address, %member, %refusal, "an alias leads to somebody who cannot have the message");
            left_out.get_or_insert(refusal);
        }
        let mut taking = taking.into_iter();
        let Some(mailbox) = taking.next() else {
            return Err(left_out.unwrap_or(replies::NO_SUCH_USER));
        };
        let more = More { others: taking.collect(), left_out, ..More::default() };
        let is_plain = more.others.is_empty() && more.left_out.is_none();
        Ok(Accepted { mailbox, more: (!is_plain).then(|| Box::new(more)) })
    }

    fn destination(&self, mailbox: &Mailbox, address: Address) -> Destination {
        Destination { recipient: Recipient { account: mailbox.account, address }, room: self.room(mailbox) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_room(rooms: &[u64]) -> Accepted {
        let address: Address = "team@example.org".parse().unwrap();
        let mut mailboxes = (1..).zip(rooms).map(|(id, room)| Destination {
            recipient: Recipient { account: AccountId(id), address: address.clone() },
            room: *room,
        });
        let mailbox = mailboxes.next().unwrap();
        let others: Vec<Destination> = mailboxes.collect();
        let more = (!others.is_empty()).then(|| Box::new(More { others, ..More::default() }));
        Accepted { mailbox, more }
    }

    #[test]
    fn a_message_goes_to_those_mailboxes_that_can_take_it() {
        for (rooms, ids, is_left_out) in [
            (&[10][..], &[1][..], false),
            (&[9], &[], false),
            (&[10, 11], &[1, 2], false),
            (&[9, 10, 3, 12], &[2, 4], true),
            (&[10, 9], &[1], true),
            (&[1, 2, 3], &[], false),
        ] {
            let taking = with_room(rooms).that_can_take(10);
            let left_out = taking.as_ref().is_some_and(|taking| taking.left_out().is_some());
            let mailboxes = taking.into_iter().flat_map(Accepted::into_mailboxes);
            let found: Vec<i64> = mailboxes.map(|recipient| recipient.account.0).collect();
            assert_eq!((&found[..], left_out), (ids, is_left_out), "{rooms:?}");
        }
    }
}
