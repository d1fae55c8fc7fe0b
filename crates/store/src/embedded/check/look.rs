//! A look at a store that nobody has open. On the disk it changes nothing.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rusqlite::Connection;

use super::report::{Damage, FINDINGS_MAX, Problem, Report};
use super::tail::Tail;
use super::{CheckError, Watch, bytes, left_over, lost, names, rules};
use crate::embedded::folder::{BODIES, DATABASE, JOURNAL, LOG};
use crate::embedded::{database, schema};

/// How much is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Whether the tables agree with themselves, and with the names of files.
    Tables,
    /// Every message's bytes too.
    Bytes,
}

/// Messages that nobody can be given, by their numbers: no more than one beyond those that a report tells of.
#[derive(Default)]
pub(super) struct Losses(BTreeMap<i64, Damage>);

impl Losses {
    /// This message can't be given for this reason too.
    pub(super) fn add(&mut self, message: i64, damage: Damage) {
        if self.0.len() <= FINDINGS_MAX {
            self.0.entry(message).or_insert(damage);
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn contain(&self, message: i64) -> bool {
        self.0.contains_key(&message)
    }

    /// Each with its reason, in the order of their numbers.
    pub(super) fn into_each(self) -> impl Iterator<Item = (i64, Damage)> {
        self.0.into_iter()
    }
}

pub(super) fn look(dir: &Path, depth: Depth, watch: Watch<'_>) -> Result<Report, CheckError> {
    require(dir)?;
    let connection = database::open_unchanged(&dir.join(DATABASE), &dir.join(LOG))?;
    match schema::check(&connection)? {
        0 => return Err(without_tables(dir)),
        found if found < schema::version() => return Err(CheckError::Older { found, known: schema::version() }),
        _ => {}
    }
    let mut report = Report::default();
    integrity(&connection)?.into_iter().for_each(|problem| report.add(problem));
    count(&connection, &mut report)?;
    rules::look(&connection, &mut report)?;

    let mut losses = Losses::default();
    rules::look_for_losses(&connection, &mut losses)?;
    if depth == Depth::Bytes {
        bytes::look(dir, &connection, report.octets, &mut losses, watch)?;
    }
    lost::describe(&connection, losses)?.into_iter().for_each(|lost| report.add(Problem::LostMessage(lost)));

    let tail = Tail::read(dir, &connection)?;
    report.in_journal = tail.messages;
    left_over::each(dir, &connection, &tail, |name, _, octets| {
        report.left_over.add(|| name.to_owned());
        report.left_over_octets += octets;
        Ok(())
    })?;
    names::look(dir, &mut report)?;
    Ok(report)
}

/// Fails if there are no tables at all.
pub(in crate::embedded) fn require(dir: &Path) -> Result<(), CheckError> {
    let is_something = |name| fs::metadata(dir.join(name)).is_ok_and(|file| file.len() > 0);
    if is_something(DATABASE) || is_something(LOG) { Ok(()) } else { Err(without_tables(dir)) }
}

pub(super) fn without_tables(dir: &Path) -> CheckError {
    let has_file = |folder| fs::read_dir(dir.join(folder)).is_ok_and(|mut files| files.next().is_some());
    if has_file(BODIES) || has_file(JOURNAL) { CheckError::NoTables } else { CheckError::NoStore }
}

/// What SQLite itself finds wrong with its file.
pub(super) fn integrity(connection: &Connection) -> rusqlite::Result<Vec<Problem>> {
    let mut check = connection.prepare("PRAGMA integrity_check")?;
    let lines = check.query_map([], |row| row.get::<_, String>(0))?;
    lines
        .filter(|line| line.as_ref().map_or(true, |line| line != "ok"))
        .map(|line| Ok(Problem::Database { what: line? }))
        .collect()
}

fn count(connection: &Connection, report: &mut Report) -> rusqlite::Result<()> {
    let count = |query| connection.query_row(query, [], |row| row.get(0));
    report.accounts = count("SELECT count(*) FROM account WHERE held_until IS NULL")?;
    report.messages = count("SELECT count(*) FROM message")?;
    report.octets = count("SELECT coalesce(sum(max(octets, 0)), 0) FROM message")?;
    Ok(())
}
