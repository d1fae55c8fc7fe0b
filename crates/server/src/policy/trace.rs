//! The lines that a message is given on its way through (RFC 5321 §4.4).

use std::fmt;
use std::net::IpAddr;

use proto::smtp::server::{Hello, Role};
use proto::{Domain, ReversePath};
use store::{Store, Timestamp};

use super::Client;
use crate::clock;

impl<S: Store> Client<S> {
    /// Return-Path, for the delivery is the final one, and Received.
    pub(super) fn trace(&self, reverse_path: &ReversePath, hello: &Hello, utf8: bool, now: Timestamp) -> String {
        let path = return_path(reverse_path);
        let name: Option<Domain> = hello.name().and_then(|name| name.parse().ok());
        let name = name.as_ref().map_or("unknown", Domain::as_str);
        // Whoever comes by a socket of this machine has no address.
        let peer = fmt::from_fn(|f| self.peer.ip().map_or(Ok(()), |address| write!(f, " ({})", literal(address))));
        let (domain, date, id) = (self.domain(), clock::date_time(now), self.transaction.id);
        let [protocol, encrypted, authenticated] = self.protocol(hello, utf8);
        format!(
            "{path}Received: from {name}{peer}\r\n\tby {domain} with {protocol}{encrypted}{authenticated} id {id};\r\n\t{date}\r\n"
        )
    }

    /// The parts of its name (RFC 3848, RFC 6531 §4.3).
    fn protocol(&self, hello: &Hello, utf8: bool) -> [&'static str; 3] {
        let is_extended = utf8 || hello.is_extended();
        let base = match (self.listen().role(), utf8) {
            (Role::Lmtp, false) => "LMTP",
            (Role::Lmtp, true) => "UTF8LMTP",
            (_, true) => "UTF8SMTP",
            (_, false) if is_extended => "ESMTP",
            (_, false) => "SMTP",
        };
        let authenticated = self.identity.as_ref().is_some_and(|identity| identity.authenticated);
        let encrypted = if is_extended && self.encrypted { "S" } else { "" };
        let authenticated = if is_extended && authenticated { "A" } else { "" };
        [base, encrypted, authenticated]
    }

    /// Date and Message-ID, which a mail program leaves to its server when it does not know better (RFC 6409 §8.2, §8.3).
    pub(super) fn missing_fields(&self, header: &proto::header::Scan, now: Timestamp) -> String {
        let mut fields = String::new();
        if !header.has_date() {
            fields.push_str(&format!("Date: {}\r\n", clock::date_time(now)));
        }
        if !header.has_message_id() {
            fields.push_str(&format!("Message-ID: <{}@{}>\r\n", self.transaction.id, self.domain()));
        }
        fields
    }
}

/// The line that says where a message comes from.
pub(super) fn return_path(reverse_path: &ReversePath) -> String {
    match reverse_path {
        ReversePath::Null => "Return-Path: <>\r\n".to_owned(),
        ReversePath::Address(address) => format!("Return-Path: <{address}>\r\n"),
    }
}

/// An address literal (RFC 5321 §4.1.3).
fn literal(address: IpAddr) -> impl fmt::Display {
    fmt::from_fn(move |f| match address.to_canonical() {
        IpAddr::V4(address) => write!(f, "[{address}]"),
        IpAddr::V6(address) => write!(f, "[IPv6:{address}]"),
    })
}
