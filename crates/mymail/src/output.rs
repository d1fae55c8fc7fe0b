//! What the user sees: results on standard output, as text or as JSON, and everything else on standard error.
//!
//! Colour is for terminals that want it (`NO_COLOR`). Text that may come from a peer is made harmless.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};

use anstyle::{AnsiColor, Style};
use anyhow::Context;
use client::Line;
use rustix::fs::{OFlags, fcntl_getfl};
use rustix::io::Errno;
use serde::Serialize;

use crate::exit::{self, Exit, Failure};
use crate::terminal::{harmless, is_harmful};

/// Results on standard output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Results {
    json: bool,
}

impl Results {
    /// As JSON, one object per line, or as text.
    pub(crate) fn new(json: bool) -> Self {
        Self { json }
    }

    /// Prints one result in the form that the user wants.
    pub(crate) fn print(self, text: &str, json: &impl Serialize) -> anyhow::Result<()> {
        let mut line = Vec::new();
        let written = if self.json { write_json(&mut line, json) } else { writeln!(line, "{}", harmless(text)) };
        written.and_then(|()| stdout()?.write_all(&line)).context(cant_print())
    }
}

/// Standard output for results. Unlike [`io::stdout`] it does not say that all is well when nothing can be written.
pub(crate) fn stdout() -> io::Result<File> {
    Ok(File::from(io::stdout().as_fd().try_clone_to_owned()?))
}

/// Standard output for mail, which is flushed from the server once it is printed, and for secrets, which are shown only once:
/// also not where nobody reads it.
pub(crate) fn stdout_for_mail() -> io::Result<File> {
    let stdout = stdout()?;
    if stands_in_for_closed(&stdout)? {
        return Err(io::Error::other("it is closed, or it is /dev/null open for reading too"));
    }
    Ok(stdout)
}

/// Whether the program began without a standard output. Rust opens `/dev/null` in its place then, for reading and writing;
/// a shell that is told to write there opens it for writing alone.
fn stands_in_for_closed(stdout: &File) -> io::Result<bool> {
    let is_null = |device: u64| fs::metadata("/dev/null").is_ok_and(|null| null.rdev() == device);
    let file = stdout.metadata()?;
    let reads_and_writes = fcntl_getfl(stdout)? & OFlags::RWMODE == OFlags::RDWR;
    Ok(reads_and_writes && file.file_type().is_char_device() && is_null(file.rdev()))
}

/// Why a result could not be printed.
pub(crate) fn cant_print() -> Failure {
    Failure::new(Exit::CantCreate, "cannot write to standard output")
}

/// Makes what was printed durable, if standard output is a file. A pipe or a terminal has no such thing.
pub(crate) fn sync_stdout() -> io::Result<()> {
    match rustix::fs::fsync(io::stdout()) {
        Err(Errno::INVAL | Errno::NOTSUP | Errno::ROFS) => Ok(()),
        synced => Ok(synced?),
    }
}

/// Writes a value as one line of JSON, with escapes for what a terminal would obey.
pub(crate) fn write_json(output: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    let mut output = BufWriter::new(output);
    serde_json::to_writer(Escaped { inner: &mut output, is_escaped: is_harmful }, value)?;
    output.write_all(b"\n")?;
    output.flush()
}

/// Passes text on with escapes for some of its characters, as JSON has them. No character may come in two pieces.
#[derive(Debug)]
pub(crate) struct Escaped<W> {
    pub(crate) inner: W,
    pub(crate) is_escaped: fn(char) -> bool,
}

impl<W: Write> Write for Escaped<W> {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(octets);
        for piece in text.split_inclusive(self.is_escaped) {
            match piece.chars().next_back().filter(|&c| (self.is_escaped)(c)) {
                Some(c) => write!(self.inner, "{}\\u{:04x}", &piece[..piece.len() - c.len_utf8()], u32::from(c))?,
                None => self.inner.write_all(piece.as_bytes())?,
            }
        }
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// So many things, in words.
pub(crate) fn count_of(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

/// Tells the user something that is no result.
pub(crate) fn note(text: &str) {
    say(&harmless(text));
}

/// Tells the user why the command failed, and what to do about it.
pub(crate) fn report(error: &anyhow::Error) {
    let message = sentence(error);
    say(&format!("{BAD}mymail:{BAD:#} {}", harmless(&message)));
    if let Some(advice) = exit::advice(error) {
        say(&harmless(&advice));
    }
}

/// The causes in one line. Some messages hold that of their cause already.
fn sentence(error: &anyhow::Error) -> String {
    let mut sentence = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if sentence.is_empty() {
            sentence = cause;
        } else if !sentence.contains(&cause) {
            sentence = format!("{sentence}: {cause}");
        }
    }
    sentence
}

/// Shows the lines of a dialogue on standard error.
pub(crate) fn show_dialogue(line: Line<'_>) {
    say(&dialogue_line(line));
}

/// A line of a dialogue as it is shown.
pub(crate) fn dialogue_line(line: Line<'_>) -> String {
    let (style, who, text) = match line {
        Line::Sent(text) => (CLIENT, "C:", text),
        Line::Received(text) => (SERVER, "S:", text),
        Line::Note(text) => (NOTE, "*", text),
    };
    format!("{style}{who}{style:#} {}", harmless(text))
}

const CLIENT: Style = AnsiColor::Cyan.on_default().bold();
const SERVER: Style = AnsiColor::Green.on_default().bold();
const NOTE: Style = Style::new().dimmed();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Standard error is the last resort: there is nobody to tell that it can't be written to.
fn say(text: &str) {
    writeln!(anstream::stderr(), "{text}").ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_one_harmless_line() {
        let mut output = Vec::new();
        write_json(&mut output, &serde_json::json!({ "text": "a\n\x1b[1m\u{7f}b\u{9b}\u{202e}c" })).unwrap();
        let line = String::from_utf8(output).unwrap();
        assert_eq!(line, "{\"text\":\"a\\n\\u001b[1m\\u007fb\\u009b\\u202ec\"}\n");
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(value["text"], "a\n\x1b[1m\u{7f}b\u{9b}\u{202e}c");
    }

    #[test]
    fn a_cause_is_told_once() {
        let error =
            anyhow::Error::new(io::Error::other("disk full")).context("cannot write: disk full").context("mbox");
        assert_eq!(sentence(&error), "mbox: cannot write: disk full");
    }

    #[test]
    fn dialogues_are_harmless() {
        assert!(dialogue_line(Line::Received("250 \x1b[2J")).ends_with(" 250 \u{fffd}[2J"));
    }
}
