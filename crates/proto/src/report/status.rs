//! The second part: the report for programs (RFC 3464 §2.2, §2.3, RFC 6533 §4.1).

use super::lines::Lines;
use super::{Action, Fate, Part, Report};
use crate::smtp::dsn::OriginalRecipient;
use crate::smtp::{Enhanced, Reply};

/// Most that a report says of a reply, in octets.
pub const DIAGNOSTIC_OCTETS_MAX: usize = 2048;
/// RFC 3464 §2.3.4 has room for three digits.
const STATUS_NUMBER_MAX: u16 = 999;

pub(super) fn part<'a>(report: &Report<'_>, utf8: bool) -> Part<'a> {
    let mut lines = Lines::new(utf8);
    if let Some(id) = report.envelope_id {
        lines.field("Original-Envelope-Id", id.as_str());
    }
    lines.field("Reporting-MTA", &format!("dns; {}", report.reporting_mta));
    lines.field("Arrival-Date", report.arrived);
    for fate in report.recipients {
        lines.empty();
        recipient(fate, &mut lines);
    }
    let media_type = if utf8 { "message/global-delivery-status" } else { "message/delivery-status" };
    Part { media_type, octets: lines.finish().into() }
}

fn recipient(fate: &Fate, lines: &mut Lines) {
    if let Some(original) = &fate.original {
        lines.field("Original-Recipient", &address(original));
    }
    lines.field("Final-Recipient", &address(&OriginalRecipient::of_address(&fate.recipient)));
    lines.field("Action", action(fate.action));
    let Enhanced(class, subject, detail) = fate.status;
    lines.field("Status", &Enhanced(class, subject.min(STATUS_NUMBER_MAX), detail.min(STATUS_NUMBER_MAX)).to_string());
    if let Some(reply) = &fate.diagnostic {
        lines.field("Diagnostic-Code", &format!("smtp; {}", diagnostic(reply)));
    }
    if let (Action::Delayed, Some(until)) = (fate.action, &fate.will_retry_until) {
        lines.field("Will-Retry-Until", until);
    }
}

fn action(action: Action) -> &'static str {
    match action {
        Action::Failed => "failed",
        Action::Delayed => "delayed",
        Action::Delivered => "delivered",
        Action::Relayed => "relayed",
        Action::Expanded => "expanded",
    }
}

/// Decoded: utf-8-address and not one of its forms in ASCII (RFC 6533 §4.1).
fn address(recipient: &OriginalRecipient) -> String {
    format!("{};{}", recipient.address_type(), recipient.address())
}

/// The reply on one line, without needless spaces.
pub(super) fn diagnostic(reply: &Reply) -> String {
    let mut text = reply.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
    text.truncate(text.floor_char_boundary(DIAGNOSTIC_OCTETS_MAX));
    text
}
