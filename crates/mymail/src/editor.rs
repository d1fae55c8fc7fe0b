//! Writing a mail in the user's editor.

use std::env;
use std::process::Command;

use anyhow::{Context, bail};
use tempfile::NamedTempFile;

use crate::exit::{Exit, Failure};
use crate::output::note;

/// A text that the user has written, in a file that goes unless it is kept.
#[derive(Debug)]
pub(crate) struct Draft {
    file: NamedTempFile,
    text: String,
}

impl Draft {
    /// Lets the user write a text.
    pub(crate) fn write() -> anyhow::Result<Self> {
        let file = tempfile::Builder::new()
            .prefix("mymail-")
            .suffix(".txt")
            .tempfile()
            .context(Failure::new(Exit::CantCreate, "cannot make a file for the editor"))?;
        let editor = editor();
        // The variables hold a command line, `code --wait` for one: a shell takes it apart.
        let status = Command::new("sh")
            .arg("-c")
            .arg(format!("{editor} \"$@\""))
            .arg(&editor)
            .arg(file.path())
            .status()
            .context(Failure::new(Exit::Config, format!("cannot run the editor {editor}")))?;
        if !status.success() {
            bail!(Failure::new(Exit::Data, format!("the editor {editor} failed, so nothing was sent")));
        }
        // By its name: many editors write a new file.
        let text = std::fs::read_to_string(file.path())
            .context(Failure::new(Exit::Data, "cannot read what the editor wrote"))?;
        if text.trim().is_empty() {
            bail!(Failure::new(Exit::Data, "the text is empty, so nothing was sent"));
        }
        Ok(Self { file, text })
    }

    /// What the user wrote.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Keeps the file, for a user whose mail could not be sent, and says where it is.
    pub(crate) fn keep(self) {
        match self.file.keep() {
            Ok((_, path)) => note(&format!("your text is kept in {}", path.display())),
            Err(error) => note(&format!("your text could not be kept: {error}")),
        }
    }
}

fn editor() -> String {
    let chosen = |name| env::var(name).ok().filter(|command| !command.trim().is_empty());
    chosen("VISUAL").or_else(|| chosen("EDITOR")).unwrap_or_else(|| "vi".to_owned())
}
