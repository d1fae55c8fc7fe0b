//! Lines that the user types, or that a script pipes in.
//!
//! They are read by a thread of their own, so that the session can keep its connection alive meanwhile.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Read};
use std::path::PathBuf;
use std::thread;

use anyhow::Context;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use rustyline::error::ReadlineError;
use rustyline::history::DefaultHistory;
use rustyline::{Editor, ExternalPrinter};
use tokio::sync::mpsc;

use crate::client_options::Dialogue;
use crate::exit::{Exit, Failure};
use crate::output;

/// Longest line that is taken from a script, in octets.
const LINE_OCTETS_MAX: u64 = 64 << 10;
/// Most lines of history that are kept.
const HISTORY_LINES_MAX: usize = 1000;

type TerminalEditor = Editor<(), DefaultHistory>;

/// What came of asking for a line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Line(String),
    /// The user typed Ctrl-C.
    Interrupted,
    /// There are no more lines.
    End,
}

/// A question to the thread that reads.
struct Question {
    prompt: String,
    into_history: bool,
}

/// Where lines come from.
pub(super) struct Input {
    questions: mpsc::Sender<Question>,
    answers: mpsc::Receiver<io::Result<Answer>>,
    dialogue: Option<Dialogue>,
    /// The terminal's settings, to put back if the session ends while a line is edited.
    settings: Option<Termios>,
}

impl Input {
    /// Line editing and history on a terminal; else plain lines, without prompts.
    pub(super) fn open() -> anyhow::Result<Self> {
        let (questions, asked) = mpsc::channel(1);
        let (answered, answers) = mpsc::channel(1);
        let mut input = Self { questions, answers, dialogue: None, settings: None };
        if io::stdin().is_terminal() && io::stdout().is_terminal() {
            let mut editor = editor().context(Failure::new(Exit::Unavailable, "cannot use the terminal"))?;
            input.dialogue = editor.create_external_printer().ok().map(show_above_prompt);
            input.settings = tcgetattr(io::stdin()).ok();
            thread::spawn(move || answer(asked, &answered, |question| edit(&mut editor, &question)));
        } else {
            thread::spawn(move || answer(asked, &answered, |_| read_line(io::stdin().lock())));
        }
        Ok(input)
    }

    /// Whether a person types.
    pub(super) fn is_interactive(&self) -> bool {
        self.settings.is_some()
    }

    /// How the dialogue is to be shown while lines are edited.
    pub(super) fn take_dialogue(&mut self) -> Dialogue {
        self.dialogue.take().unwrap_or_else(|| Box::new(output::show_dialogue))
    }

    /// Asks for a line.
    pub(super) async fn ask(&self, prompt: &str, into_history: bool) -> anyhow::Result<()> {
        let question = Question { prompt: prompt.to_owned(), into_history };
        self.questions.send(question).await.context("nobody reads any more")
    }

    /// The answer, when it is there. May be cancelled and called again.
    pub(super) async fn answer(&mut self) -> anyhow::Result<Answer> {
        let answer = self.answers.recv().await.unwrap_or(Ok(Answer::End));
        answer.context(Failure::new(Exit::Data, "cannot read what is typed"))
    }
}

impl Drop for Input {
    fn drop(&mut self) {
        if let Some(settings) = &self.settings {
            tcsetattr(io::stdin(), OptionalActions::Drain, settings).ok();
        }
    }
}

/// Answers question after question, until nobody asks or nobody listens.
fn answer(
    mut questions: mpsc::Receiver<Question>,
    answers: &mpsc::Sender<io::Result<Answer>>,
    mut read: impl FnMut(Question) -> io::Result<Answer>,
) {
    while let Some(question) = questions.blocking_recv() {
        if answers.blocking_send(read(question)).is_err() {
            return;
        }
    }
}

fn read_line(mut input: impl BufRead) -> io::Result<Answer> {
    let mut line = String::new();
    if input.by_ref().take(LINE_OCTETS_MAX).read_line(&mut line)? == 0 {
        return Ok(Answer::End);
    }
    if line.len() as u64 == LINE_OCTETS_MAX && !line.ends_with('\n') {
        return Err(io::Error::other(format!("a line is longer than {LINE_OCTETS_MAX} octets")));
    }
    let text = line.strip_suffix('\n').unwrap_or(&line);
    Ok(Answer::Line(text.strip_suffix('\r').unwrap_or(text).to_owned()))
}

fn editor() -> rustyline::Result<TerminalEditor> {
    let config = rustyline::Config::builder().max_history_size(HISTORY_LINES_MAX)?.build();
    let mut editor = TerminalEditor::with_config(config)?;
    if let Some(path) = history_path() {
        // A history that can't be read is a new one.
        editor.load_history(&path).ok();
    }
    Ok(editor)
}

fn edit(editor: &mut TerminalEditor, question: &Question) -> io::Result<Answer> {
    match editor.readline(&question.prompt) {
        Ok(line) => {
            if question.into_history && editor.add_history_entry(&line).is_ok_and(|added| added) {
                save_history(editor);
            }
            Ok(Answer::Line(line))
        }
        Err(ReadlineError::Interrupted) => Ok(Answer::Interrupted),
        Err(ReadlineError::Eof) => Ok(Answer::End),
        Err(error) => Err(io::Error::other(error)),
    }
}

/// Without a history the session goes on: it is a comfort.
fn save_history(editor: &mut TerminalEditor) {
    if let Some(path) = history_path() {
        let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
        folder.ok().and_then(|()| editor.save_history(&path).ok());
    }
}

/// `$XDG_STATE_HOME/mymail/history`, or under `~/.local/state`.
fn history_path() -> Option<PathBuf> {
    Some(client::user_folder("XDG_STATE_HOME", ".local/state")?.join("history"))
}

fn show_above_prompt(mut printer: impl ExternalPrinter + Send + 'static) -> Dialogue {
    Box::new(move |line| {
        let shown = anstream::adapter::strip_str(&output::dialogue_line(line)).to_string();
        printer.print(format!("{shown}\n")).ok();
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_script() {
        let mut script = &b"register\r\nsend 10\n\nlast"[..];
        let mut next = || read_line(&mut script).unwrap();
        for line in ["register", "send 10", "", "last"] {
            assert_eq!(next(), Answer::Line(line.to_owned()));
        }
        assert_eq!(next(), Answer::End);
    }

    #[test]
    fn lines_have_a_limit() {
        assert!(read_line(io::BufReader::new(io::repeat(b'a'))).is_err());
        assert!(read_line(&b"\xff\n"[..]).is_err());
    }
}
