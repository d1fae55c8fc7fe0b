//! Reports about a message's fate (RFC 3464), in three parts (RFC 6522): what happened in words, the same for programs, and what
//! is given back of the message. Where an address or the message needs SMTPUTF8, the parts are RFC 6533's.
//!
//! What peers said (the envelope's id, recipients, replies) stands in a report as text and can't become a line of it, nor a
//! part: see `lines.rs` and [`Report::write`].

mod explanation;
mod lines;
mod returned;
mod status;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use memchr::memmem;

use self::lines::Lines;
pub use self::returned::{HEADER_OCTETS_MAX, RETURNED_OCTETS_MAX};
pub use self::status::DIAGNOSTIC_OCTETS_MAX;
use crate::smtp::dsn::{EnvelopeId, OriginalRecipient};
use crate::smtp::{Enhanced, Reply};
use crate::{Address, Domain};

/// Most characters of a report's id that get into its boundary, which has 70 at most (RFC 2046 §5.1.1).
const BOUNDARY_ID_CHARACTERS_MAX: usize = 40;

/// A report about one message. It goes to the message's reverse-path, from the null path (RFC 3464 §2).
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// Who reports.
    pub reporting_mta: &'a Domain,
    /// The message's sender.
    pub to: &'a Address,
    /// When the report is made (RFC 5322 §3.3).
    pub date: &'a str,
    /// What no other report of this host is called: a dot-atom (RFC 5322 §3.2.3).
    pub id: &'a str,
    /// When the message came (RFC 5322 §3.3).
    pub arrived: &'a str,
    /// What the sender calls its transaction.
    pub envelope_id: Option<&'a EnvelopeId>,
    /// What became of the message: at least one recipient.
    pub recipients: &'a [Fate],
    /// Whether the message came with SMTPUTF8.
    pub utf8: bool,
    /// What is given back.
    pub returned: Returned<'a>,
}

/// What became of a message for one recipient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fate {
    /// The recipient of the envelope.
    pub recipient: Address,
    /// The recipient as the sender knew it, if it said so.
    pub original: Option<OriginalRecipient>,
    /// What was done.
    pub action: Action,
    /// How it ended.
    pub status: Enhanced,
    /// The reply that says so, at most [`DIAGNOSTIC_OCTETS_MAX`] of it.
    pub diagnostic: Option<Reply>,
    /// Till when delivery is tried (RFC 5322 §3.3), if that is known. Told of what is delayed alone (RFC 3464 §2.3.9).
    pub will_retry_until: Option<String>,
}

/// What was done (RFC 3464 §2.3.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// It was not delivered and will not be.
    Failed,
    /// It has not been delivered so far.
    Delayed,
    /// It is in the mailbox.
    Delivered,
    /// It went on to a system that sends no reports of success.
    Relayed,
    /// It went to the several addresses that the recipient stands for.
    Expanded,
}

/// What a report gives back. Success and delay give headers back, failure what MAIL's RET says (RFC 3461 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Returned<'a> {
    /// The message. Of one that is longer than [`RETURNED_OCTETS_MAX`], or has what no line of a report may hold (a bare CR or
    /// LF, NUL, a line of more than 998 octets), the header.
    Message(&'a [u8]),
    /// The header, up to [`HEADER_OCTETS_MAX`]. What follows it is left out.
    Headers(&'a [u8]),
}

/// A part of a report.
#[derive(Debug)]
struct Part<'a> {
    media_type: &'static str,
    octets: Cow<'a, [u8]>,
}

impl Report<'_> {
    /// The report as a message. Its lines end in CRLF and have at most 998 octets. Octets of 8 bits are only in a report that is
    /// UTF-8, and in what it gives back. No part holds the boundary.
    pub fn write(&self) -> Vec<u8> {
        let utf8 = self.is_utf8();
        let returned = returned::part(self.returned, utf8);
        let parts = [explanation::part(self, utf8, &returned), status::part(self, utf8), returned];
        // RFC 6533 §6.4 wants 8bit whatever the octets are.
        let eight_bit = |part: &Part<'_>| utf8 || !part.octets.is_ascii();
        let boundary = self.boundary(&parts);
        let mut out = self.header(&boundary, utf8, parts.iter().any(eight_bit));
        for part in &parts {
            let mut header = Lines::new(false);
            header.empty();
            header.paragraph(&format!("--{boundary}"));
            header.field("Content-Type", part.media_type);
            if eight_bit(part) {
                header.field("Content-Transfer-Encoding", "8bit");
            }
            header.empty();
            out.extend(header.finish());
            out.extend_from_slice(&part.octets);
        }
        out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        out
    }

    /// Whether the report is RFC 6533's. Its own header then is UTF-8 only if the sender's address is.
    fn is_utf8(&self) -> bool {
        let original = |fate: &Fate| fate.original.as_ref().is_none_or(|original| original.address().is_ascii());
        let is_ascii = |fate: &Fate| fate.recipient.is_ascii() && original(fate);
        self.utf8 || !self.to.is_ascii() || !self.recipients.iter().all(is_ascii)
    }

    fn header(&self, boundary: &str, utf8: bool, eight_bit: bool) -> Vec<u8> {
        let host = self.reporting_mta;
        // RFC 6522 §3: the subtype of the second part.
        let report_type = if utf8 { "global-delivery-status" } else { "delivery-status" };
        let mut header = Lines::new(utf8);
        header.field("From", &format!("Mail Delivery System <postmaster@{host}>"));
        header.field("To", &format!("<{}>", self.to));
        header.field("Date", self.date);
        header.field("Message-ID", &format!("<{}@{host}>", self.id));
        header.field("Subject", self.subject());
        // Nobody's program answers this (RFC 3834 §5).
        header.field("Auto-Submitted", "auto-replied");
        header.field("MIME-Version", "1.0");
        header.field("Content-Type", &format!("multipart/report; report-type={report_type}; boundary=\"{boundary}\""));
        if eight_bit {
            header.field("Content-Transfer-Encoding", "8bit");
        }
        header.finish()
    }

    fn subject(&self) -> &'static str {
        let all = |actions: &[Action]| self.recipients.iter().all(|fate| actions.contains(&fate.action));
        match () {
            () if all(&[Action::Failed]) => "Your message could not be delivered",
            () if all(&[Action::Delayed]) => "Your message is delayed",
            () if all(&[Action::Delivered, Action::Expanded]) => "Your message was delivered",
            () if all(&[Action::Relayed]) => "Your message was passed on",
            () => "What became of your message",
        }
    }

    /// Made from the report's id, and varied until no part holds it.
    fn boundary(&self, parts: &[Part<'_>]) -> String {
        let id: String = self.id.chars().filter(char::is_ascii_alphanumeric).take(BOUNDARY_ID_CHARACTERS_MAX).collect();
        let mut variant = 0u64;
        loop {
            let boundary = format!("=_{id}_{variant}");
            if parts.iter().all(|part| memmem::find(&part.octets, boundary.as_bytes()).is_none()) {
                return boundary;
            }
            variant += 1;
        }
    }
}
