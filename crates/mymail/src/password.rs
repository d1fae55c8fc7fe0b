//! A password that the user gives: in a file, on standard input, or typed on the terminal without being shown.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::Path;

use anyhow::{Context, bail};
use client::CREDENTIALS_OCTETS_MAX;
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use crate::exit::{Exit, Failure};
use crate::terminal::harmless;

const STANDARD_INPUT: &str = "standard input";
const NOT_TYPED: &str = "no password was typed";

/// The password: the first line of `file`, in which `-` stands for standard input, or what is typed on the terminal.
pub(crate) fn ask(file: Option<&Path>, whose: &str) -> anyhow::Result<String> {
    let password = match file {
        Some(path) if path == Path::new("-") => first_line(io::stdin().lock(), STANDARD_INPUT)?,
        Some(path) => {
            let name = path.display().to_string();
            let file = File::open(path).with_context(|| Failure::new(Exit::Data, format!("cannot read {name}")))?;
            first_line(BufReader::new(file), &name)?
        }
        None if io::stdin().is_terminal() => {
            let typed = Hidden::begin().and_then(|_shown_again_when_dropped| typed(&format!("Password of {whose}")));
            typed.context(Failure::new(Exit::Config, NOT_TYPED))?
        }
        None => bail!(Failure::new(
            Exit::Config,
            format!("the password of {whose} is not known: give it with --password-file FILE, or - for standard input"),
        )),
    };
    not_empty(password)
}

/// A password that somebody gets: the first line of standard input or, if that is the terminal, what is typed there twice, as a
/// slip can't be seen.
pub(crate) fn ask_for_new(whose: &str) -> anyhow::Result<String> {
    if !io::stdin().is_terminal() {
        return not_empty(first_line(io::stdin().lock(), STANDARD_INPUT)?);
    }
    let twice = Hidden::begin().and_then(|_shown_again_when_dropped| {
        Ok((typed(&format!("New password of {whose}"))?, typed("The same again")?))
    });
    let (password, again) = twice.context(Failure::new(Exit::NoPermission, NOT_TYPED))?;
    if password != again {
        bail!(Failure::new(Exit::Data, "that was not the same twice: nothing was changed"));
    }
    not_empty(password)
}

fn not_empty(password: String) -> anyhow::Result<String> {
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

/// Standard input is the terminal, and [`Hidden`]; `/dev/tty` may be another one, or none.
fn typed(question: &str) -> io::Result<String> {
    write!(io::stderr(), "{}: ", harmless(question))?;
    let config = rpassword::ConfigBuilder::new().input_reader(Keys).output_discard().build();
    let typed = rpassword::read_password_with_config(config);
    writeln!(io::stderr())?;
    typed
}

/// A terminal that shows nothing and gives every key as it comes. It is so from before the prompt on: what is typed fast is not
/// shown either.
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
