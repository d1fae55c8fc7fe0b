//! Reports on a message (RFC 3461, RFC 3464): who has it and who can't have it, told to whoever sent it, where that is asked for.
//!
//! What can be refused is refused in the session. So a report is due when it is asked for in case of success, or when an alias
//! leads to several mailboxes of which some can't have the message.

use proto::report::{Action, Fate, Report, Returned};
use proto::smtp::dsn::Return;
use proto::smtp::{Enhanced, Reply};
use proto::{Address, ReversePath};
use store::{Form, NewMessage, REPORT_OCTETS_MAX, Store};

use super::Client;
use super::delivery::Delivery;
use super::trace::return_path;
use super::transaction::Accepted;
use crate::clock;

/// The status of a message that is in its mailbox (RFC 3463 §3.2).
const DELIVERED: Enhanced = Enhanced(2, 1, 5);
/// The status of a message that not all of an alias have got (RFC 3463 §3.3).
const EXPANSION_FAILED: Enhanced = Enhanced(5, 2, 4);
/// The most recipients that one report tells of: as many as a message has, unless it is configured otherwise.
const FATES_MAX: usize = 1000;

impl<S: Store> Client<S> {
    /// The report that is due on this message, if one is. A report never begets a report: it comes from the null reverse-path.
    pub(super) async fn reports(
        &self,
        delivery: &Delivery<S::Body>,
        accepted: &[Accepted],
    ) -> Result<Vec<store::Report>, Reply> {
        // What has failed comes first: that is told whatever there is no room for.
        let (mut fates, others): (Vec<Fate>, Vec<Fate>) =
            accepted.iter().filter_map(fate).partition(|fate| fate.action == Action::Failed);
        fates.extend(others);
        fates.truncate(FATES_MAX);
        match &delivery.reverse_path {
            // Boxed: it is rare, and no connection should have room for it all its life.
            ReversePath::Address(sender) if !fates.is_empty() => Box::pin(self.report(delivery, sender, &fates)).await,
            _ => Ok(Vec::new()),
        }
    }

    async fn report(
        &self,
        delivery: &Delivery<S::Body>,
        sender: &Address,
        fates: &[Fate],
    ) -> Result<Vec<store::Report>, Reply> {
        let has_failed = fates.iter().any(|fate| fate.action == Action::Failed);
        let mut recipients = self.way_back(&delivery.reverse_path).await?;
        if recipients.is_empty() && has_failed {
            // There is no way to whoever sent it; somebody should know (RFC 5321 §6.1).
            recipients = self.way_back(&ReversePath::Address(Address::postmaster(self.domain()))).await?;
        }
        if recipients.is_empty() {
            tracing::info!(id = %self.transaction.id, "there is no way for the report that was asked for, or no room");
            return Ok(Vec::new());
        }
        let text = self.write_report(delivery, sender, fates, has_failed);
        if text.len() > REPORT_OCTETS_MAX {
            tracing::warn!(id = %self.transaction.id, octets = text.len(), "the report that is due is too long to be kept");
            return Ok(Vec::new());
        }
        let trace = return_path(&ReversePath::Null);
        let reverse_path = ReversePath::Null;
        let message = NewMessage { reverse_path, recipients, trace, received_at: delivery.now, form: Form::Text };
        Ok(vec![store::Report { message, text }])
    }

    fn write_report(&self, delivery: &Delivery<S::Body>, to: &Address, fates: &[Fate], has_failed: bool) -> Vec<u8> {
        let Delivery { parameters, message, now, .. } = delivery;
        let date = clock::date_time(*now);
        let whole = message.whole().filter(|_| has_failed && parameters.give_back == Some(Return::Full));
        let report = Report {
            reporting_mta: self.domain(),
            to,
            date: &date,
            id: &format!("report.{}", self.transaction.id),
            arrived: &date,
            envelope_id: parameters.envelope_id.as_ref(),
            recipients: fates,
            utf8: parameters.utf8,
            returned: whole.map_or_else(|| Returned::Headers(message.header_copy()), Returned::Message),
        };
        report.write()
    }
}

/// What is to be told of a recipient, if that is what the sender wants to hear.
fn fate(to: &Accepted) -> Option<Fate> {
    let notify = to.notify();
    let (action, status, diagnostic) = match to.left_out() {
        Some(refusal) if notify.failure => (Action::Failed, EXPANSION_FAILED, Some(in_part(refusal))),
        None if notify.success && to.is_expanded() => (Action::Expanded, DELIVERED, None),
        None if notify.success => (Action::Delivered, DELIVERED, None),
        _ => return None,
    };
    let original = to.more.as_ref().and_then(|more| more.original.clone());
    let recipient = to.mailbox.recipient.address.clone();
    Some(Fate { recipient, original, action, status, diagnostic, will_retry_until: None })
}

/// Who it is that can't have the message is nothing to tell those who know the alias alone.
fn in_part(refusal: &Reply) -> Reply {
    let text = format!("Not for all whom this address stands for: {}", refusal.text());
    Reply::new(refusal.code(), Some(EXPANSION_FAILED), text)
}
