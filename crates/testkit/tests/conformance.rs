//! Holds `docs/conformance.md` and `SECURITY.md` to the tests: every file that they name exists, every test is one, and no dialogue
//! made for a requirement is missing in the first.
#![allow(clippy::panic, clippy::unwrap_used, reason = "a test that can't go on must fail")]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

const CONFORMANCE: &str = "docs/conformance.md";
const SECURITY: &str = "SECURITY.md";
/// Where the folders of dialogues are that the page calls by their own name.
const DIALOGUES: &str = "crates/proto/tests";
/// How the dialogues begin that are there for a requirement's sake.
const MADE_FOR_REQUIREMENTS: [&str; 2] = ["must_", "rfc"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

fn page(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// A file that is named, by its path from the root, and a test in it.
type Citation<'p> = (String, Option<&'p str>);

/// What stands in backticks and is a file or a test.
fn citations(page: &str) -> BTreeSet<Citation<'_>> {
    let quoted = page.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    quoted.filter_map(citation).collect()
}

fn citation(quoted: &str) -> Option<Citation<'_>> {
    let (path, test) = match quoted.split_once("::") {
        Some((path, test)) => (path, Some(test)),
        None => (quoted, None),
    };
    if test.is_none() && ![".rs", ".txt", ".md"].iter().any(|extension| path.ends_with(extension)) {
        return None;
    }
    let is_dialogue = path.split_once('/').is_some_and(|(folder, _)| folder.ends_with("dialogues"));
    Some((if is_dialogue { format!("{DIALOGUES}/{path}") } else { path.to_owned() }, test))
}

/// What a page names that is not there.
fn missing(page: &str) -> Vec<String> {
    let look_up = |(path, test): Citation<'_>| match (fs::read_to_string(root().join(&path)), test) {
        (Err(error), _) => Some(format!("{path}: {error}")),
        (Ok(text), Some(test)) if !has_test(&text, test) => Some(format!("{path}: no test {test}")),
        (Ok(_), _) => None,
    };
    citations(page).into_iter().filter_map(look_up).collect()
}

/// Whether a function of this name stands behind an attribute that makes it a test.
fn has_test(text: &str, name: &str) -> bool {
    let mut is_test = false;
    text.lines().map(str::trim).any(|line| {
        let function = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
        let found = is_test && function.and_then(|it| it.strip_prefix(name)).is_some_and(|it| it.starts_with('('));
        is_test = line == "#[test]" || line.starts_with("#[tokio::test") || (is_test && line.starts_with("#["));
        found
    })
}

/// The dialogues that are there for a requirement's sake.
fn made_for_requirements() -> Vec<Citation<'static>> {
    let files_in = |folder: &str| {
        let folder = format!("{DIALOGUES}/{folder}");
        let names = fs::read_dir(root().join(&folder)).unwrap().map(|entry| entry.unwrap().file_name());
        let names = names.map(|name| name.into_string().unwrap());
        let made = names.filter(|name| MADE_FOR_REQUIREMENTS.iter().any(|begin| name.starts_with(begin)));
        made.map(|name| (format!("{folder}/{name}"), None)).collect::<Vec<_>>()
    };
    ["dialogues", "pop3_dialogues"].into_iter().flat_map(files_in).collect()
}

#[test]
fn all_that_the_pages_name_is_there() {
    for (name, citations_min) in [(CONFORMANCE, 200), (SECURITY, 60)] {
        let page = page(name);
        assert_eq!(missing(&page), Vec::<String>::new(), "{name}");
        let count = citations(&page).len();
        assert!(count > citations_min, "only {count} citations in {name}");
    }
}

/// Each attack, with what shows the answer to it.
#[test]
fn every_attack_has_a_test() {
    let page = page(SECURITY);
    let tables = page.split("| attack | answer | shown by |\n").skip(1);
    let rows = tables.flat_map(|table| table.lines().skip(1).take_while(|line| line.starts_with("| ")));
    let unproved: Vec<&str> = rows.clone().filter(|row| citations(row).is_empty()).collect();
    assert_eq!(unproved, Vec::<&str>::new());
    assert!(rows.count() > 40);
}

#[test]
fn the_page_names_all_that_is_there_for_its_sake() {
    let (page, made) = (page(CONFORMANCE), made_for_requirements());
    let cited = citations(&page);
    assert_eq!(made.iter().filter(|it| !cited.contains(*it)).collect::<Vec<_>>(), Vec::<&Citation<'_>>::new());
    assert!(made.len() > 15, "only {} dialogues", made.len());
}

#[test]
fn every_row_of_the_pages_is_whole() {
    for line in [CONFORMANCE, SECURITY].map(page).iter().flat_map(|page| page.lines()) {
        assert!(line.matches('`').count().is_multiple_of(2), "a backtick without another: {line}");
        if let Some(row) = line.strip_prefix("| ") {
            let cells: Vec<&str> = row.trim_end_matches(" |").split(" | ").collect();
            assert!([2, 3].contains(&cells.len()) && cells.iter().all(|cell| !cell.trim().is_empty()), "{line}");
        }
    }
}

#[test]
fn what_is_not_there_is_found_out() {
    let page = "`dialogues/none.txt`, `crates/testkit/tests/conformance.rs::missing`, `docs/wire.md`; `tls = \"off\"`, `nc`\n\
        `crates/testkit/tests/conformance.rs::what_is_not_there_is_found_out`, `crates/none.rs::none`";
    let found = missing(page);
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(
        found[0].starts_with("crates/none.rs: ") && found[1].starts_with("crates/proto/tests/dialogues/none.txt: ")
    );
    assert_eq!(found[2], "crates/testkit/tests/conformance.rs: no test missing");
}
