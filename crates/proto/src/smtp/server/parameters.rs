//! The parameters of MAIL and RCPT (RFC 5321 §4.1.1.11), each by the RFC that has brought it.

use std::str::FromStr;

use crate::Address;
use crate::smtp::dsn::{EnvelopeId, Notify, OriginalRecipient, Return};
use crate::smtp::{Reply, replies, xtext};

/// What MAIL says beside the reverse-path.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Parameters {
    /// How large the client says the message will be (RFC 1870 §6.1).
    pub octets: Option<u64>,
    /// What the message may hold.
    pub body: Body,
    /// Whether addresses and header may be UTF-8 (RFC 6531 §3.4).
    pub utf8: bool,
    /// How much of the message a report is to give back.
    pub give_back: Option<Return>,
    /// What reports are to call the transaction.
    pub envelope_id: Option<EnvelopeId>,
}

/// What octets a message may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Body {
    /// Lines, of octets up to 127 by what the client says.
    #[default]
    SevenBit,
    /// Lines of any octets (RFC 6152 §3).
    EightBit,
    /// Anything, not only lines; it comes in chunks alone (RFC 3030 §3).
    Binary,
}

impl FromStr for Body {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let known = [("7BIT", Self::SevenBit), ("8BITMIME", Self::EightBit), ("BINARYMIME", Self::Binary)];
        known.into_iter().find(|(name, _)| text.eq_ignore_ascii_case(name)).map(|(_, body)| body).ok_or(())
    }
}

/// A keyword, and its value if there is one.
type Word<'a> = (&'a str, Option<&'a str>);

/// `keyword[=value]`, parted by spaces. `None` if they do not begin with a space.
pub(super) fn split(text: &str) -> Option<impl Iterator<Item = Word<'_>>> {
    if !text.is_empty() && !text.starts_with(' ') {
        return None;
    }
    Some(text.split_ascii_whitespace().map(|word| match word.split_once('=') {
        Some((keyword, value)) => (keyword, Some(value)),
        None => (word, None),
    }))
}

impl Parameters {
    /// Those of MAIL. Asking for reports is understood only where they are offered.
    pub(super) fn parse<'a>(words: impl Iterator<Item = Word<'a>>, offers_reports: bool) -> Result<Self, Reply> {
        let mut parameters = Self::default();
        let mut once = Once::of(&["SIZE", "BODY", "SMTPUTF8", "AUTH", "RET", "ENVID"]);
        for (keyword, value) in words {
            match (once.find(keyword)?, value) {
                ("SIZE", value) => {
                    parameters.octets = Some(value.and_then(size).ok_or_else(|| replies::syntax("SIZE=octets"))?)
                }
                ("BODY", value) => {
                    let body = value.and_then(|value| value.parse().ok());
                    parameters.body = body.ok_or_else(|| replies::syntax("BODY=7BIT, 8BITMIME or BINARYMIME"))?;
                }
                ("SMTPUTF8", None) => parameters.utf8 = true,
                ("SMTPUTF8", Some(_)) => return Err(replies::syntax("SMTPUTF8")),
                // Who wrote the message is not ours to tell anybody: it is as if AUTH=<> were said, as RFC 4954 §5 wants it
                // of those who are not trusted to vouch for others.
                ("AUTH", value) => {
                    value.filter(|value| is_author(value)).ok_or_else(|| replies::syntax("AUTH=address or AUTH=<>"))?;
                }
                ("RET", value) if offers_reports => {
                    parameters.give_back = Some(parsed(value).ok_or_else(|| replies::syntax("RET=FULL or HDRS"))?);
                }
                ("ENVID", value) if offers_reports => {
                    let id = parsed(value);
                    parameters.envelope_id =
                        Some(id.ok_or_else(|| replies::syntax("ENVID=xtext of at most 100 characters"))?);
                }
                _ => return Err(replies::BAD_PARAMETER),
            }
        }
        Ok(parameters)
    }
}

/// NOTIFY and ORCPT of RCPT.
pub(super) fn of_rcpt<'a>(
    words: impl Iterator<Item = Word<'a>>,
    offers_reports: bool,
) -> Result<(Option<Notify>, Option<OriginalRecipient>), Reply> {
    let (mut notify, mut original) = (None, None);
    let mut once = Once::of(&["NOTIFY", "ORCPT"]);
    for (keyword, value) in words {
        match (once.find(keyword)?, value) {
            ("NOTIFY", value) if offers_reports => {
                let form = "NOTIFY=NEVER, or of SUCCESS, FAILURE, DELAY";
                notify = Some(parsed(value).ok_or_else(|| replies::syntax(form))?);
            }
            ("ORCPT", value) if offers_reports => {
                original =
                    Some(parsed(value).ok_or_else(|| replies::syntax("ORCPT=type;xtext of at most 500 characters"))?);
            }
            _ => return Err(replies::BAD_PARAMETER),
        }
    }
    Ok((notify, original))
}

fn parsed<T: FromStr>(value: Option<&str>) -> Option<T> {
    value.and_then(|value| value.parse().ok())
}

/// RFC 1870 §6.1: up to twenty digits.
fn size(text: &str) -> Option<u64> {
    let is_size = (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    is_size.then(|| text.parse().unwrap_or(u64::MAX))
}

/// RFC 4954 §5.
fn is_author(value: &str) -> bool {
    value == "<>" || xtext::decode(value).is_some_and(|address| address.parse::<Address>().is_ok())
}

/// Finds each keyword in the list of those that are known, once: said twice, which one would count?
struct Once {
    known: &'static [&'static str],
    /// A bit for each one that was said.
    said: u8,
}

impl Once {
    fn of(known: &'static [&'static str]) -> Self {
        Self { known, said: 0 }
    }

    fn find(&mut self, keyword: &str) -> Result<&'static str, Reply> {
        let at = self.known.iter().position(|known| keyword.eq_ignore_ascii_case(known));
        let at = at.ok_or(replies::BAD_PARAMETER)?;
        let bit = 1 << at;
        if self.said & bit != 0 {
            return Err(replies::syntax("each parameter once"));
        }
        self.said |= bit;
        Ok(self.known[at])
    }
}
