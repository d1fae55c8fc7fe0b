//! `mymail check`: whether a store is whole.

use std::io::{self, ErrorKind};
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::Context;
use bytesize::ByteSize;
use store::embedded::OpenError;
use store::embedded::check::{CheckError, Finding, Names, Report, check};
use tokio::task;

use super::place::Place;
use crate::exit::{Exit, Failure};
use crate::output::{Results, count_of, note};
use crate::progress::Progress;

/// Read a whole store, while no server has it open, and say what is wrong with it
#[derive(Debug, clap::Args)]
#[command(after_help = "\
It reads every message, and changes nothing without --mend. A line for each thing that is wrong,
and a last one that sums up, go to standard output. Of a message that cannot be read any more
--mend saves what is left to a file in the folder lost of the data folder, and then takes it out
of its mailboxes.

Examples:
  mymail check
  mymail check --data /var/lib/mymail --mend
  mymail check --data /backup/monday

Exit codes:
  0 all is well, or mended, 65 something is wrong, 73 cannot write output, 75 a server has the
  store open, 77 not permitted, 78 there is no store, or it is of another version")]
pub(crate) struct Args {
    #[command(flatten)]
    place: Place,

    /// Mend what can be mended
    #[arg(long)]
    mend: bool,

    /// Print the result as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<Exit> {
    let Args { place, mend, json } = args;
    let folder = place.folder_of_store()?;
    let report = task::spawn_blocking(move || {
        let mut bar = Progress::unknown();
        let checked = check(&folder, mend, &mut |progress| {
            bar.follow(progress);
            ControlFlow::Continue(())
        });
        checked.map_err(|error| failure(&folder, &error))
    });
    let report = report.await.context("cannot check")??;
    Results::new(json).print(&text_of(&report), &report)?;
    if !json {
        notes_of(&report).iter().for_each(|text| note(text));
    }
    Ok(exit_of(&report))
}

/// Whether something is wrong still.
pub(super) fn exit_of(report: &Report) -> Exit {
    if report.is_mended() { Exit::Done } else { Exit::Data }
}

fn text_of(report: &Report) -> String {
    let mut lines: Vec<String> = report.findings.iter().map(line_of).collect();
    let mended = report.findings.iter().filter(|finding| finding.mended).count();
    let outcome = match report.findings.len() {
        0 => "all is well".to_owned(),
        found => {
            let mended = match mended {
                0 => String::new(),
                all if all == found => ", all mended".to_owned(),
                some => format!(", {some} mended"),
            };
            format!("{}{mended}", count_of(found as u64, "problem"))
        }
    };
    lines.push(format!("{}: {outcome}", size_of(report)));
    lines.join("\n")
}

/// A finding in words.
pub(super) fn line_of(Finding { problem, mended }: &Finding) -> String {
    format!("{problem}{}", if *mended { ": mended" } else { "" })
}

/// How much there is in a store.
pub(super) fn size_of(report: &Report) -> String {
    let Report { accounts, messages, octets, .. } = report;
    format!("{}, {}, {}", count_of(*accounts, "account"), count_of(*messages, "message"), ByteSize::b(*octets))
}

/// What is worth knowing and no problem.
fn notes_of(report: &Report) -> Vec<String> {
    let Report { in_journal, left_over, left_over_octets, unknown, exposed, is_cut, .. } = report;
    let mut notes = Vec::new();
    if *is_cut {
        notes.push("there are more problems than these: mend them, and check again".to_owned());
    }
    if *in_journal > 0 {
        let messages = count_of(*in_journal, "message");
        notes.push(format!("{messages} more came in shortly before a crash: the next start takes them up"));
    }
    if left_over.count > 0 {
        let (files, size) = (count_of(left_over.count, "file"), ByteSize::b(*left_over_octets));
        notes.push(format!("{files} of {size} are of no use any more: the next start deletes them"));
    }
    if unknown.count > 0 {
        notes.push(format!("not of the store: {}", list_of(unknown)));
    }
    if exposed.count > 0 {
        notes.push(format!("open to others than their owner: {}", list_of(exposed)));
    }
    notes
}

fn list_of(Names { count, first }: &Names) -> String {
    let more = count.saturating_sub(first.len() as u64);
    format!("{}{}", first.join(", "), if more > 0 { format!(" and {more} more") } else { String::new() })
}

/// Why there is no report, in a sentence for the operator.
fn failure(folder: &Path, error: &CheckError) -> Failure {
    let is_denied = |error: &io::Error| error.kind() == ErrorKind::PermissionDenied;
    let (exit, advice) = match error {
        CheckError::NoTables | CheckError::Damaged(_) | CheckError::NotOurs => {
            (Exit::Data, ", with `mymail restore`, once this folder is moved aside")
        }
        CheckError::Older { .. } => (Exit::Config, ": `mymail serve` and --mend do that"),
        CheckError::Open(OpenError::InUse) => (Exit::TempFail, ": stop its server first"),
        CheckError::Open(OpenError::Io { error, .. }) if is_denied(error) => (Exit::NoPermission, ""),
        CheckError::Stopped => (Exit::TempFail, ""),
        CheckError::NoStore | CheckError::Open(_) => (Exit::Config, ""),
    };
    Failure::new(exit, format!("cannot check {}: {error}{advice}", folder.display()))
}
