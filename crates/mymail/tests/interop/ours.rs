//! Our client with the servers that others have written: it sends through Postfix, and retrieves from Dovecot.

use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use tempfile::TempDir;

use crate::common::Home;
use crate::dovecot::{Dovecot, PASSWORD};
use crate::letter::{ensure_same, letter, with_lf};
use crate::postfix::{Postfix, id};
use crate::program::version;
use crate::server::{HOST, MailServer, Ports};
use crate::table::Table;
use crate::until::until;

const ADDRESS: &str = "alice@postfix.example";
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
        }
    }
}

/// Both servers and our client's home.
struct Foreign {
    ports: Ports,
    versions: [String; 2],
    certificate: PathBuf,
    home: Home,
    // Postfix asks Dovecot, and ends first.
    _postfix: Postfix,
    _dovecot: Dovecot,
    folder: TempDir,
}

impl Foreign {
    fn start(server: &MailServer, mechanisms: &str) -> anyhow::Result<Self> {
        ensure!(rustix::process::getuid().is_root(), "Postfix and Dovecot start only as root");
        let versions = [version(&["postconf", "-dh", "mail_version"])?, version(&["dovecot", "--version"])?];
        let folder = tempfile::tempdir()?;
        let (certificate, key) = (server.certificate(), server.key());
        lay_out(folder.path())?;
        let dovecot = Dovecot::start(folder.path(), &certificate, &key, mechanisms)?;
        let postfix = Postfix::start(folder.path(), &certificate, &key, ADDRESS)?;
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
        let mut command = self.command(url, arguments);
        output_of_ours(command.stdin(File::open(self.home.path("message"))?))?;
        let mailbox = self.folder.path().join("mail/alice/new");
        let filed = until("Postfix files the message", || first_file(&mailbox))?;
        let text = fs::read_to_string(&filed)?;
        fs::remove_file(filed)?;
        let message = letter(ADDRESS, ADDRESS, 1);
        ensure_ends_in(&text, &message)
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
        let output = output_of_ours(&mut self.command(url, &["retrieve", "--format", "raw"]))?;
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

/// The folders that both servers want, each with its owner.
fn lay_out(folder: &Path) -> anyhow::Result<()> {
    fs::set_permissions(folder, Permissions::from_mode(0o755))?;
    let (user, group) = (id("-u")?, id("-g")?);
    for name in
        ["queue", "queue/private", "data", "mail", "mail/alice", "mail/alice/new", "mail/alice/cur", "mail/alice/tmp"]
    {
        fs::create_dir(folder.join(name))?;
        if name != "queue" {
            chown(folder.join(name), Some(user), Some(group))?;
        }
    }
    Ok(())
}

fn first_file(folder: &Path) -> Option<PathBuf> {
    Some(fs::read_dir(folder).ok()?.next()?.ok()?.path())
}

fn output_of_ours(command: &mut Command) -> anyhow::Result<Vec<u8>> {
    let output = command.output()?;
    let stderr = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        println!("{stderr}");
    }
    ensure!(output.status.success(), "it ends with {}: {}", output.status, stderr.lines().last().unwrap_or_default());
    Ok(output.stdout)
}
