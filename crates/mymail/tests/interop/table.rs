//! The table of what each program did, for people: on the screen, and in a page of the documentation.

use std::fmt::Write;
use std::path::Path;

/// Names the file that the table is written to, as seen from the workspace.
const TABLE_VARIABLE: &str = "MYMAIL_INTEROP_TABLE";
const WORKSPACE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const PAGE_HEAD: &str = "\
# Programs that mymail works with

Written by the test that ran them: `.ci/run` installs these programs (Exim it unpacks, which Debian has instead of Postfix) and
lets each do what its row says. Where a program sends, its octets have to be in the mailbox as they were given to it; where it
receives, its file has to hold what was sent, behind the server's Return-Path and Received. TLS is always checked against the
server's certificate. Programs that compose mail write a header of their own; there the text is compared. Mail servers put their
Received before it. They are offered no reports (DSN), and make their own: Exim repeats in them what was written as xtext, without
reading it.

SCRAM-SHA-256 is what msmtp, mpop, mutt and mymail have; the others know PLAIN, LOGIN or USER and PASS alone, in these
versions and as Debian builds them. mutt has to be told its mechanism, by `set smtp_authenticators = \"scram-sha-256\"` and
`set pop_authenticators = \"scram-sha-256\"`: left to itself it takes SCRAM-SHA-256-PLUS, for which it lacks what binds a
login to its TLS connection.

";
const TABLE_HEAD: &str = "| program | version | what it did | result |\n| --- | --- | --- | --- |\n";

const KEYWORDS_HEAD: &str = "
## What EHLO lists, and who uses it

On a listener for clients. Each of these rows fails where the extension is not used: by what the server has written into
Received, by the reply that only then comes, or by the log of the mail server. As a client Postfix knows no CHUNKING, Exim
has only status codes of its own, and of all of them mymail alone heeds LIMITS.

| keyword | used where |
| --- | --- |
";

/// The rows so far.
#[derive(Default)]
pub(crate) struct Table {
    rows: Vec<Row>,
    /// What EHLO lists, and who uses it.
    pub(crate) keywords: Vec<(String, String)>,
    failures: Vec<String>,
}

struct Row {
    program: String,
    did: String,
    line: String,
}

impl Table {
    pub(crate) fn row(&mut self, program: &str, version: &str, did: &str, result: anyhow::Result<()>) {
        let result = match result {
            Ok(()) => "passed".to_owned(),
            Err(error) => {
                let failure = format!("FAILED: {error:#}");
                self.failures.push(format!("{program}, {did}: {failure}"));
                failure
            }
        };
        let line = format!("| {program} | {version} | {did} | {result} |");
        println!("{line}");
        self.rows.push(Row { program: program.to_owned(), did: did.to_owned(), line });
    }

    /// A row with these words: the program, and what it did.
    pub(crate) fn find(&self, program: &str, did: &str) -> Option<String> {
        let row = self.rows.iter().find(|row| row.program.contains(program) && row.did.contains(did))?;
        Some(format!("{}: {}", row.program, row.did))
    }

    /// Prints the table, writes it where it is wanted, and fails if a row has failed.
    pub(crate) fn publish(self) {
        let mut text = TABLE_HEAD.to_owned();
        for row in &self.rows {
            writeln!(text, "{}", row.line).unwrap();
        }
        text.push_str(KEYWORDS_HEAD);
        for (keyword, users) in &self.keywords {
            writeln!(text, "| {keyword} | {users} |").unwrap();
        }
        println!("\n{text}");
        if let Some(path) = std::env::var_os(TABLE_VARIABLE) {
            std::fs::write(Path::new(WORKSPACE).join(path), format!("{PAGE_HEAD}{text}")).unwrap();
        }
        assert!(self.failures.is_empty(), "failed:\n{}", self.failures.join("\n"));
    }
}
