//! Our client with the servers that others have written: it sends through Postfix, and retrieves from Dovecot. What they do not
//! offer, it finds at our own server.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::ensure;
use tempfile::TempDir;

use crate::common::Home;
use crate::dovecot::{Dovecot, PASSWORD};
use crate::letter::{ensure_ends_in, ensure_same, letter, with_lf};
use crate::postfix::{Submission, lay_out};
use crate::program::{new_account, version};
use crate::script::files_below;
use crate::server::{HOST, MailServer, Ports};
use crate::table::Table;
use crate::until::until;

const ADDRESS: &str = "alice@postfix.example";
/// The same person's.
const ADDRESS_BEYOND_ASCII: &str = "jürgen@postfix.example";
/// What our client says that it has used for a message at a server that offers everything.
const USED: &str = "* sent by PIPELINING, SIZE, 8BITMIME, CHUNKING\n";
/// What Dovecot and Postfix offer, one set at a time, and so what our client has to take.
const MECHANISMS: [&str; 3] = ["scram-sha-256", "plain", "login"];

pub(crate) fn run(server: &MailServer, table: &mut Table) {
    for mechanisms in MECHANISMS {
        let name = mechanisms.to_uppercase();
        let foreign = Foreign::start(server, mechanisms);
        let (ports, versions) = match &foreign {
            Ok(foreign) => (foreign.ports, foreign.versions.clone()),
            Err(_) => (Ports { smtp: 0, smtps: 0, pop3: 0, pop3s: 0 }, ["?".to_owned(), "?".to_owned()]),
        };
        for (tls, smtp, pop3) in [
            ("STARTTLS", format!("smtp://{HOST}:{}", ports.smtp), format!("pop3://{HOST}:{}", ports.pop3)),
            (
                "TLS from the start",
                format!("smtps://{HOST}:{}", ports.smtps),
                format!("pop3s://{HOST}:{}", ports.pop3s),
            ),
        ] {
            let tries = |work: &dyn Fn(&Foreign) -> anyhow::Result<()>| match &foreign {
                Ok(foreign) => work(foreign),
                Err(error) => Err(anyhow::anyhow!("{error:#}")),
            };
            let (postfix, dovecot) = (&versions[0], &versions[1]);
            let send = tries(&|foreign| foreign.sends(&smtp, &["send", ADDRESS, "--raw", "message"]));
            table.row("`mymail send` to Postfix", postfix, &format!("sends, {tls}, AUTH {name}"), send);
            let sendmail = tries(&|foreign| foreign.sends(&smtp, &["sendmail", "-i", ADDRESS]));
            table.row("`mymail sendmail` to Postfix", postfix, &format!("sends, {tls}, AUTH {name}"), sendmail);
            let retrieve = tries(&|foreign| foreign.retrieves(&pop3));
            table.row("`mymail retrieve` from Dovecot", dovecot, &format!("receives, {tls}, AUTH {name}"), retrieve);
            if tls == "STARTTLS" && mechanisms == MECHANISMS[0] {
                let report = tries(&|foreign| foreign.is_reported_to(&smtp));
                table.row("`mymail sendmail` to Postfix", postfix, "wants a report and gets it (DSN)", report);
                let beyond = tries(&|foreign| foreign.sends_beyond_ascii(&smtp));
                table.row("`mymail send` to Postfix", postfix, "sends to a name beyond ASCII (SMTPUTF8)", beyond);
            }
        }
    }
    let does = "sends to three recipients, two at a time (LIMITS)";
    table.row("`mymail send` to `mymail serve`", env!("CARGO_PKG_VERSION"), does, sends_two_at_a_time());
}

/// To a server of ours that takes two recipients at a time.
fn sends_two_at_a_time() -> anyhow::Result<()> {
    let server = MailServer::start_with("[limits]\nrecipients = 2\n");
    let readers = [new_account(&server)?, new_account(&server)?, new_account(&server)?];
    let home = Home::new();
    let url = format!("smtp://{HOST}:{}", server.ports.smtp);
    let ours = |arguments: &[&str]| {
        let mut command = home.command(arguments);
        command.args(["--server", &url, "--ca"]).arg(server.certificate());
        output_of_ours(&mut command)
    };
    let sender = String::from_utf8(ours(&["register", "sender"])?.0)?;
    let message = letter(sender.trim(), &readers[0].address, 1);
    fs::write(home.path("message"), &message)?;
    let to = readers.each_ref().map(|reader| reader.address.as_str());
    let (_, dialogue) = ours(&["send", to[0], to[1], to[2], "--raw", "message", "-v"])?;
    ensure!(dialogue.matches("C: MAIL FROM:").count() == 2, "not in two transactions: {dialogue}");
    for reader in &readers {
        let mailbox = reader.mailbox(server.ports)?;
        ensure!(mailbox.len() == 1, "{} messages have come", mailbox.len());
        ensure_ends_in(&mailbox[0], &message)?;
    }
    Ok(())
}

/// Both servers and our client's home.
struct Foreign {
    ports: Ports,
    versions: [String; 2],
    certificate: PathBuf,
    home: Home,
    // Postfix asks Dovecot, and ends first.
    _postfix: Submission,
    _dovecot: Dovecot,
    folder: TempDir,
}

impl Foreign {
    fn start(server: &MailServer, mechanisms: &str) -> anyhow::Result<Self> {
        let versions = [version(&["postconf", "-dh", "mail_version"])?, version(&["dovecot", "--version"])?];
        let folder = tempfile::tempdir()?;
        let (certificate, key) = (server.certificate(), server.key());
        lay_out(folder.path(), "alice")?;
        let dovecot = Dovecot::start(folder.path(), &certificate, &key, mechanisms)?;
        let mailboxes = [(ADDRESS, "alice"), (ADDRESS_BEYOND_ASCII, "alice")];
        let postfix = Submission::start(folder.path(), &certificate, &key, &mailboxes)?;
        let ports = Ports { smtp: postfix.smtp, smtps: postfix.smtps, pop3: dovecot.pop3, pop3s: dovecot.pop3s };
        let home = Home::new();
        fs::write(home.path("message"), letter(ADDRESS, ADDRESS, 1))?;
        fs::write(home.path("password"), PASSWORD)?;
        let foreign = Self { ports, versions, certificate, home, _postfix: postfix, _dovecot: dovecot, folder };
        foreign.add_account()?;
        Ok(foreign)
    }

    fn add_account(&self) -> anyhow::Result<()> {
        let smtp = format!("smtps://{HOST}:{}", self.ports.smtps);
        let pop3 = format!("pop3s://{HOST}:{}", self.ports.pop3s);
        let arguments =
            ["accounts", "--add", ADDRESS, "--server", &smtp, "--pop3", &pop3, "--password-file", "password"];
        output_of_ours(&mut self.home.command(&arguments)).map(drop)
    }

    /// Sends the message, and finds it in the Maildir.
    fn sends(&self, url: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let dialogue = self.send(url, arguments)?;
        ensure!(dialogue.contains(USED), "it does not say {USED:?}");
        let [filed] = self.take_filed()?;
        ensure_ends_in(&filed, &letter(ADDRESS, ADDRESS, 1))
    }

    /// Sends the message, and finds it and the report that Postfix makes.
    fn is_reported_to(&self, url: &str) -> anyhow::Result<()> {
        let arguments = ["sendmail", "-i", "-N", "success,failure", "-R", "hdrs", "-V", "letter+2B1", ADDRESS];
        let dialogue = self.send(url, &arguments)?;
        let used = dialogue.lines().find(|line| line.starts_with("* sent by ")).unwrap_or_default();
        ensure!(used.contains(", DSN") && used.contains(", CHUNKING"), "it says {used:?}");
        let filed: [String; 2] = self.take_filed()?;
        let message = letter(ADDRESS, ADDRESS, 1);
        ensure!(filed.iter().any(|text| ensure_ends_in(text, &message).is_ok()), "the message is not there");
        let report = filed.iter().find(|text| text.contains("\nContent-Type: multipart/report"));
        let report = report.map_or("", String::as_str);
        for field in ["Original-Envelope-Id: letter+1", "Final-Recipient: rfc822; alice@", "Action: delivered"] {
            ensure!(report.contains(&format!("\n{field}")), "there is no report with {field}");
        }
        Ok(())
    }

    fn sends_beyond_ascii(&self, url: &str) -> anyhow::Result<()> {
        let dialogue = self.send(url, &["send", ADDRESS_BEYOND_ASCII, "--raw", "message"])?;
        let used = dialogue.lines().find(|line| line.starts_with("* sent by ")).unwrap_or_default();
        ensure!(used.contains(", SMTPUTF8"), "it says {used:?}");
        let [filed] = self.take_filed()?;
        ensure_ends_in(&filed, &letter(ADDRESS, ADDRESS, 1))
    }

    /// Sends the message; the dialogue.
    fn send(&self, url: &str, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = self.command(url, arguments);
        Ok(output_of_ours(command.stdin(File::open(self.home.path("message"))?))?.1)
    }

    /// Takes so many messages out of the Maildir, once they are there.
    fn take_filed<const COUNT: usize>(&self) -> anyhow::Result<[String; COUNT]> {
        let mailbox = self.folder.path().join("mail/alice/new");
        let files = until("Postfix files what it has", || {
            let mut files = Vec::new();
            files_below(&mailbox, &mut files).ok()?;
            <[PathBuf; COUNT]>::try_from(files).ok()
        })?;
        let texts = files.each_ref().map(fs::read_to_string);
        files.iter().try_for_each(fs::remove_file)?;
        let mut filed = [const { String::new() }; COUNT];
        for (filed, text) in filed.iter_mut().zip(texts) {
            *filed = text?;
        }
        Ok(filed)
    }

    /// Retrieves two messages out of the Maildir.
    fn retrieves(&self, url: &str) -> anyhow::Result<()> {
        let mailbox = self.folder.path().join("mail/alice/new");
        let mut expected = String::new();
        for number in [1, 2] {
            let message = letter(ADDRESS, ADDRESS, number);
            let path = mailbox.join(number.to_string());
            fs::write(&path, &message)?;
            fs::set_permissions(&path, Permissions::from_mode(0o666))?;
            expected.push_str(&message);
        }
        let (output, _) = output_of_ours(&mut self.command(url, &["retrieve", "--format", "raw"]))?;
        ensure_same(&with_lf(&String::from_utf8(output)?), &expected)?;
        for part in ["new", "cur"] {
            let left = first_file(&mailbox.with_file_name(part));
            ensure!(left.is_none(), "a message is still on the server");
        }
        Ok(())
    }

    fn command(&self, url: &str, arguments: &[&str]) -> Command {
        let mut command = self.home.command(arguments);
        command.args(["-v", "--server", url, "--account", ADDRESS, "--ca"]).arg(&self.certificate);
        command
    }
}

fn first_file(folder: &Path) -> Option<PathBuf> {
    Some(fs::read_dir(folder).ok()?.next()?.ok()?.path())
}

/// What our client prints, and what it says besides; it must succeed.
fn output_of_ours(command: &mut Command) -> anyhow::Result<(Vec<u8>, String)> {
    let output = command.output()?;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        println!("{stderr}");
    }
    ensure!(output.status.success(), "it ends with {}: {}", output.status, stderr.lines().last().unwrap_or_default());
    Ok((output.stdout, stderr))
}
