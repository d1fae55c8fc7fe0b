//! A password that the user gives: in a file, on standard input, or typed on the terminal without being shown.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::Path;

use anyhow::{Context, bail};
use client::CREDENTIALS_OCTETS_MAX;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use crate::exit::{Exit, Failure};
use crate::terminal::harmless;

/// The password: the first line of `file`, in which `-` stands for standard input, or what is typed on the terminal.
pub(crate) fn ask(file: Option<&Path>, whose: &str) -> anyhow::Result<String> {
    let password = match file {
        Some(path) if path == Path::new("-") => first_line(io::stdin().lock(), "standard input")?,
        Some(path) => {
            let name = path.display().to_string();
            let file = File::open(path).with_context(|| Failure::new(Exit::Data, format!("cannot read {name}")))?;
            first_line(BufReader::new(file), &name)?
        }
        None if io::stdin().is_terminal() => typed(whose)?,
        None => bail!(Failure::new(
            Exit::Config,
            format!("the password of {whose} is not known: give it with --password-file FILE, or - for standard input"),
        )),
    };
    if password.is_empty() {
        bail!(Failure::new(Exit::Data, "the password is empty"));
    }
    Ok(password)
}

fn first_line(input: impl BufRead, name: &str) -> anyhow::Result<String> {
    let mut line = Vec::new();
    // A line that is longer than this is refused by the login.
    let read = input.take(CREDENTIALS_OCTETS_MAX as u64 + 2).read_until(b'\n', &mut line);
    read.with_context(|| Failure::new(Exit::Data, format!("cannot read {name}")))?;
    let not_text = |_| Failure::new(Exit::Data, format!("the password in {name} is not UTF-8"));
    Ok(String::from_utf8(line).map_err(not_text)?.trim_end_matches(['\r', '\n']).to_owned())
}

/// Standard input is the terminal; `/dev/tty` may be another one, or none. Nothing is shown from the prompt on, so that what
/// is typed fast isn't either.
fn typed(whose: &str) -> anyhow::Result<String> {
    let typed = Hidden::begin().and_then(|_shown_again_when_dropped| {
        write!(io::stderr(), "Password of {}: ", harmless(whose))?;
        let config = rpassword::ConfigBuilder::new().input_reader(Keys).output_discard().build();
        let typed = rpassword::read_password_with_config(config);
        writeln!(io::stderr())?;
        typed
    });
    typed.context(Failure::new(Exit::Config, "no password was typed"))
}

/// A terminal that shows nothing and gives every key as it comes.
struct Hidden {
    before: Termios,
}

impl Hidden {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes -= LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
        hidden.special_codes[SpecialCodeIndex::VMIN] = 1;
        hidden.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Now, &hidden)?;
        Ok(Self { before })
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // If the terminal is gone, there is nothing to put right.
        tcsetattr(io::stdin(), OptionalActions::Now, &self.before).ok();
    }
}

/// What is typed. Ctrl-C is an error here: as a signal it would leave the terminal as it is.
struct Keys;

impl Read for Keys {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        const CTRL_C: u8 = 3;
        let octets = io::stdin().read(buffer)?;
        if buffer[..octets].contains(&CTRL_C) { Err(io::Error::other("interrupted")) } else { Ok(octets) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_the_password() {
        for (text, password) in [("secret", "secret"), ("secret\n", "secret"), ("a b \r\nmore", "a b "), ("\n", "")] {
            assert_eq!(first_line(text.as_bytes(), "x").unwrap(), password);
        }
        assert!(first_line(&b"caf\xe9\n"[..], "x").is_err());
    }

    #[test]
    fn an_endless_line_is_not_read_to_its_end() {
        let line = first_line(BufReader::new(io::repeat(b'x')), "x").unwrap();
        assert!(line.len() > CREDENTIALS_OCTETS_MAX && line.len() < 2 * CREDENTIALS_OCTETS_MAX);
    }
}
