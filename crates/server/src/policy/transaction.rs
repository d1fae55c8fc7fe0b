//! Who may send, and to whom; and a message on its way into the store.

use proto::header::Beginning;
use proto::smtp::server::{Envelope, Hello, Mail};
use proto::smtp::{Reply, replies};
use proto::{Address, Domain, ForwardPath, ReversePath};
use store::{Body, NewMessage, Recipient, Store};
use tracing::Span;

use super::{Client, store_refusal};
use crate::clock;

/// The body of the message that is coming in.
#[derive(Default)]
pub(super) enum Incoming<B> {
    #[default]
    None,
    Open(B, Beginning),
    /// The store could not take all of it.
    Failed(Reply),
}

/// The transaction as trace line and log name it.
pub(super) struct Transaction {
    id: String,
    pub(super) span: Span,
}

impl Default for Transaction {
    fn default() -> Self {
        Self { id: String::new(), span: Span::none() }
    }
}

impl<S: Store> Client<S> {
    /// May mail come from there? An account sends as itself; a peer without one only from outside, and only where mail from
    /// outside is taken.
    pub(crate) fn may_send(&mut self, mail: &Mail) -> Result<(), Reply> {
        let sender = mail.reverse_path.address();
        let verdict = match self.identity() {
            Some(identity) if sender.is_some_and(|sender| sender.key() == identity.address.key()) => Ok(()),
            Some(_) => Err(replies::NOT_YOUR_ADDRESS),
            None if !self.listen.from_outside => Err(replies::REGISTER_FIRST),
            None if sender.is_some_and(|sender| sender.domain() == self.domain()) => Err(replies::REGISTER_FIRST),
            None => Ok(()),
        };
        if verdict.is_ok() {
            let id = self.shared.trace_id();
            self.transaction = Transaction { span: tracing::info_span!("transaction", id), id };
        }
        verdict
    }

    /// May it go there? To our own users, and to nobody else.
    pub(crate) async fn may_receive(
        &self,
        forward_path: &ForwardPath,
        octets: Option<u64>,
    ) -> Result<Recipient, Reply> {
        let address = match forward_path {
            ForwardPath::Address(address) if address.domain() == self.domain() => address.clone(),
            ForwardPath::Address(_) => return Err(replies::RELAYING_DENIED),
            ForwardPath::Postmaster => Address::postmaster(self.domain()),
        };
        match self.shared.store.mailbox(&address).await {
            Ok(Some(mailbox)) => {
                let room = self.settings.config.limits.mailbox_size.as_u64().saturating_sub(mailbox.octets);
                let fits = room > 0 && octets.unwrap_or(0) <= room;
                if fits { Ok(Recipient { account: mailbox.account, address }) } else { Err(replies::MAILBOX_FULL) }
            }
            Ok(None) => Err(replies::NO_SUCH_USER),
            Err(error) => Err(store_refusal(&error)),
        }
    }

    fn domain(&self) -> &Domain {
        &self.settings.config.hostname
    }

    /// A message's data may come; that of an earlier one is of no use any more.
    pub(crate) fn begin_data(&mut self) {
        self.incoming = Incoming::Open(self.shared.store.body(), Beginning::default());
    }

    /// Takes octets of the message. What goes wrong is said when its end has come.
    pub(crate) async fn take(&mut self, octets: &[u8]) {
        let Incoming::Open(body, beginning) = &mut self.incoming else { return };
        beginning.read(octets);
        if let Err(error) = body.write(octets).await {
            self.incoming = Incoming::Failed(self.transaction.span.in_scope(|| store_refusal(&error)));
        }
    }

    /// The message will be refused.
    pub(crate) fn abandon(&mut self) {
        self.incoming = Incoming::None;
    }

    /// Keeps the message for good and for all recipients, or says why not.
    pub(crate) async fn commit(&mut self, envelope: Envelope<Recipient>, hello: &Hello) -> Result<(), Reply> {
        let (body, beginning) = match std::mem::take(&mut self.incoming) {
            Incoming::Open(body, beginning) => (body, beginning),
            Incoming::Failed(reply) => return Err(reply),
            Incoming::None => return Err(replies::STORE_FAILED),
        };
        let Envelope { reverse_path, recipients, utf8, .. } = envelope;
        let (octets, now) = (body.octets(), clock::now());
        let mut trace = self.trace(&reverse_path, hello, utf8, now);
        if beginning.is_text() {
            trace.push_str("\r\n");
        }
        let (count, from) = (recipients.len(), reverse_path.to_string());
        let message = NewMessage { reverse_path, recipients, trace, received_at: now };
        match self.shared.store.deliver(message, body).await {
            Ok(_) => {
                tracing::info!(from, recipients = count, octets, "accepted");
                Ok(())
            }
            Err(error) => {
                tracing::warn!(from, recipients = count, octets, "not accepted");
                Err(store_refusal(&error))
            }
        }
    }

    /// The trace lines (RFC 5321 §4.4), with the protocol by RFC 3848 and RFC 6531 §3.7.3. The delivery is the final one, so
    /// Return-Path is among them.
    fn trace(&self, reverse_path: &ReversePath, hello: &Hello, utf8: bool, now: store::Timestamp) -> String {
        let authenticated = self.identity.as_ref().is_some_and(|identity| identity.authenticated);
        let (protocol, is_extended) = match hello {
            _ if utf8 => ("UTF8SMTP", true),
            Hello::Ehlo(_) => ("ESMTP", true),
            Hello::None | Hello::Helo(_) => ("SMTP", false),
        };
        let encrypted = if is_extended && self.encrypted { "S" } else { "" };
        let authenticated = if is_extended && authenticated { "A" } else { "" };
        let path = match reverse_path {
            ReversePath::Null => "<>".to_owned(),
            ReversePath::Address(address) => format!("<{address}>"),
        };
        let name: Option<Domain> = hello.name().and_then(|name| name.parse().ok());
        let name = name.as_ref().map_or("unknown", Domain::as_str);
        let (peer, domain, date) = (address_literal(self.peer.ip()), self.domain(), clock::date_time(now));
        let id = &self.transaction.id;
        let protocol = format!("{protocol}{encrypted}{authenticated}");
        format!(
            "Return-Path: {path}\r\nReceived: from {name} ({peer})\r\n\tby {domain} with {protocol} id {id};\r\n\t{date}\r\n"
        )
    }
}

/// RFC 5321 §4.1.3.
fn address_literal(address: std::net::IpAddr) -> String {
    match address.to_canonical() {
        std::net::IpAddr::V4(address) => format!("[{address}]"),
        std::net::IpAddr::V6(address) => format!("[IPv6:{address}]"),
    }
}
