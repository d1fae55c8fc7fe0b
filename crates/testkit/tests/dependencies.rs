//! Holds what the workspace brings in to `deny.toml`: where it comes from, under which licence, what it must not be, and whose build
//! scripts are listed. `cargo deny check` says the same and knows advisories besides, but takes minutes to be built; this is a
//! test among others. What is looked at is what this computer builds, tests included.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::collections::BTreeSet;
use std::fs;
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;
use toml::{Table, Value};

const CRATES_IO: &str = "registry+https://github.com/rust-lang/crates.io-index";

#[test]
fn all_is_from_crates_io() {
    let stranger = |package: &&Package| !package.is_ours && package.source.as_deref() != Some(CRATES_IO);
    assert_eq!(named(packages().iter().filter(stranger)), [""; 0]);
}

#[test]
fn all_licences_are_among_those_allowed() {
    let allowed = names(&deny_toml(), &["licenses", "allow"]);
    let refused = |package: &&Package| !permits(package.licence.as_deref().unwrap_or_default(), &allowed);
    assert_eq!(named(packages().iter().filter(refused)), [""; 0]);
}

#[test]
fn an_expression_permits_what_its_operators_say() {
    let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned).into();
    for text in
        ["MIT", "GPL-3.0 OR MIT", "GPL-3.0/MIT", "(GPL-3.0 OR MIT) AND ISC", "MIT AND Apache-2.0 WITH LLVM-exception"]
    {
        assert!(permits(text, &allowed), "{text}");
    }
    for text in [
        "",
        "GPL-3.0",
        "Apache-2.0",
        "MIT AND GPL-3.0",
        "(MIT OR ISC) AND GPL-3.0",
        "MIT ISC",
        "(MIT",
        "MIT WITH",
        "OR",
    ] {
        assert!(!permits(text, &allowed), "{text}");
    }
}

#[test]
fn nothing_is_there_that_is_banned() {
    let banned = names(&deny_toml(), &["bans", "deny"]);
    assert!(!banned.is_empty());
    assert_eq!(named(packages().iter().filter(|package| banned.contains(&package.name))), [""; 0]);
}

/// Both ways: a script that nobody has looked at, and a name that stands there for nothing.
#[test]
fn all_build_scripts_are_listed() {
    let read = names(&deny_toml(), &["bans", "build", "allow-build-scripts"]);
    let built: BTreeSet<_> = packages().into_iter().filter(|it| it.has_build_script).map(|it| it.name).collect();
    assert_eq!(built.symmetric_difference(&read).collect::<Vec<_>>(), [""; 0]);
}

#[test]
fn no_crate_of_ours_leaves_the_lints_that_forbid_unsafe() {
    let root = toml(&root().join("Cargo.toml"));
    assert_eq!(at(&root, &["workspace", "lints", "rust", "unsafe_code"]).as_str(), Some("forbid"));
    for package in packages().into_iter().filter(|package| package.is_ours) {
        let lints = at(&toml(&package.manifest), &["lints", "workspace"]);
        assert_eq!(lints.as_bool(), Some(true), "{}", package.name);
        assert!(!package.has_build_script, "{}", package.name);
    }
}

struct Package {
    name: String,
    licence: Option<String>,
    /// `None` for one that is a folder.
    source: Option<String>,
    manifest: PathBuf,
    has_build_script: bool,
    is_ours: bool,
}

impl Package {
    fn read(package: &Json, members: &[Json]) -> Self {
        let text = |key: &str| package[key].as_str().map(str::to_owned);
        let kinds = package["targets"].as_array().unwrap().iter().flat_map(|target| target["kind"].as_array().unwrap());
        Self {
            name: text("name").unwrap(),
            licence: text("license"),
            source: text("source"),
            manifest: text("manifest_path").unwrap().into(),
            has_build_script: kinds.into_iter().any(|kind| kind == "custom-build"),
            is_ours: members.contains(&package["id"]),
        }
    }
}

fn packages() -> Vec<Package> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked", "--offline", "--filter-platform=host-tuple"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Json = serde_json::from_slice(&output.stdout).unwrap();
    let members = metadata["workspace_members"].as_array().unwrap();
    metadata["packages"].as_array().unwrap().iter().map(|package| Package::read(package, members)).collect()
}

fn named<'p>(packages: impl Iterator<Item = &'p Package>) -> Vec<String> {
    packages.map(|it| format!("{} {:?} {:?}", it.name, it.licence, it.source)).collect()
}

/// Whether one may use what is under this SPDX expression when one may use these licences. `/` is how `OR` was written once.
fn permits(expression: &str, allowed: &BTreeSet<String>) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    any_of(&mut words, allowed) == Some(true) && words.next().is_none()
}

/// Terms between which `OR` stands; `None` is no expression.
fn any_of<'w>(words: &mut Peekable<impl Iterator<Item = &'w str>>, allowed: &BTreeSet<String>) -> Option<bool> {
    let mut permitted = all_of(words, allowed)?;
    while words.next_if_eq(&"OR").is_some() {
        permitted |= all_of(words, allowed)?;
    }
    Some(permitted)
}

fn all_of<'w>(words: &mut Peekable<impl Iterator<Item = &'w str>>, allowed: &BTreeSet<String>) -> Option<bool> {
    let mut permitted = licence(words, allowed)?;
    while words.next_if_eq(&"AND").is_some() {
        permitted &= licence(words, allowed)?;
    }
    Some(permitted)
}

fn licence<'w>(words: &mut Peekable<impl Iterator<Item = &'w str>>, allowed: &BTreeSet<String>) -> Option<bool> {
    let name = words.next()?;
    if name == "(" {
        let permitted = any_of(words, allowed)?;
        return words.next_if_eq(&")").map(|_| permitted);
    }
    match words.next_if_eq(&"WITH") {
        Some(_) => Some(allowed.contains(&format!("{name} WITH {}", words.next()?))),
        None => Some(allowed.contains(name)),
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

fn toml(path: &Path) -> Table {
    fs::read_to_string(path).unwrap().parse().unwrap()
}

fn deny_toml() -> Table {
    toml(&root().join("deny.toml"))
}

fn at(table: &Table, keys: &[&str]) -> Value {
    let (last, tables) = keys.split_last().unwrap();
    let table = tables.iter().fold(table, |table, key| table[*key].as_table().unwrap());
    table[*last].clone()
}

/// The crates or licences of a list, with or without more about each.
fn names(table: &Table, keys: &[&str]) -> BTreeSet<String> {
    let name = |entry: &Value| entry.get("crate").unwrap_or(entry).as_str().unwrap().to_owned();
    at(table, keys).as_array().unwrap().iter().map(name).collect()
}
