//! Writing a mail in a session, line by line.

use anyhow::{Context, bail};
use client::{Address, Envelope, Reports, ReversePath};

use super::Session;
use super::input::Answer;
use crate::commands::send;
use crate::compose::{Mail, Takes, cant_compose};
use crate::exit::{Exit, Failure};
use crate::output::note;
use crate::recipients::local_or_address;

/// Longest text of a mail that is typed, in octets.
const TEXT_OCTETS_MAX: usize = 1 << 20;

impl Session {
    /// Sends a mail that is typed: its recipients, if the command has none, its subject and its text.
    pub(super) async fn send(&mut self, to: &[&str]) -> anyhow::Result<Exit> {
        let from = self.told_in_time(self.address())?;
        let Some(words) = self.recipients(to).await? else { return cancelled() };
        let envelope = self.told_in_time(from.and_then(|from| Ok((addresses(&words, &from)?, from))))?;
        let Answer::Line(subject) = self.ask("Subject: ", false).await? else { return cancelled() };
        let Some(text) = self.text().await? else { return cancelled() };
        let (to, from) = envelope?;
        let subject = Some(subject.as_str()).filter(|subject| !subject.is_empty());
        let mail = Mail { from: &from, to: &to, subject, text: &text, attachments: Vec::new() };
        let composed = mail.compose(Takes::of(&self.connection)).context(cant_compose())?;
        let reverse_path = ReversePath::Address(from);
        let envelope = Envelope { reverse_path, recipients: to, reports: Reports::default() };
        let sent = send::submit(&mut self.connection, envelope, &composed).await?;
        send::print(self.client.results(), &sent)
    }

    /// A person hears of an error before writing more in vain. A script goes on to the dot first: what it has for the mail
    /// must not be taken for commands.
    fn told_in_time<T>(&self, result: Result<T, Failure>) -> Result<Result<T, Failure>, Failure> {
        if self.input.is_interactive() { result.map(Ok) } else { Ok(result) }
    }

    /// The recipients that came with the command, or that the user is asked for.
    async fn recipients(&mut self, words: &[&str]) -> anyhow::Result<Option<Vec<String>>> {
        if !words.is_empty() {
            return Ok(Some(words.iter().map(ToString::to_string).collect()));
        }
        let Answer::Line(line) = self.ask("To: ", false).await? else { return Ok(None) };
        Ok(Some(line.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_owned).collect()))
    }

    /// The lines up to one with a dot alone, however many: none of them is a command.
    async fn text(&mut self) -> anyhow::Result<Option<String>> {
        if self.input.is_interactive() {
            note("the text; a line with one dot ends it, Ctrl-C cancels");
        }
        let mut text = String::new();
        loop {
            match self.ask("", false).await? {
                Answer::Line(line) if line == "." => break,
                Answer::Line(line) if text.len() <= TEXT_OCTETS_MAX => text.extend([line.as_str(), "\n"]),
                Answer::Line(_) => {}
                Answer::Interrupted | Answer::End => return Ok(None),
            }
        }
        if text.len() > TEXT_OCTETS_MAX {
            bail!(Failure::new(Exit::Data, format!("the text is longer than {TEXT_OCTETS_MAX} octets")));
        }
        Ok(Some(text))
    }
}

fn addresses(words: &[String], from: &Address) -> Result<Vec<Address>, Failure> {
    if words.is_empty() {
        return Err(Failure::new(Exit::Usage, "a mail needs a recipient"));
    }
    words.iter().map(|word| local_or_address(word, from.domain())).collect()
}

fn cancelled() -> anyhow::Result<Exit> {
    note("nothing was sent");
    Ok(Exit::Data)
}
