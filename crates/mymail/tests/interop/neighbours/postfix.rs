//! Postfix as a neighbour. As a client it has no BDAT: it sends with DATA.

use std::fs;

use super::{Neighbour, Process, Proofs};
use crate::dovecot::free_port;
use crate::postfix::{Postfix, lay_out, log};
use crate::server::{HOST, MailServer};

const DOMAIN: &str = "postfix.example";
/// What its log says when it makes use of our extensions.
const USED: [&str; 4] =
    [" PIPELINING, TCP send buffer size is ", " SIZE=", " BODY=8BITMIME", "status=sent (250 2.6.0 OK)"];

pub(super) fn version() -> anyhow::Result<String> {
    crate::program::version(&["postconf", "-dh", "mail_version"])
}

/// Starts one that takes mail of everybody on this computer; the sender decides which way it goes.
pub(super) fn start(server: &MailServer) -> anyhow::Result<Neighbour> {
    let folder = tempfile::tempdir()?;
    lay_out(folder.path(), "all")?;
    let certificate = folder.path().join("certificate.pem");
    fs::copy(server.certificate(), &certificate)?;
    let (certificate, socket) = (certificate.display(), server.lmtp_socket());
    let (outside, lmtp, socket) = (server.from_outside, server.lmtp, socket.display());
    let settings = format!(
        "mynetworks = 127.0.0.0/8\n\
         smtpd_relay_restrictions = permit_mynetworks, reject\n\
         virtual_alias_maps = inline:{{ {{@{DOMAIN} = all@{DOMAIN}}} }}\n\
         sender_dependent_default_transport_maps = inline:{{\n \
         {{smtp_clear@{DOMAIN} = smtp_clear:[{HOST}]:{outside}}}\n \
         {{smtp_tls@{DOMAIN} = smtp_tls:[{HOST}]:{outside}}}\n \
         {{lmtp_clear@{DOMAIN} = lmtp_clear:[{HOST}]:{lmtp}}}\n \
         {{lmtp_tls@{DOMAIN} = lmtp_tls:[{HOST}]:{lmtp}}}\n \
         {{lmtp_socket@{DOMAIN} = lmtp_clear:unix:{socket}}}\n \
         }}\n\
         smtp_host_lookup = native\n\
         lmtp_host_lookup = native\n\
         smtp_line_length_limit = 0\n\
         lmtp_line_length_limit = 0\n\
         smtp_tls_CAfile = {certificate}\n\
         lmtp_tls_CAfile = {certificate}\n\
         smtp_tls_loglevel = 1\n\
         lmtp_tls_loglevel = 1\n"
    );
    let port = free_port()?;
    // With -v it tells what it says to us.
    let services = format!(
        "127.0.0.1:{port} inet n - n - - smtpd\n\
         smtp_clear unix - - n - - smtp -v -o smtp_tls_security_level=none\n\
         smtp_tls unix - - n - - smtp -v -o smtp_tls_security_level=secure\n\
         lmtp_clear unix - - n - - lmtp -v -o lmtp_tls_security_level=none\n\
         lmtp_tls unix - - n - - lmtp -v -o lmtp_tls_security_level=secure\n"
    );
    let mailbox = format!("all@{DOMAIN}");
    let postfix = Postfix::start(folder.path(), &[(&mailbox, "all")], &settings, &services)?;
    Ok(Neighbour {
        port,
        domain: DOMAIN,
        mailbox: folder.path().join("mail/all"),
        queues: ["maildrop", "incoming", "active", "deferred"]
            .map(|name| folder.path().join("queue").join(name))
            .into(),
        log: log(folder.path()),
        proofs: Proofs {
            over_tcp: &USED,
            over_socket: &USED,
            encrypted: "Verified TLS connection established to localhost[",
            // It takes ours.
            status_of_unknown: "5.1.1",
            hears_of_full: "in reply to rcpt to command",
        },
        _process: Process::Postfix(postfix),
        _folder: folder,
    })
}
