//! The envelope of a mail transaction (RFC 5321 §3.3): MAIL and RCPT. Its data follows in `content.rs`.

use super::State;
use super::config::Role;
use super::content::Receiving;
use super::core::{Core, Hello};
use super::parameters::{self, Parameters};
use super::step::{Ask, Question};
use crate::smtp::dsn::{Notify, OriginalRecipient};
use crate::smtp::{Reply, replies};
use crate::{Domain, ForwardPath, ReversePath};

/// A transaction between two commands. Boxed, because it goes from state to state, and most connections have none.
#[derive(Debug)]
pub(super) enum Transaction<R> {
    /// The envelope grows.
    Envelope(Box<Envelope<R>>),
    /// Some chunks of the message have come (RFC 3030 §2).
    Chunks(Box<Receiving<R>>),
}

/// Where a message comes from and where it goes.
#[derive(Debug)]
pub struct Envelope<R> {
    /// Where reports would go.
    pub reverse_path: ReversePath,
    /// What else MAIL said.
    pub parameters: Parameters,
    /// The recipients that were accepted, as the driver knows them.
    pub recipients: Vec<R>,
    /// Their domains.
    domains: Vec<Domain>,
}

/// May mail come from there?
#[derive(Debug)]
pub struct Mail {
    /// The reverse-path.
    pub reverse_path: ReversePath,
    /// What else MAIL said.
    pub parameters: Parameters,
}

/// May this message go there?
#[derive(Debug)]
pub struct Recipient<R> {
    /// The transaction so far.
    pub envelope: Box<Envelope<R>>,
    /// The forward-path.
    pub forward_path: ForwardPath,
    /// When the sender wants to hear of it, if it says so.
    pub notify: Option<Notify>,
    /// Whom the sender has sent it to, if it says so.
    pub original: Option<OriginalRecipient>,
}

/// `MAIL FROM:<reverse-path> [parameters]`
pub(super) fn mail<R>(core: &mut Core, args: &str) -> State<R> {
    if core.hello == Hello::None {
        let reply = if core.config.role == Role::Lmtp { replies::LHLO_FIRST } else { replies::GREET_FIRST };
        core.error(&reply);
        return State::Command(None);
    }
    if core.transactions >= core.config.limits.transactions {
        core.reply(&replies::TOO_MANY_TRANSACTIONS);
        return State::Closing;
    }
    match parse_mail(core, args) {
        Ok(question) => State::Asking(Question::Mail(question)),
        Err(reply) => {
            core.error(&reply);
            State::Command(None)
        }
    }
}

fn parse_mail(core: &Core, args: &str) -> Result<Mail, Reply> {
    const FORM: &str = "MAIL FROM:<address> [parameters]";
    let text = strip_keyword(args, "FROM:").ok_or_else(|| replies::syntax(FORM))?;
    let (reverse_path, words) = ReversePath::parse_prefix(text).map_err(replies::bad_sender)?;
    let words = parameters::split(words).ok_or_else(|| replies::syntax(FORM))?;
    let parameters = Parameters::parse(words, core.offers_reports())?;
    if !parameters.utf8 && !args.is_ascii() {
        return Err(replies::NEEDS_SMTPUTF8);
    }
    if parameters.octets > Some(core.config.limits.message_octets) {
        return Err(replies::MESSAGE_TOO_LARGE);
    }
    Ok(Mail { reverse_path, parameters })
}

impl<R: 'static> Ask<'_, R, Mail> {
    /// It may; or not.
    pub fn answer(self, verdict: Result<(), Reply>) {
        self.proceed(|core, Mail { reverse_path, parameters }| match verdict {
            Ok(()) => {
                core.transactions += 1;
                core.in_refused_message = false;
                core.reply(&replies::SENDER_OK);
                let envelope = Envelope { reverse_path, parameters, recipients: Vec::new(), domains: Vec::new() };
                State::Command(Some(Transaction::Envelope(Box::new(envelope))))
            }
            Err(reply) => {
                core.refuse(&reply);
                State::Command(None)
            }
        });
    }
}

/// `RCPT TO:<forward-path> [parameters]`
pub(super) fn rcpt<R>(core: &mut Core, envelope: Box<Envelope<R>>, args: &str) -> State<R> {
    let (recipients_max, domains_max) = (core.config.limits.recipients, core.config.limits.recipient_domains);
    match parse_rcpt(args, envelope.parameters.utf8, core.offers_reports()) {
        Ok(_) if envelope.recipients.len() >= recipients_max => {
            core.reply(&replies::TOO_MANY_RECIPIENTS);
            State::Command(Some(Transaction::Envelope(envelope)))
        }
        Ok((forward_path, ..)) if envelope.domains.len() >= domains_max && envelope.is_of_new_domain(&forward_path) => {
            core.reply(&replies::TOO_MANY_DOMAINS);
            State::Command(Some(Transaction::Envelope(envelope)))
        }
        Ok((forward_path, notify, original)) => {
            State::Asking(Question::Recipient(Recipient { envelope, forward_path, notify, original }))
        }
        Err(reply) => {
            core.error(&reply);
            State::Command(Some(Transaction::Envelope(envelope)))
        }
    }
}

type Rcpt = (ForwardPath, Option<Notify>, Option<OriginalRecipient>);

fn parse_rcpt(args: &str, utf8: bool, offers_reports: bool) -> Result<Rcpt, Reply> {
    const FORM: &str = "RCPT TO:<address> [parameters]";
    let text = strip_keyword(args, "TO:").ok_or_else(|| replies::syntax(FORM))?;
    let (forward_path, words) = ForwardPath::parse_prefix(text).map_err(replies::bad_recipient)?;
    let words = parameters::split(words).ok_or_else(|| replies::syntax(FORM))?;
    let (notify, original) = parameters::of_rcpt(words, offers_reports)?;
    if utf8 || args.is_ascii() { Ok((forward_path, notify, original)) } else { Err(replies::NEEDS_SMTPUTF8) }
}

impl<R> Envelope<R> {
    fn is_of_new_domain(&self, forward_path: &ForwardPath) -> bool {
        match forward_path {
            ForwardPath::Postmaster => false,
            ForwardPath::Address(address) => !self.domains.contains(address.domain()),
        }
    }

    fn accept(&mut self, forward_path: &ForwardPath, recipient: R) {
        self.recipients.push(recipient);
        if let ForwardPath::Address(address) = forward_path
            && self.is_of_new_domain(forward_path)
        {
            self.domains.push(address.domain().clone());
        }
    }
}

impl<R: 'static> Ask<'_, R, Recipient<R>> {
    /// It may, and this is what the driver knows the recipient by; or not.
    pub fn answer(self, verdict: Result<R, Reply>) {
        self.proceed(|core, Recipient { mut envelope, forward_path, .. }| {
            match verdict {
                Ok(recipient) => {
                    envelope.accept(&forward_path, recipient);
                    core.reply(&replies::RECIPIENT_OK);
                }
                Err(reply) => core.refuse(&reply),
            }
            State::Command(Some(Transaction::Envelope(envelope)))
        });
    }
}

/// `FROM:` or `TO:` in any letter case, and the spaces that people type behind it.
fn strip_keyword<'a>(args: &'a str, keyword: &str) -> Option<&'a str> {
    let (head, rest) = args.split_at_checked(keyword.len())?;
    head.eq_ignore_ascii_case(keyword).then(|| rest.trim_start_matches(' '))
}
