//! lettre, the mail client of Rust programs, with our server.

use std::fs;

use anyhow::{Context, ensure};
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{SmtpTransport, Transport};

use crate::letter::{ensure_same, letter, with_crlf, without_trace};
use crate::program::new_account;
use crate::server::{HOST, MailServer};
use crate::table::Table;

const LOCK_FILE: &str = include_str!("../../../../Cargo.lock");

pub(crate) fn run(server: &MailServer, table: &mut Table) {
    let version = LOCK_FILE.split_once("name = \"lettre\"\nversion = \"").unwrap().1.split('"').next().unwrap();
    for (does, is_implicit, mechanism) in [
        ("sends, STARTTLS, AUTH PLAIN", false, Mechanism::Plain),
        ("sends, STARTTLS, AUTH LOGIN", false, Mechanism::Login),
        ("sends, TLS from the start, AUTH PLAIN", true, Mechanism::Plain),
    ] {
        table.row("lettre", version, does, sends(server, is_implicit, mechanism));
    }
}

fn sends(server: &MailServer, is_implicit: bool, mechanism: Mechanism) -> anyhow::Result<()> {
    let (sender, reader) = (new_account(server)?, new_account(server)?);
    let certificate = Certificate::from_pem(&fs::read(server.certificate())?)?;
    let parameters = TlsParameters::builder(HOST.to_owned())
        .certificate_store(CertificateStore::None)
        .add_root_certificate(certificate)
        .build_rustls()?;
    let (port, tls) = match is_implicit {
        true => (server.ports.smtps, Tls::Wrapper(parameters)),
        false => (server.ports.smtp, Tls::Required(parameters)),
    };
    let transport = SmtpTransport::builder_dangerous(HOST)
        .port(port)
        .tls(tls)
        .credentials(Credentials::new(sender.name().to_owned(), sender.password.clone()))
        .authentication(vec![mechanism])
        .build();
    let message = letter(&sender.address, &reader.address, 1);
    let envelope = Envelope::new(Some(sender.address.parse()?), vec![reader.address.parse()?])?;
    // It puts a line end of its own before the last dot.
    transport.send_raw(&envelope, with_crlf(message.trim_end()).as_bytes())?;
    let mailbox = reader.mailbox(server.ports)?;
    let (protocol, arrived) = without_trace(mailbox.first().context("no message has come")?, &sender.address)?;
    ensure!(protocol.ends_with("ESMTPSA"), "it came with {protocol}");
    ensure_same(arrived, &message)
}
