//! Where a user's files are (XDG Base Directory Specification).

use std::env;
use std::path::PathBuf;

/// The folder for this program's files of one kind: `mymail` in the folder that `variable` names, `XDG_CONFIG_HOME` for one,
/// or in `under_home`, `.config`, of the user's home. `None` when the environment says neither.
pub fn user_folder(variable: &str, under_home: &str) -> Option<PathBuf> {
    let named = |variable| env::var_os(variable).map(PathBuf::from);
    folder(named(variable), named("HOME"), under_home)
}

/// A path that is not absolute counts as not set, says the specification.
fn folder(named: Option<PathBuf>, home: Option<PathBuf>, under_home: &str) -> Option<PathBuf> {
    let absolute = |path: Option<PathBuf>| path.filter(|path| path.is_absolute());
    let folder = absolute(named).or_else(|| Some(absolute(home)?.join(under_home)))?;
    Some(folder.join("mymail"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_where_the_user_keeps_such_files() {
        let found =
            |xdg: Option<&str>, home: Option<&str>| folder(xdg.map(PathBuf::from), home.map(PathBuf::from), ".config");
        assert_eq!(found(Some("/x"), Some("/home/a")), Some("/x/mymail".into()));
        assert_eq!(found(None, Some("/home/a")), Some("/home/a/.config/mymail".into()));
        assert_eq!(found(Some(""), Some("/home/a")), Some("/home/a/.config/mymail".into()));
        assert_eq!(found(Some("x"), Some("home")), None);
        assert_eq!(found(None, None), None);
    }
}
