//! A program of others, and what it does with our server.

use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, ensure};

use crate::account::Account;
use crate::letter::{TEXT, ensure_same, letter, with_crlf, with_lf, without_trace};
use crate::script::{Script, bounded, output_of};
use crate::server::{HOST, MailServer, Ports};
use crate::table::Table;

/// A program, how it tells its version, and its cases.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) version: &'static [&'static str],
    pub(crate) cases: &'static [Case],
}

/// One thing that it does: the words for it, its script, and the script's arguments.
pub(crate) struct Case {
    pub(crate) does: &'static str,
    pub(crate) task: Task,
    pub(crate) script: &'static str,
    pub(crate) arguments: &'static str,
}

pub(crate) enum Task {
    /// It sends a message that it is given.
    Sends,
    /// It sends a text that it is given, with a header of its own.
    Composes,
    /// It receives all messages, files them, and deletes them on the server.
    Receives,
    /// It does all there is to do for two accounts, and for one beyond ASCII, and fails where something is not as it must be. If
    /// a second script is named, that one looks whether it is.
    Checks(Option<&'static str>),
}

impl Program {
    pub(crate) fn run(&self, server: &MailServer, table: &mut Table) {
        let version = version(self.version);
        for case in self.cases {
            let (version, result) = match &version {
                Ok(version) => (version.as_str(), case.run(server)),
                Err(error) => ("?", Err(anyhow::anyhow!("{error:#}"))),
            };
            table.row(self.name, version, case.does, result);
        }
    }
}

impl Case {
    fn run(&self, server: &MailServer) -> anyhow::Result<()> {
        match self.task {
            Task::Sends => self.sends(server, server.ports, false).map(drop),
            Task::Composes => self.sends(server, server.ports, true).map(drop),
            Task::Receives => self.receives(server),
            Task::Checks(second) => self.checks(server, second),
        }
    }

    /// It sends to these ports; the message as it is in the mailbox.
    pub(crate) fn sends(&self, server: &MailServer, ports: Ports, composes: bool) -> anyhow::Result<String> {
        let (sender, reader) = (new_account(server)?, new_account(server)?);
        let message = letter(&sender.address, &reader.address, 1);
        let mut script = script(server, self.script, self.arguments, &sender)?;
        script.tell("SMTP", ports.smtp.to_string());
        script.tell("TO", &reader.address);
        script.give("MESSAGE", &with_crlf(&message))?;
        script.give("MESSAGE_LF", &message)?;
        script.give("TEXT", TEXT)?;
        script.run()?;
        let mailbox = reader.mailbox(server.ports)?;
        ensure!(mailbox.len() == 1, "{} messages have come", mailbox.len());
        let (protocol, arrived) = without_trace(&mailbox[0], &sender.address)?;
        ensure!(protocol.ends_with("ESMTPSA"), "it came with {protocol}");
        match arrived.split_once("\n\n") {
            Some((_header, text)) if composes => ensure_same(text, TEXT)?,
            _ => ensure_same(arrived, &message)?,
        }
        Ok(mailbox[0].clone())
    }

    fn checks(&self, server: &MailServer, second: Option<&str>) -> anyhow::Result<()> {
        let (sender, reader) = (new_account(server)?, new_account(server)?);
        let beyond_ascii = new_account_beyond_ascii(server)?;
        for file in [Some(self.script), second].into_iter().flatten() {
            let mut script = script(server, file, self.arguments, &sender)?;
            for (name, account) in [("TO", &reader), ("UTF8", &beyond_ascii)] {
                script.tell(name, &account.address);
                script.tell(&format!("{name}_LOGIN"), account.name());
                script.tell(&format!("{name}_PASSWORD"), &account.password);
            }
            script.give("MESSAGE", &with_crlf(&letter(&sender.address, &reader.address, 1)))?;
            script.give("MESSAGE_LF", &letter(&sender.address, &reader.address, 1))?;
            script.run()?;
        }
        Ok(())
    }

    fn receives(&self, server: &MailServer) -> anyhow::Result<()> {
        let reader = new_account(server)?;
        let messages = [1, 2].map(|number| letter(&reader.address, &reader.address, number));
        for message in &messages {
            reader.deliver(server.ports, message)?;
        }
        let mut script = script(server, self.script, self.arguments, &reader)?;
        script.run()?;
        let mut inbox: Vec<_> = script.inbox()?.iter().map(|message| with_lf(message)).collect();
        // The messages differ in their numbers first.
        let number_of =
            |message: &String| without_trace(message, &reader.address).map(|(_, text)| text.to_owned()).ok();
        inbox.sort_by_key(number_of);
        ensure!(inbox.len() == messages.len(), "it has filed {} messages", inbox.len());
        for (filed, message) in inbox.iter().zip(&messages) {
            ensure_same(without_trace(filed, &reader.address)?.1, message)?;
        }
        ensure!(reader.mailbox(server.ports)?.is_empty(), "it has left messages on the server");
        Ok(())
    }
}

/// A script that is told of our server, and of the account that it is for.
fn script(server: &MailServer, file: &str, arguments: &str, account: &Account) -> anyhow::Result<Script> {
    let mut script = Script::new(file, arguments)?;
    for (name, value) in [
        ("HOST", HOST),
        ("ADDRESS", &account.address),
        ("LOGIN", account.name()),
        ("PASSWORD", &account.password),
        ("SMTP", &server.ports.smtp.to_string()),
        ("SMTPS", &server.ports.smtps.to_string()),
        ("SUBMISSION", &server.submission.to_string()),
        ("POP3", &server.ports.pop3.to_string()),
        ("POP3S", &server.ports.pop3s.to_string()),
    ] {
        script.tell(name, value);
    }
    script.tell("CA", server.certificate());
    Ok(script)
}

/// An account that nobody has used.
pub(crate) fn new_account(server: &MailServer) -> anyhow::Result<Account> {
    Account::register(server.ports, &new_name("user"))
}

/// The same, with a name that ASCII has no letters for.
pub(crate) fn new_account_beyond_ascii(server: &MailServer) -> anyhow::Result<Account> {
    Account::register(server.ports, &new_name("jürgen"))
}

fn new_name(begin: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("{begin}{}", COUNT.fetch_add(1, Ordering::Relaxed))
}

/// What a command tells as its version: the first word that looks like one, without what it was built with.
pub(crate) fn version(command: &[&str]) -> anyhow::Result<String> {
    let (program, arguments) = command.split_first().context("there is no command")?;
    let text = output_of(bounded(program).args(arguments))?;
    let mut words = text.split_whitespace().map(|word| word.trim_start_matches('v').trim_end_matches([',', '.']));
    let version = words.find(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    Ok(version.and_then(|word| word.split('+').next()).context("it tells no version")?.to_owned())
}
