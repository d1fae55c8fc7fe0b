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
    let printed = config.resolved().expect("what was read can be printed");
    fs::write(file.path(), &printed).expect("room");
    let again = Config::read(file.path()).unwrap_or_else(|error| panic!("{error}: {printed}"));
    assert_eq!(again.resolved().expect("what was read can be printed"), printed);
    assert_eq!(again.check_aliases().map_err(|error| error.to_string()), aliases, "{printed}");
}
