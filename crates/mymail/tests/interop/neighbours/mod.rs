//! Mail servers that others have written, and which deliver to ours: by SMTP, by LMTP, and by LMTP over a Unix domain socket.
//!
//! A sender gives one a letter for two of our accounts and for somebody that we do not have, and wants reports. We offer none to
//! mail servers, so they are the neighbour's to make: that it has passed the letter on, and that nobody has that name.

mod exim;
mod postfix;

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::account::{Account, Dialogue};
use crate::letter::{ensure_ends_in, letter, long_letter, without_trace};
use crate::program::{new_account, new_account_beyond_ascii};
use crate::script::files_below;
use crate::server::{DOMAIN, MailServer};
use crate::table::Table;
use crate::until::until;

/// What a sender calls its letter: Exim reports what has to be written as `xtext` (RFC 3461 §4) without reading it.
const ENVELOPE_ID: &str = "letter.1";
/// What a mailbox that is full says, as neighbours report it.
const FULL: &str = "552 5.2.2 mailbox full";
/// So many lines more: some hundred kilobytes.
const MANY_LINES: u32 = 4_000;

/// One way from a neighbour to us. Whoever sends from an address of this name has its mail go that way.
struct Way {
    name: &'static str,
    does: &'static str,
    /// What our Received says.
    protocol: &'static str,
    /// Whether it is encrypted, and the certificate checked.
    encrypted: bool,
}

const WAYS: [Way; 5] = [
    Way { name: "smtp_clear", does: "by SMTP in clear", protocol: "ESMTP", encrypted: false },
    Way { name: "smtp_tls", does: "by SMTP with STARTTLS", protocol: "ESMTPS", encrypted: true },
    Way { name: "lmtp_clear", does: "by LMTP in clear", protocol: "LMTP", encrypted: false },
    Way { name: "lmtp_tls", does: "by LMTP with STARTTLS", protocol: "LMTPS", encrypted: true },
    Way { name: "lmtp_socket", does: "by LMTP over a Unix domain socket", protocol: "LMTP", encrypted: false },
];

/// A mail server of another make, in a folder of its own.
struct Neighbour {
    /// Where it takes mail.
    port: u16,
    domain: &'static str,
    /// The Maildir of all its users.
    mailbox: PathBuf,
    /// What it still has to do lies there, in files.
    queues: Vec<PathBuf>,
    log: PathBuf,
    proofs: Proofs,
    // It ends before its folder does.
    _process: Process,
    _folder: TempDir,
}

/// What shows that it makes use of what we offer: words of its log and of its reports.
struct Proofs {
    over_tcp: &'static [&'static str],
    over_socket: &'static [&'static str],
    /// The certificate is good.
    encrypted: &'static str,
    status_of_unknown: &'static str,
    /// When it hears that a mailbox is full: at its name if it has told the size, and else behind the message.
    hears_of_full: &'static str,
}

#[expect(dead_code, reason = "held for what their end does")]
enum Process {
    Postfix(crate::postfix::Postfix),
    Exim(exim::Exim),
}

pub(crate) fn run(server: &MailServer, table: &mut Table) {
    for (name, version, start) in [
        ("Postfix", postfix::version(), postfix::start as fn(&MailServer) -> anyhow::Result<Neighbour>),
        ("Exim", exim::version(), exim::start),
    ] {
        let version = version.unwrap_or_else(|_| "?".to_owned());
        let neighbour = start(server);
        let mut row = |does: String, work: &dyn Fn(&Neighbour) -> anyhow::Result<()>| {
            let result = neighbour.as_ref().map_err(|error| anyhow::anyhow!("{error:#}")).and_then(work);
            table.row(&format!("{name}, a mail server"), &version, &does, result);
        };
        for way in &WAYS {
            let does = format!("delivers {}: two recipients have it, the third is refused, reports (DSN)", way.does);
            row(does, &|neighbour| neighbour.delivers(server, way));
        }
        let does = format!("delivers {}: one recipient has it, the other one's mailbox is full, report", WAYS[4].does);
        row(does, &|neighbour| neighbour.delivers_to_one_that_is_full(server, &WAYS[4]));
        for way in [&WAYS[1], &WAYS[3]] {
            let does = format!("delivers {}, to a recipient beyond ASCII (SMTPUTF8)", way.does);
            row(does, &|neighbour| neighbour.delivers_beyond_ascii(server, way));
            let does = format!("delivers {}, a letter of some hundred kilobytes", way.does);
            row(does, &|neighbour| neighbour.delivers_much(server, way));
        }
    }
}

impl Neighbour {
    fn delivers(&self, server: &MailServer, way: &Way) -> anyhow::Result<()> {
        let readers = [new_account(server)?, new_account(server)?];
        let nobody = format!("nobody@{DOMAIN}");
        let sender = self.sender(way);
        let letter = letter(&sender, &readers[0].address, 1);
        self.empty_mailbox()?;
        let log_before = fs::read_to_string(&self.log)?.len();
        let mut smtp = Dialogue::smtp(self.port)?;
        smtp.say(&format!("MAIL FROM:<{sender}> BODY=8BITMIME RET=HDRS ENVID={ENVELOPE_ID}"), "250 ")?;
        for recipient in [&readers[0].address, &readers[1].address, &nobody] {
            let original = format!("ORCPT=rfc822;first.{recipient}");
            smtp.say(&format!("RCPT TO:<{recipient}> NOTIFY=SUCCESS,FAILURE {original}"), "250 ")?;
        }
        smtp.data(&letter)?;
        let reports = until("its queue is empty and both reports are there", || self.take_reports(2))?;
        for reader in &readers {
            self.ensure_arrived(server, reader, way.protocol, &sender, &letter)?;
        }
        let log = fs::read_to_string(&self.log)?.split_off(log_before);
        for proof in self.proofs.of(way) {
            ensure!(log.contains(proof), "its log does not say {proof:?}");
        }
        ensure_reported(&reports, &readers, &nobody)?;
        let status = format!("\nStatus: {}\n", self.proofs.status_of_unknown);
        ensure!(reports.iter().any(|report| report.contains(&status)), "no report has {status:?}");
        Ok(())
    }

    /// One recipient's mailbox is full: over LMTP the other one has the message all the same.
    fn delivers_to_one_that_is_full(&self, server: &MailServer, way: &Way) -> anyhow::Result<()> {
        let (reader, full) = (new_account(server)?, new_account(server)?);
        let sender = self.sender(way);
        let letter = letter(&sender, &reader.address, 1);
        server.set_quota(&full, letter.len() / 2)?;
        self.empty_mailbox()?;
        let mut smtp = Dialogue::smtp(self.port)?;
        smtp.say(&format!("MAIL FROM:<{sender}> BODY=8BITMIME"), "250 ")?;
        smtp.say(&format!("RCPT TO:<{}> NOTIFY=FAILURE", reader.address), "250 ")?;
        smtp.say(&format!("RCPT TO:<{}> NOTIFY=FAILURE", full.address), "250 ")?;
        smtp.data(&letter)?;
        let reports = until("its queue is empty and the report is there", || self.take_reports(1))?;
        self.ensure_arrived(server, &reader, way.protocol, &sender, &letter)?;
        ensure!(full.mailbox(server.ports)?.is_empty(), "the mailbox that is full has it too");
        let report = reports[0].to_lowercase().replace("; ", ";");
        ensure_has(&report, &format!("\nfinal-recipient: rfc822;{}\n", full.address))?;
        let flowed = report.split_whitespace().collect::<Vec<_>>().join(" ");
        ensure_has(&flowed, FULL)?;
        ensure_has(&flowed, self.proofs.hears_of_full)?;
        ensure!(!report.contains(&format!("rfc822;{}", reader.address)), "it reports of the other one");
        Ok(())
    }

    fn delivers_beyond_ascii(&self, server: &MailServer, way: &Way) -> anyhow::Result<()> {
        let reader = new_account_beyond_ascii(server)?;
        let letter = letter(&self.sender(way), &reader.address, 1);
        let protocol = way.protocol.replace("ESMTP", "SMTP");
        self.passes_on(server, way, &reader, " SMTPUTF8", &letter, &format!("UTF8{protocol}"))
    }

    fn delivers_much(&self, server: &MailServer, way: &Way) -> anyhow::Result<()> {
        let reader = new_account(server)?;
        let letter = long_letter(&self.sender(way), &reader.address, MANY_LINES);
        self.passes_on(server, way, &reader, "", &letter, way.protocol)
    }

    fn passes_on(
        &self,
        server: &MailServer,
        way: &Way,
        reader: &Account,
        parameters: &str,
        letter: &str,
        protocol: &str,
    ) -> anyhow::Result<()> {
        let sender = self.sender(way);
        let mut smtp = Dialogue::smtp(self.port)?;
        smtp.say(&format!("MAIL FROM:<{sender}> BODY=8BITMIME{parameters}"), "250 ")?;
        smtp.say(&format!("RCPT TO:<{}>", reader.address), "250 ")?;
        smtp.data(letter)?;
        until("its queue is empty", || self.is_idle().then_some(()))?;
        self.ensure_arrived(server, reader, protocol, &sender, letter)
    }

    fn sender(&self, way: &Way) -> String {
        format!("{}@{}", way.name, self.domain)
    }

    fn ensure_arrived(
        &self,
        server: &MailServer,
        reader: &Account,
        protocol: &str,
        sender: &str,
        letter: &str,
    ) -> anyhow::Result<()> {
        let mailbox = reader.mailbox(server.ports)?;
        ensure!(mailbox.len() == 1, "{} messages have come", mailbox.len());
        let (with, message) = without_trace(&mailbox[0], sender)?;
        ensure!(with == protocol, "it came with {with} instead of {protocol}");
        ensure!(message.starts_with("Received: "), "the neighbour's own line is not there");
        ensure_ends_in(message, letter)
    }

    /// Throws away what a delivery that has failed has left.
    fn empty_mailbox(&self) -> anyhow::Result<()> {
        let mut files = Vec::new();
        files_below(&self.mailbox, &mut files)?;
        files.iter().try_for_each(|path| Ok(fs::remove_file(path)?))
    }

    fn is_idle(&self) -> bool {
        self.queues.iter().all(|queue| {
            let mut files = Vec::new();
            files_below(queue, &mut files).is_ok() && files.is_empty()
        })
    }

    /// Takes so many reports out of the mailbox, once it has nothing left to do.
    fn take_reports(&self, count: usize) -> Option<Vec<String>> {
        let mut files = Vec::new();
        files_below(&self.mailbox.join("new"), &mut files).ok()?;
        let are_all = files.len() == count && self.is_idle();
        let take = |path: &PathBuf| {
            let text = fs::read_to_string(path).ok()?;
            fs::remove_file(path).ok()?;
            Some(text)
        };
        are_all.then(|| files.iter().map(take).collect())?
    }
}

impl Proofs {
    fn of(&self, way: &Way) -> impl Iterator<Item = &'static str> {
        let over_tcp = !way.name.ends_with("socket");
        let words = if over_tcp { self.over_tcp } else { self.over_socket };
        words.iter().copied().chain(way.encrypted.then_some(self.encrypted))
    }
}

/// One report says who has it, the other one who has not; no field is missing.
fn ensure_reported(reports: &[String], readers: &[Account], nobody: &str) -> anyhow::Result<()> {
    let fields: Vec<String> = reports.iter().map(|report| report.to_lowercase().replace("; ", ";")).collect();
    let report_with = |actions: &[&str]| {
        let has = |report: &&String| actions.iter().any(|action| report.contains(&format!("\naction: {action}\n")));
        fields.iter().find(has).with_context(|| format!("there is no report with {actions:?}"))
    };
    // Exim says delivered where Postfix says relayed.
    let passed_on = report_with(&["relayed", "delivered"])?;
    let failed = report_with(&["failed"])?;
    for report in [passed_on, failed] {
        ensure_has(report, &format!("\noriginal-envelope-id: {ENVELOPE_ID}\n"))?;
    }
    for reader in readers {
        ensure_has(passed_on, &format!("\nfinal-recipient: rfc822;{}\n", reader.address))?;
        ensure_has(passed_on, &format!("\noriginal-recipient: rfc822;first.{}\n", reader.address))?;
    }
    ensure_has(failed, &format!("\nfinal-recipient: rfc822;{nobody}\n"))?;
    ensure_has(failed, "550 5.1.1 no such user here")
}

fn ensure_has(report: &str, field: &str) -> anyhow::Result<()> {
    ensure!(report.contains(field), "there is a report without {field:?}");
    Ok(())
}
