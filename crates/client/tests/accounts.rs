//! The accounts file on a real disk.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;

use client::{Accounts, FileError, StoredAccount};

const PASSWORD: &str = "vqk4-7t2m-p3xa-c9rd";

fn account(address: &str) -> StoredAccount {
    StoredAccount::new(address.parse().unwrap(), "mail.example".parse().unwrap(), PASSWORD.into())
}

fn file_in(folder: &Path) -> PathBuf {
    folder.join("mymail").join("accounts.toml")
}

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().mode() & 0o777
}

/// A file that somebody wrote by hand.
fn written(folder: &Path, text: &str) -> PathBuf {
    let path = folder.join("accounts.toml");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

#[test]
fn what_is_stored_is_loaded_and_nobody_else_may_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = file_in(folder.path());
    assert_eq!(Accounts::load(&path).unwrap().list(), []);
    let stored = [account("9@mymailserver"), account("\"a b\"@mymailserver")];
    for account in stored.clone() {
        Accounts::update(&path, |accounts| accounts.add(account)).unwrap();
    }
    assert_eq!(Accounts::load(&path).unwrap().list(), stored);
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    let files = path.parent().unwrap().read_dir().unwrap().map(|entry| mode(&entry.unwrap().path()));
    assert!(files.into_iter().all(|mode| mode == 0o600));
}

#[test]
fn the_file_is_fit_to_be_read_by_its_owner() {
    let folder = tempfile::tempdir().unwrap();
    let path = file_in(folder.path());
    Accounts::update(&path, |accounts| accounts.add(account("9@mymailserver"))).unwrap();
    assert_eq!(
        fs::read_to_string(&path).unwrap(),
        format!(
            "[[account]]\naddress = \"9@mymailserver\"\nserver = \"mail.example:2525\"\npassword = \"{PASSWORD}\"\n"
        )
    );
}

#[test]
fn an_account_says_where_to_retrieve_and_who_logs_in_if_that_is_not_plain() {
    let folder = tempfile::tempdir().unwrap();
    let path = file_in(folder.path());
    let plain = account("9@mymailserver");
    assert_eq!(plain.user(), "9@mymailserver");
    let stored = StoredAccount {
        server: "smtps://mail.example".parse().unwrap(),
        pop3: Some("pop3s://mail.example".parse().unwrap()),
        user: Some("alice".into()),
        ..account("alice@mail.example")
    };
    assert_eq!(stored.user(), "alice");
    Accounts::update(&path, |accounts| accounts.add(stored.clone())).unwrap();
    assert_eq!(Accounts::load(&path).unwrap().list(), [stored]);
    let text = fs::read_to_string(&path).unwrap();
    let end = "server = \"smtps://mail.example:465\"\npassword = \"vqk4-7t2m-p3xa-c9rd\"\n\
               pop3 = \"pop3s://mail.example:995\"\nuser = \"alice\"\n";
    assert!(text.ends_with(end), "{text}");
}

#[test]
fn a_file_that_others_may_read_is_refused_with_the_cure() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), "");
    for mode in [0o640, 0o604, 0o620, 0o601] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let error = Accounts::load(&path).unwrap_err();
        assert!(matches!(error, FileError::Exposed { .. }), "{error}");
        assert!(error.to_string().ends_with(&format!("run: chmod 600 '{}'", path.display())), "{error}");
        assert!(Accounts::update(&path, |accounts| accounts.add(account("9@m"))).is_err());
    }
}

#[test]
fn mistakes_are_named_by_line_and_passwords_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let head = "[[account]]\naddress = \"9@m\"\nserver = \"mail.example\"\n";
    for (text, line, message) in [
        (format!("{head}password = {PASSWORD}\n"), 4, "string"),
        (format!("{head}password = 123456\n"), 4, "a password must be a text in quotes"),
        (format!("{head}password = [\"{PASSWORD}\"]\n"), 4, "a password must be a text in quotes"),
        (format!("{head}password = \"{PASSWORD}\npin = 1\n"), 4, "string"),
        (format!("{head}pasword = \"{PASSWORD}\"\n"), 4, "unknown field `pasword`"),
        (format!("{head}password = \"{PASSWORD}\"\npassword = \"{PASSWORD}\"\n"), 5, "duplicate key"),
        (
            format!("[[account]]\naddress = \"9\"\nserver = \"a\"\npassword = \"{PASSWORD}\"\n"),
            2,
            "Address has no domain",
        ),
        (format!("[[account]]\naddress = \"9@m\"\nserver = \"a:b\"\npassword = \"{PASSWORD}\"\n"), 3, "not a server"),
        (head.to_owned(), 1, "missing field `password`"),
        ("default = 1\n".to_owned(), 1, "unknown field `default`"),
    ] {
        let error = Accounts::load(&written(folder.path(), &text)).unwrap_err();
        assert!(matches!(error, FileError::Malformed { line: found, .. } if found == line), "{error}");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains(message), "{shown}");
        assert!(!shown.contains("vqk4") && !shown.contains("123456"), "{shown}");
    }
}

#[test]
fn a_file_too_long_to_be_one_is_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = written(folder.path(), &"#".repeat(client::ACCOUNTS_OCTETS_MAX as usize + 1));
    assert!(matches!(Accounts::load(&path), Err(FileError::TooLong { .. })));
}

#[test]
fn a_change_that_makes_the_file_too_long_is_refused_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = file_in(folder.path());
    let large = |n: usize| StoredAccount { password: "x".repeat(1 << 19), ..account(&format!("{n}@m")) };
    Accounts::update(&path, |accounts| accounts.add(large(1))).unwrap();
    let refused = Accounts::update(&path, |accounts| accounts.add(large(2)));
    assert!(matches!(refused, Err(FileError::TooLong { .. })), "{refused:?}");
    assert_eq!(Accounts::load(&path).unwrap().list(), [large(1)]);
}

#[test]
fn a_file_behind_a_symbolic_link_is_changed_where_it_is() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let file = written(elsewhere.path(), "");
    let link = folder.path().join("accounts.toml");
    symlink(&file, &link).unwrap();
    Accounts::update(&link, |accounts| accounts.add(account("9@m"))).unwrap();
    assert!(link.is_symlink());
    assert_eq!(Accounts::load(&file).unwrap().list(), [account("9@m")]);

    fs::remove_file(&file).unwrap();
    let error = Accounts::update(&link, |accounts| accounts.add(account("9@m"))).unwrap_err();
    assert!(error.to_string().starts_with("cannot find ") && link.is_symlink(), "{error}");
}

#[test]
fn no_change_of_many_at_once_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let path = file_in(folder.path());
    thread::scope(|scope| {
        for writer in 0..8 {
            let path = &path;
            scope.spawn(move || {
                for n in 0..10 {
                    Accounts::update(path, |accounts| accounts.add(account(&format!("{writer}-{n}@m")))).unwrap();
                    assert!(Accounts::load(path).unwrap().called(&format!("{writer}-{n}")).next().is_some());
                }
            });
        }
    });
    assert_eq!(Accounts::load(&path).unwrap().list().len(), 80);
}

#[test]
fn a_change_that_changes_nothing_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = file_in(folder.path());
    assert!(!Accounts::update(&path, |accounts| accounts.remove(&account("9@m"))).unwrap());
    assert!(!path.exists());
}

#[test]
fn what_a_crash_left_behind_is_no_hindrance_and_no_leak() {
    let folder = tempfile::tempdir().unwrap();
    let path = file_in(folder.path());
    fs::create_dir(path.parent().unwrap()).unwrap();
    let left = path.with_extension("new");
    fs::write(&left, "half a fi").unwrap();
    fs::set_permissions(&left, fs::Permissions::from_mode(0o644)).unwrap();
    Accounts::update(&path, |accounts| accounts.add(account("9@m"))).unwrap();
    assert_eq!(mode(&path), 0o600);
    assert!(!left.exists());
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let blocked = written(folder.path(), "").join("mymail").join("accounts.toml");
    let error = Accounts::update(&blocked, |_| ()).unwrap_err();
    assert!(
        error.to_string().starts_with(&format!("cannot create {}", blocked.parent().unwrap().display())),
        "{error}"
    );
}
