//! Changes of the tables that share a commit, and what is to be done once it is made.

use std::collections::BTreeMap;
use std::ops::Deref;

use rusqlite::{Connection, params};

use crate::AccountId;
use crate::embedded::journal::SegmentNumber;
use crate::embedded::spool::FileNumber;

/// The octets that a message counts in its segment beside its bytes, for what the journal tells of it.
pub(in crate::embedded) const TOLD_OCTETS: u64 = 512;

/// A group of jobs while it is written.
pub(in crate::embedded) struct Group<'a> {
    connection: &'a Connection,
    pub(super) after: AfterCommit,
    segments: Live,
}

/// What follows a commit.
#[derive(Default)]
pub(super) struct AfterCommit {
    /// Accounts that have other mailboxes than before, or none.
    pub(super) changed: Vec<AccountId>,
    /// Files that are not needed any more.
    pub(super) unlinked: Vec<FileNumber>,
}

/// By how much the octets of segments that are still of use have changed.
#[derive(Debug, Default)]
pub(super) struct Live(BTreeMap<SegmentNumber, i64>);

impl<'a> Group<'a> {
    /// A group in a transaction of this connection.
    pub(super) fn new(connection: &'a Connection) -> Self {
        Self { connection, after: AfterCommit::default(), segments: Live::default() }
    }

    /// This account's mailbox is another one once this is committed, or ends.
    pub(in crate::embedded) fn changed(&mut self, account: AccountId) {
        self.after.changed.push(account);
    }

    /// Deletes the file of a body whose message is gone.
    pub(in crate::embedded) fn unlink(&mut self, file: FileNumber) {
        self.after.unlinked.push(file);
    }

    /// A message that had so many octets in this segment is gone.
    pub(in crate::embedded) fn freed(&mut self, segment: SegmentNumber, octets: u64) {
        self.segments.less(segment, octets);
    }

    /// All has been done that will be. Whether a segment has less of use than before.
    pub(super) fn finish(self) -> rusqlite::Result<(AfterCommit, bool)> {
        self.segments.write(self.connection)?;
        Ok((self.after, !self.segments.0.is_empty()))
    }
}

impl Deref for Group<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl Live {
    /// A message has its octets there.
    pub(super) fn more(&mut self, segment: SegmentNumber, octets: u64) {
        *self.0.entry(segment).or_default() += (octets + TOLD_OCTETS).cast_signed();
    }

    /// A message has its octets there no more.
    pub(super) fn less(&mut self, segment: SegmentNumber, octets: u64) {
        *self.0.entry(segment).or_default() -= (octets + TOLD_OCTETS).cast_signed();
    }

    /// Tells the tables.
    pub(super) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut change = connection.prepare_cached("UPDATE segment SET live = live + ?2 WHERE number = ?1")?;
        self.0.iter().try_for_each(|(segment, by)| change.execute(params![segment, by]).map(drop))
    }
}
