//! The server's log on standard error, a line for each event.
//!
//! What peers are called stands in it, and an address may hold characters that some programs take for a line's end, or that turn
//! the text around them. They are written as `\u202e`, which is also how JSON has them.

use std::io::{self, IsTerminal, Write};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::output::write_escaped;
use crate::terminal::is_harmful;

/// How logs are written.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// Begins to log what `RUST_LOG` asks for.
pub(crate) fn log_to_standard_error(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Escaped(io::stderr()));
    match format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).with_target(false).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}

/// Passes whole lines on. Escape sequences for colours are the log's own: those of others do not come so far.
struct Escaped<W>(W);

impl<W: Write> Write for Escaped<W> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let is_escaped = |c: char| matches!(c, '\u{2028}' | '\u{2029}') || (is_harmful(c) && c != '\x1b');
        let mut escaped = Vec::with_capacity(line.len());
        write_escaped(&mut escaped, &String::from_utf8_lossy(line), is_escaped)?;
        self.0.write_all(&escaped)?;
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_line_or_turns_it_around() {
        let mut log = Vec::new();
        writeln!(Escaped(&mut log), "\x1b[32m INFO\x1b[0m from=a\u{2028}b\u{202e}c\u{85}d\re=ü").unwrap();
        let line = "\x1b[32m INFO\x1b[0m from=a\\u2028b\\u202ec\\u0085d\\u000de=ü\n";
        assert_eq!(String::from_utf8(log).unwrap(), line);
    }
}
