//! Which arguments of `mymail send` are recipients, and which is the file with the text.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use client::Address;
use proto::Domain;

use crate::exit::{Exit, Failure};

/// Where the text of a mail comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// Standard input.
    Stdin,
    /// A file.
    File(PathBuf),
}

/// Parts `TO… [BODY-FILE or -]`: the last argument may be `-` or an existing file. With an `@` it is a recipient, unless a
/// `/` shows that a path is meant.
pub(crate) fn split(arguments: &[String]) -> Result<(Vec<Address>, Option<Source>), Failure> {
    let (recipients, source) = match arguments.split_last() {
        Some((last, others)) if last == "-" => (others, Some(Source::Stdin)),
        Some((last, others)) if (last.contains('/') || !last.contains('@')) && Path::new(last).exists() => {
            (others, Some(Source::File(last.into())))
        }
        _ => (arguments, None),
    };
    if recipients.is_empty() {
        return Err(Failure::new(Exit::Usage, "no recipient: `mymail send TO… [BODY-FILE or -]`"));
    }
    Ok((recipients.iter().map(|text| recipient(text)).collect::<Result<_, _>>()?, source))
}

fn recipient(text: &str) -> Result<Address, Failure> {
    if text.contains('@') {
        return address(text);
    }
    let problem = match text {
        "-" => "- stands for the text, so it comes last".to_owned(),
        _ if Path::new(text).exists() => format!("{text} is a file; the one with the text comes last, others need -a"),
        _ => format!("{text} is neither a recipient, who has an @, nor a file"),
    };
    Err(Failure::new(Exit::Usage, problem))
}

/// A recipient as people write it in a session: a name without `@` means one of the same server.
pub(crate) fn local_or_address(text: &str, domain: &Domain) -> Result<Address, Failure> {
    address(&with_domain(text, domain))
}

/// A recipient with its domain, which is this one if it has none.
pub(crate) fn with_domain<'a>(text: &'a str, domain: &Domain) -> Cow<'a, str> {
    if text.contains('@') { text.into() } else { format!("{text}@{domain}").into() }
}

fn address(text: &str) -> Result<Address, Failure> {
    text.parse().map_err(|error| {
        let bare = text.rsplit_once('<').and_then(|(_, rest)| rest.strip_suffix('>'));
        let problem = match bare.filter(|bare| bare.parse::<Address>().is_ok()) {
            Some(bare) => format!("{text} is more than an address: write only {bare}"),
            None if text.contains(',') => format!("{text} is no address: recipients are parted by spaces"),
            None => format!("{text} is no address: {error}"),
        };
        Failure::new(Exit::Usage, problem)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parted(arguments: &[&str]) -> Result<(Vec<String>, Option<Source>), String> {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        let (recipients, source) = split(&arguments).map_err(|failure| failure.to_string())?;
        Ok((recipients.iter().map(ToString::to_string).collect(), source))
    }

    #[test]
    fn the_last_argument_may_be_the_text() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = file.path().to_str().unwrap();
        let (a, b) = ("9@mymailserver", "alice@mymailserver");
        let both = vec![a.to_owned(), b.to_owned()];
        assert_eq!(parted(&[a, b]), Ok((both.clone(), None)));
        assert_eq!(parted(&[a, b, "-"]), Ok((both.clone(), Some(Source::Stdin))));
        assert_eq!(parted(&[a, b, path]), Ok((both, Some(Source::File(path.into())))));
        assert!(parted(&[path, a]).unwrap_err().contains("comes last"));
        assert!(parted(&["-", a]).unwrap_err().contains("comes last"));
    }

    #[test]
    fn a_path_may_have_an_at() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a@b.txt");
        let text = path.to_str().unwrap();
        assert_eq!(parted(&["9@mymailserver", text]).unwrap().1, None, "there is no such file yet");
        std::fs::write(&path, "Hello").unwrap();
        assert_eq!(parted(&["9@mymailserver", text]).unwrap().1, Some(Source::File(text.into())));
    }

    #[test]
    fn only_the_address_is_wanted() {
        for text in ["<bob@x>", "Bob <bob@x>"] {
            assert!(parted(&[text]).unwrap_err().ends_with("write only bob@x"), "{text}");
        }
        assert!(parted(&["<bob@>"]).unwrap_err().contains("no address"));
    }

    #[test]
    fn what_is_neither_is_told() {
        assert!(parted(&["9@mymailserver", "no-such-file.txt"]).unwrap_err().contains("nor a file"));
        assert!(parted(&["9@-bad-"]).unwrap_err().contains("no address"));
        assert!(parted(&["-"]).unwrap_err().contains("no recipient"));
    }

    #[test]
    fn names_in_a_session_are_of_its_server() {
        let domain = "mymailserver".parse().unwrap();
        assert_eq!(local_or_address("10", &domain).unwrap().to_string(), "10@mymailserver");
        assert_eq!(local_or_address("a@b", &domain).unwrap().to_string(), "a@b");
    }
}
