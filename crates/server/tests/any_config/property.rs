//! Whatever a configuration file says: it is understood or refused, and what is understood means the same when it is printed.

use std::fs;

use server::Config;
use tempfile::NamedTempFile;

/// An input is the text of a configuration file.
pub(crate) fn config(input: &[u8]) {
    let file = NamedTempFile::new().expect("a file");
    fs::write(file.path(), input).expect("room");
    let config = match Config::read(file.path()) {
        Ok(config) => config,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    let aliases = config.check_aliases().map_err(|error| error.to_string());
    let printed = without_tokens(&config);
    fs::write(file.path(), &printed).expect("room");
    let again = Config::read(file.path()).unwrap_or_else(|error| panic!("{error}: {printed}"));
    assert_eq!(without_tokens(&again), printed);
    assert_eq!(again.check_aliases().map_err(|error| error.to_string()), aliases, "{printed}");
}

/// The configuration as it is printed. Its tokens are not: how many there are stands in their place, which is no list.
fn without_tokens(config: &Config) -> String {
    let printed = config.resolved().expect("what was read can be printed");
    let lines = printed.lines().filter(|line| !line.starts_with("tokens = "));
    lines.map(|line| format!("{line}\n")).collect()
}
