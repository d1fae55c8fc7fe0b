//! The first part: what happened, and what to do, for people (RFC 6522 §3).

use super::lines::Lines;
use super::{Action, Fate, Part, Report, status};
use crate::Domain;
use crate::smtp::Enhanced;

pub(super) fn part<'a>(report: &Report<'_>, utf8: bool, returned: &Part<'_>) -> Part<'a> {
    let host = report.reporting_mta;
    let mut lines = Lines::new(utf8);
    lines.paragraph(&format!("This is the mail system at {host}."));
    lines.paragraph(&format!("Your message came here on {}.", report.arrived));
    for fate in report.recipients {
        lines.empty();
        let (what, then) = (happened(fate), advice(fate, host));
        lines.paragraph(&format!("<{}>: {what} {then}", fate.recipient));
        if let Some(reply) = &fate.diagnostic {
            lines.indented(&format!("The answer was: {}", status::diagnostic(reply)));
        }
    }
    lines.empty();
    let end = if returned.is_whole_message() { "message" } else { "message's header" };
    lines.paragraph(&format!("What follows is the same for programs, and your {end}."));
    let media_type = if utf8 { "text/plain; charset=utf-8" } else { "text/plain; charset=us-ascii" };
    Part { media_type, octets: lines.finish().into() }
}

fn happened(fate: &Fate) -> &'static str {
    match fate.action {
        // RFC 3463 §3.3: a list, or the like.
        Action::Failed if fate.status == Enhanced(5, 2, 4) => {
            "your message could not be delivered to all whom this address stands for."
        }
        Action::Failed => "your message could not be delivered, and will not be tried again.",
        Action::Delayed => "your message could not be delivered so far.",
        Action::Delivered => "your message was delivered.",
        Action::Relayed => "your message was passed on to the next mail system, which may not tell you more.",
        Action::Expanded => "your message was delivered, and passed on to all whom this address stands for.",
    }
}

fn advice(fate: &Fate, host: &Domain) -> String {
    match (fate.action, fate.status) {
        (Action::Delayed, _) => {
            let until = fate.will_retry_until.as_ref().map(|until| format!(" until {until}")).unwrap_or_default();
            format!("It is tried again{until}. You need not send it again.")
        }
        (Action::Delivered | Action::Relayed | Action::Expanded, _) => {
            "This does not say that anybody has read it.".to_owned()
        }
        // RFC 3463 §3.2: all but 7 and 8 are about the recipient's address.
        (Action::Failed, Enhanced(_, 1, detail)) if !matches!(detail, 7 | 8) => {
            "Check the address, and send the message again if it was wrong.".to_owned()
        }
        (Action::Failed, Enhanced(_, 2, 3) | Enhanced(_, 3, 4)) => {
            "Make the message smaller and send it again.".to_owned()
        }
        (Action::Failed, Enhanced(4, ..)) => "Send it again later.".to_owned(),
        (Action::Failed, _) => format!("If you do not know why, ask postmaster@{host}."),
    }
}
