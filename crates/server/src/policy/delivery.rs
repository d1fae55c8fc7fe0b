//! A message that has come whole, on its way into the mailboxes, with the reports on it that are due.

use proto::ReversePath;
use proto::smtp::server::{Envelope, Hello, Parameters, Role};
use proto::smtp::{Reply, replies};
use store::{AccountId, Body, NewMessage, Recipient, Store, Timestamp};

use super::incoming::{Incoming, Message};
use super::transaction::Accepted;
use super::{Client, store_refusal};
use crate::clock;

/// The most Received fields of a message: one that has more goes in circles (RFC 5321 §6.3).
const HOPS_MAX: usize = 100;

/// A message and what is known of it, ready for the store.
pub(super) struct Delivery<B> {
    pub(super) reverse_path: ReversePath,
    pub(super) parameters: Parameters,
    pub(super) message: Box<Message<B>>,
    pub(super) now: Timestamp,
}

impl<S: Store> Client<S> {
    /// Keeps the message for good and for all recipients, or says why not.
    pub(crate) async fn commit(&mut self, envelope: Envelope<Accepted>, hello: &Hello) -> Result<(), Reply> {
        self.may_end().await?;
        let (delivery, recipients) = self.whole_message(envelope)?;
        let octets = delivery.message.body.octets();
        // A message whose size was not told may be more than some of the mailboxes should hold, but not than all of them.
        if recipients.iter().all(|to| !to.has_room_for(octets)) {
            return Err(replies::MAILBOX_FULL);
        }
        let accounts: Vec<AccountId> = recipients.iter().flat_map(Accepted::accounts).collect();
        let gone = self.deliver(delivery, recipients, hello).await?;
        if are_gone(accounts, &gone) { Err(replies::NO_SUCH_USER) } else { Ok(()) }
    }

    /// Keeps the message for good and for those recipients that can have it; what has become of it for each.
    pub(crate) async fn commit_each(&mut self, envelope: Envelope<Accepted>, hello: &Hello) -> Vec<Result<(), Reply>> {
        let count = envelope.recipients.len();
        let (delivery, recipients) = match self.whole_message(envelope) {
            Ok(whole) => whole,
            Err(reply) => return vec![Err(reply); count],
        };
        let octets = delivery.message.body.octets();
        let taking: Vec<Option<Accepted>> = recipients.into_iter().map(|to| to.that_can_take(octets)).collect();
        let accounts: Vec<Vec<AccountId>> =
            taking.iter().map(|to| to.iter().flat_map(Accepted::accounts).collect()).collect();
        let taking: Vec<Accepted> = taking.into_iter().flatten().collect();
        let delivered = if taking.is_empty() { Ok(Vec::new()) } else { self.deliver(delivery, taking, hello).await };
        let verdict = |accounts: Vec<AccountId>| match &delivered {
            _ if accounts.is_empty() => Err(replies::MAILBOX_FULL),
            Ok(gone) if are_gone(accounts, gone) => Err(replies::NO_SUCH_USER),
            Ok(_) => Ok(()),
            Err(reply) => Err(reply.clone()),
        };
        accounts.into_iter().map(verdict).collect()
    }

    fn whole_message(&mut self, envelope: Envelope<Accepted>) -> Result<(Delivery<S::Body>, Vec<Accepted>), Reply> {
        self.may_go_on()?;
        let message = match std::mem::take(&mut self.incoming) {
            Incoming::Open(message) => message,
            Incoming::Failed(reply) => return Err(reply),
            Incoming::None => return Err(replies::STORE_FAILED),
        };
        let Envelope { reverse_path, parameters, recipients, .. } = envelope;
        if message.header.received() >= HOPS_MAX {
            let (peer, protocol, id) = (self.peer, self.listen().protocol, self.transaction.id);
            tracing::warn!(%peer, %protocol, %id, from = %reverse_path, "not accepted: it goes in circles");
            return Err(replies::LOOP);
        }
        Ok((Delivery { reverse_path, parameters, message, now: clock::now() }, recipients))
    }

    /// Those who have not got it are gone.
    async fn deliver(
        &self,
        mut delivery: Delivery<S::Body>,
        accepted: Vec<Accepted>,
        hello: &Hello,
    ) -> Result<Vec<AccountId>, Reply> {
        let reports = self.reports(&delivery, &accepted).await?;
        let form = delivery.message.form();
        let Delivery { reverse_path, parameters, message, now } = delivery;
        let mut trace = self.trace(&reverse_path, hello, parameters.utf8, now);
        if self.listen().role() == Role::Submission {
            trace.push_str(&self.missing_fields(&message.header, now));
        }
        if message.header.is_text() {
            trace.push_str("\r\n");
        }
        let recipients: Vec<Recipient> = accepted.into_iter().flat_map(Accepted::into_mailboxes).collect();
        let (count, from, octets) = (recipients.len(), reverse_path.to_string(), message.body.octets());
        let (peer, protocol, id) = (self.peer, self.listen().protocol, self.transaction.id);
        let new = NewMessage { reverse_path, recipients, trace, received_at: now, form };
        match self.shared.store.deliver(new, message.body, reports).await {
            Ok(delivered) => {
                tracing::info!(%peer, %protocol, %id, from, recipients = count, octets, "accepted");
                Ok(delivered.gone)
            }
            Err(error) => {
                tracing::warn!(%peer, %protocol, %id, from, recipients = count, octets, "not accepted");
                Err(store_refusal(&error))
            }
        }
    }
}

/// Whether all of them have ended since they were accepted as recipients.
fn are_gone(accounts: impl IntoIterator<Item = AccountId>, gone: &[AccountId]) -> bool {
    !gone.is_empty() && accounts.into_iter().all(|account| gone.contains(&account))
}
