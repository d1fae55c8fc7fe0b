//! Writing a mail in the user's editor.

use std::env;
use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use tempfile::NamedTempFile;
use tokio::signal::unix::{SignalKind, signal};

use crate::exit::{Exit, Failure};
use crate::interrupt::ignore_keys;
use crate::output::note;

/// A text that the user has written, in a file that goes unless it is kept.
#[derive(Debug)]
pub(crate) struct Draft {
    file: NamedTempFile,
    text: String,
}

impl Draft {
    /// Lets the user write a text, and has `read` take it from the file. A text that can't be taken is kept.
    pub(crate) async fn write(read: impl FnOnce(File) -> anyhow::Result<String>) -> anyhow::Result<Self> {
        let file = tempfile::Builder::new()
            .prefix("mymail-")
            .suffix(".txt")
            .tempfile()
            .context(Failure::new(Exit::CantCreate, "cannot make a file for the editor"))?;
        match edit(file.path()).await.and_then(|()| read(open(file.path())?)) {
            Ok(text) if text.trim().is_empty() => {
                bail!(Failure::new(Exit::Data, "the text is empty, so nothing was sent"))
            }
            Ok(text) => Ok(Self { file, text }),
            Err(error) => {
                if fs::metadata(file.path()).is_ok_and(|written| written.len() > 0) {
                    keep(file);
                }
                Err(error)
            }
        }
    }

    /// What the user wrote.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Keeps the file, for a user whose mail could not be sent, and says where it is.
    pub(crate) fn keep(self) {
        keep(self.file);
    }
}

async fn edit(path: &Path) -> anyhow::Result<()> {
    let editor = editor();
    let cannot_run = || Failure::new(Exit::Config, format!("cannot run the editor {editor}"));
    // Ctrl-C is the editor's while it runs. It doesn't inherit this: a new program begins with the default.
    let _ignored = ignore_keys().with_context(cannot_run)?;
    let mut ended = signal(SignalKind::child()).with_context(cannot_run)?;
    // The variables hold a command line, `code --wait` for one: a shell takes it apart.
    let mut command = Command::new("sh");
    command.arg("-c").arg(format!("{editor} \"$@\"")).arg(&editor).arg(path);
    let status = command.status().with_context(cannot_run)?;
    // The runtime tells of signals some time after they came. Once it has told of the editor's end, it has told of the keys
    // that were pressed before, too: whoever listens from now on hears only later ones.
    ended.recv().await;
    if !status.success() {
        bail!(Failure::new(Exit::Data, format!("the editor {editor} failed, so nothing was sent")));
    }
    Ok(())
}

/// By its name: many editors write a new file.
fn open(path: &Path) -> anyhow::Result<File> {
    File::open(path).context(Failure::new(Exit::Data, "cannot read what the editor wrote"))
}

fn keep(file: NamedTempFile) {
    match file.keep() {
        Ok((_, path)) => note(&format!("your text is kept in {}", path.display())),
        Err(error) => note(&format!("your text could not be kept: {error}")),
    }
}

fn editor() -> String {
    let chosen = |name| env::var(name).ok().filter(|command| !command.trim().is_empty());
    chosen("VISUAL").or_else(|| chosen("EDITOR")).unwrap_or_else(|| "vi".to_owned())
}
