//! The table of what each program did, for people: on the screen, and in a page of the documentation.

use std::fmt::Write;

/// Names the file that the table is written to.
const TABLE_VARIABLE: &str = "MYMAIL_INTEROP_TABLE";
const PAGE_HEAD: &str = "\
# Programs that mymail works with

Written by the test that ran them: `.ci/run` installs these programs and lets each do what its row says. Where a program
sends, its octets have to be in the mailbox as they were given to it; where it receives, its file has to hold what was
sent, behind the server's Return-Path and Received. TLS is always checked against the server's certificate. Programs that
compose mail write a header of their own; there the text is compared.

SCRAM-SHA-256 is what msmtp, mpop, mutt and mymail have; the others know PLAIN, LOGIN or USER and PASS alone, in these
versions and as Debian builds them. mutt has to be told its mechanism, by `set smtp_authenticators = \"scram-sha-256\"` and
`set pop_authenticators = \"scram-sha-256\"`: left to itself it takes SCRAM-SHA-256-PLUS, for which it lacks what binds a
login to its TLS connection.

";
const TABLE_HEAD: &str = "| program | version | what it did | result |\n| --- | --- | --- | --- |\n";

/// The rows so far.
#[derive(Default)]
pub(crate) struct Table {
    rows: String,
    failures: Vec<String>,
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
        let row = format!("| {program} | {version} | {did} | {result} |");
        println!("{row}");
        writeln!(self.rows, "{row}").unwrap();
    }

    /// Prints the table, writes it where it is wanted, and fails if a row has failed.
    pub(crate) fn publish(self) {
        println!("\n{TABLE_HEAD}{}", self.rows);
        if let Some(path) = std::env::var_os(TABLE_VARIABLE) {
            std::fs::write(path, format!("{PAGE_HEAD}{TABLE_HEAD}{}", self.rows)).unwrap();
        }
        assert!(self.failures.is_empty(), "failed:\n{}", self.failures.join("\n"));
    }
}
