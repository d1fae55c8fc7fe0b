//! The server's log on standard error, a line for each event.
//!
//! What peers are called stands in it, and an address may hold characters that some programs take for a line's end, or that turn
//! the text around them. They are written as `\u202e`, which is also how JSON has them.

use std::io::{self, IsTerminal, LineWriter, Write};

use clap::ValueEnum;
use tracing_subscriber::EnvFilter;

use crate::output::Escaped;
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
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| escaped(io::stderr()));
    match format {
        LogFormat::Text => builder.with_ansi(io::stderr().is_terminal()).with_target(false).init(),
        LogFormat::Json => builder.json().flatten_event(true).init(),
    }
}

/// Passes whole lines on. Escape sequences for colours are the log's own: those of others do not come so far.
fn escaped<W: Write>(inner: W) -> Escaped<LineWriter<W>> {
    let is_escaped = |c: char| matches!(c, '\u{2028}' | '\u{2029}') || (is_harmful(c) && c != '\x1b');
    Escaped { inner: LineWriter::new(inner), is_escaped }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_line_or_turns_it_around() {
        let mut log = Vec::new();
        escaped(&mut log).write_all("\x1b[32m INFO\x1b[0m from=a\u{2028}b\u{202e}c\u{85}d\re=ü\n".as_bytes()).unwrap();
        let line = "\x1b[32m INFO\x1b[0m from=a\\u2028b\\u202ec\\u0085d\\u000de=ü\n";
        assert_eq!(String::from_utf8(log).unwrap(), line);
    }
}
