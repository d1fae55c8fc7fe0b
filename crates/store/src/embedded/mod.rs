//! The store that is part of the program: a journal that messages are written to and stay in, an SQLite database that tells
//! whose they are, a folder of files for big bodies.
//!
//! One thread writes, in groups that share a sync (`writer`). Reads happen where they are asked for (`readers.rs`). What
//! is on disk when, and why nothing that was acknowledged can be lost, is told in `docs/durability.md`.

use std::fs::File;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use proto::sasl::scram::Verifier;
use proto::{Address, Domain};
use rusqlite::Connection;
use thiserror::Error;
use tokio::task;

use crate::arrivals::Bells;
use crate::misuse::{self, Misuse};
use crate::{
    Account, AccountId, AccountSummary, AddTokenError, Arrivals, BackUpError, BackedUp, Body, Delivered, EntryId,
    HeldAddress, Hold, KeptMessage, Mailbox, Maildrop, MessageId, NewMessage, Opened, Progress, Quota, RegisterError,
    RegistrationMode, Report, Store, StoreError, Swept, Timestamp, Token,
};

mod accounts;
mod backup;
mod body;
pub mod check;
mod checkpoints;
mod copy;
mod database;
mod deletions;
mod folder;
mod health;
mod join;
mod journal;
mod mailboxes;
mod messages;
mod moving;
mod open;
mod reader;
mod readers;
mod recovery;
mod registration;
mod restore;
mod room;
mod schema;
mod secret;
mod spool;
mod sweeper;
mod writer;

#[cfg(test)]
mod tests;

pub use backup::back_up;
pub use body::{CHUNK_OCTETS, EmbeddedBody, JOURNAL_OCTETS_MAX};
pub use folder::{DATABASE, Lock, create as create_folder};
pub(crate) use folder::{private_file, sync as sync_folder};
pub use open::OpenError;
pub use reader::EmbeddedReader;
pub use recovery::RecoveryError;
pub use restore::{RestoreError, restore};

use accounts::NewQuota;
use body::Stored;
use deletions::Deletions;
use health::Health;
use journal::Segments;
use mailboxes::Mailboxes;
use messages::{Delivery, Location};
use readers::Readers;
use spool::Spool;
use sweeper::Sweeper;
use writer::Writer;

/// A store in a folder of its own, for one process at a time.
///
/// Dropped, it finishes what callers have begun, which may block for some milliseconds.
pub struct Embedded {
    path: PathBuf,
    // In the order of their dropping: the connection that writes is closed last, for it tidies up.
    /// For what takes microseconds and is done on the caller's thread.
    lookups: Readers,
    /// For what may take milliseconds, so that it keeps no look-up waiting.
    listings: Arc<Readers>,
    _sweeper: Sweeper,
    writer: Writer,
    mailboxes: Arc<Mailboxes>,
    segments: Arc<Segments>,
    spool: Arc<Spool>,
    deletions: Arc<Deletions>,
    bells: Bells,
    /// The folder that everything is in.
    folder: File,
    health: Arc<Health>,
}

#[derive(Debug, Error)]
#[error("the file of a message's bytes is missing")]
struct NoFile;

impl Store for Embedded {
    type Body = EmbeddedBody;
    type Reader = EmbeddedReader;

    async fn register(
        &self,
        address: &Address,
        verifier: Option<&Verifier>,
        now: Timestamp,
    ) -> Result<AccountId, RegisterError> {
        let new = accounts::NewAccount::new(address, verifier, now);
        self.writer.run(move |group| accounts::register(group, &new)).await?.ok_or(RegisterError::Taken)
    }

    async fn next_free_number(&self, domain: &Domain, from: u32, now: Timestamp) -> Result<u32, StoreError> {
        let domain = domain.clone();
        let free = self.list(move |connection| accounts::next_free_number(connection, &domain, from, now));
        free.await?.ok_or_else(|| Misuse::NoNumber.into())
    }

    async fn mailbox(&self, address: &Address) -> Result<Option<Mailbox>, StoreError> {
        let key = address.key();
        if let Some(mailbox) = self.mailboxes.find(&key) {
            return Ok(Some(mailbox));
        }
        // Nobody's address is found here; somebody's is told by the writer, who knows what is not in the tables yet.
        let Some(in_tables) = self.lookups.read(|connection| accounts::mailbox(connection, &key))? else {
            return Ok(None);
        };
        let mailboxes = Arc::clone(&self.mailboxes);
        let known = self.writer.look(move |group| {
            let mailbox = accounts::mailbox(group, &key)?;
            if let Some(mailbox) = mailbox {
                mailboxes.add(key, mailbox);
            }
            Ok(mailbox)
        });
        match known.await {
            Err(StoreError::Poisoned) => Ok(Some(in_tables)),
            known => known,
        }
    }

    async fn is_held(&self, address: &Address, now: Timestamp) -> Result<bool, StoreError> {
        self.lookups.read(|connection| accounts::is_held(connection, &address.key(), now))
    }

    async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        self.lookups.read(|connection| accounts::account(connection, id))
    }

    async fn accounts(&self, after: Option<&str>, limit: usize) -> Result<Vec<AccountSummary>, StoreError> {
        self.writer.catch_up().await;
        let after = after.unwrap_or_default().to_owned();
        self.list(move |connection| accounts::accounts(connection, &after, limit)).await
    }

    async fn summary(&self, id: AccountId) -> Result<Option<AccountSummary>, StoreError> {
        self.writer.catch_up().await;
        self.list(move |connection| accounts::summary(connection, id)).await
    }

    async fn set_quota(&self, id: AccountId, quota: Quota) -> Result<(), StoreError> {
        let quota = NewQuota::new(quota)?;
        let is_set = self.writer.run(move |group| accounts::set_quota(group, id, &quota)).await?;
        if is_set { Ok(()) } else { Err(Misuse::NoAccount.into()) }
    }

    async fn set_verifier(&self, id: AccountId, verifier: &Verifier) -> Result<(), StoreError> {
        let verifier = verifier.to_string();
        let is_set = self.writer.run(move |group| accounts::set_verifier(group, id, &verifier)).await?;
        if is_set { Ok(()) } else { Err(Misuse::NoAccount.into()) }
    }

    async fn end_account(&self, id: AccountId, held_until: Timestamp) -> Result<(), StoreError> {
        self.writer.run(move |group| accounts::end(group, id, held_until)).await
    }

    async fn end_unclaimed(&self, held_until: Timestamp) -> Result<u64, StoreError> {
        self.writer.run(move |group| accounts::end_unclaimed(group, held_until)).await
    }

    async fn resume(&self, idle_since: Timestamp, now: Timestamp) -> Result<i64, StoreError> {
        self.writer.run(move |group| accounts::resume(group, idle_since, now)).await
    }

    async fn touch(&self, ids: &[AccountId], now: Timestamp) -> Result<Vec<AccountId>, StoreError> {
        let ids = ids.to_vec();
        self.writer.run(move |group| accounts::touch(group, &ids, now)).await
    }

    async fn sweep(&self, idle_since: Timestamp, now: Timestamp) -> Result<Swept, StoreError> {
        self.writer.run(move |group| accounts::sweep(group, idle_since, now)).await
    }

    fn takes_writes(&self) -> Result<(), StoreError> {
        self.health.check()
    }

    fn free_octets(&self) -> Result<u64, StoreError> {
        room::free_octets(&self.folder)
    }

    fn body(&self) -> EmbeddedBody {
        EmbeddedBody::new(Arc::clone(&self.spool))
    }

    async fn deliver(
        &self,
        message: NewMessage,
        body: EmbeddedBody,
        reports: Vec<Report>,
    ) -> Result<Delivered, StoreError> {
        misuse::check_reports(&reports)?;
        let reports = reports.into_iter().map(Delivery::report).collect::<Result<Vec<_>, _>>()?;
        let octets = body.octets();
        let body = if message.recipients.is_empty() {
            // Nobody gets it, so it need not get to the disk.
            drop(body);
            Stored::in_memory(Vec::new(), None)
        } else {
            body.finish().await?
        };
        let delivery = Delivery::new(message, octets, body)?;
        self.writer.deliver(delivery, reports).await
    }

    async fn maildrop(&self, account: AccountId) -> Result<Maildrop, StoreError> {
        self.writer.catch_up().await;
        self.list(move |connection| messages::maildrop(connection, account)).await
    }

    async fn open(&self, account: AccountId, entry: EntryId) -> Opened<EmbeddedReader> {
        let mut missing = None;
        loop {
            let found = self.lookups.read(|connection| messages::find(connection, account, entry))?;
            let Some((message, location, digest)) = found else {
                return Ok(None);
            };
            if let Some(reader) = self.reader(&location, message.octets, digest).await? {
                return Ok(Some((message, reader)));
            }
            // Gone or moved between the two looks, or damaged?
            if missing.as_ref() == Some(&location) {
                return Err(StoreError::Failed(Box::new(NoFile)));
            }
            missing = Some(location);
        }
    }

    async fn open_all(&self, account: AccountId, entries: &[EntryId]) -> Vec<Opened<EmbeddedReader>> {
        // What can't be found in one go is looked for one by one.
        let found = self.lookups.read(|connection| messages::find_all(connection, account, entries));
        let found = found.unwrap_or_else(|_| Vec::new()).into_iter().map(Some).chain(std::iter::repeat_with(|| None));
        let mut opened = Vec::with_capacity(entries.len());
        for (entry, found) in entries.iter().zip(found) {
            let reader = match found {
                Some(Some((message, location, digest))) => {
                    let reader = self.reader(&location, message.octets, digest).await;
                    reader.map(|reader| reader.map(|reader| (message, reader)))
                }
                Some(None) | None => Ok(None),
            };
            // Gone, or moved since it was found?
            opened.push(match reader {
                Ok(None) => self.open(account, *entry).await,
                reader => reader,
            });
        }
        opened
    }

    async fn flush(&self, account: AccountId, entries: &[EntryId]) -> Result<(), StoreError> {
        let entries = entries.to_vec();
        self.writer.run(move |group| messages::flush(group, account, &entries)).await
    }

    fn arrivals(&self, account: AccountId) -> Arrivals {
        self.bells.listen(account)
    }

    async fn registration_mode(&self) -> Result<RegistrationMode, StoreError> {
        self.lookups.read(registration::mode)
    }

    async fn set_registration_mode(&self, mode: RegistrationMode) -> Result<(), StoreError> {
        self.writer.run(move |group| registration::set_mode(group, mode)).await
    }

    async fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        self.list(registration::tokens).await
    }

    async fn add_token(&self, token: &Token) -> Result<bool, AddTokenError> {
        let token = token.clone();
        self.writer.run(move |group| registration::add_token(group, &token)).await?
    }

    async fn remove_token(&self, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.writer.run(move |group| registration::remove_token(group, &name)).await
    }

    async fn keep_secret(&self, candidate: &[u8; 32]) -> Result<[u8; 32], StoreError> {
        let candidate = *candidate;
        self.writer.run(move |group| secret::keep(group, &candidate)).await
    }

    async fn answer(&self) -> Result<(), StoreError> {
        self.writer.look(|_| Ok(())).await
    }

    async fn messages(&self, after: Option<MessageId>, limit: usize) -> Result<Vec<KeptMessage>, StoreError> {
        self.writer.catch_up().await;
        self.list(move |connection| moving::messages(connection, after, limit)).await
    }

    async fn holds(&self, after: Option<&str>, limit: usize) -> Result<Vec<HeldAddress>, StoreError> {
        let after = after.unwrap_or_default().to_owned();
        self.list(move |connection| moving::holds(connection, &after, limit)).await
    }

    async fn put_back(&self, messages: Vec<(MessageId, NewMessage, EmbeddedBody)>) -> Result<(), StoreError> {
        misuse::check_put_back(&messages)?;
        let mut deliveries = Vec::with_capacity(messages.len());
        for (id, message, body) in messages {
            let octets = body.octets();
            deliveries.push(Delivery::new(message, octets, body.finish().await?)?.numbered(id));
        }
        let mut deliveries = deliveries.into_iter();
        let Some(first) = deliveries.next() else { return Ok(()) };
        self.writer.deliver(first, deliveries.collect()).await.map(drop)
    }

    async fn hold(&self) -> Result<Hold, BackUpError> {
        // The tables are told of everything that was acknowledged so far. Those that can't be told make no backup.
        self.writer.look(|_| Ok(())).await?;
        // The spool has the lock.
        Ok(Hold { _guard: Box::new((self.deletions.postpone(), Arc::clone(&self.spool))) })
    }
}

impl Embedded {
    /// Copies the whole store, as [`back_up`] does.
    pub async fn back_up(
        &self,
        folder: &Path,
        mut watch: impl FnMut(Progress) -> ControlFlow<()> + Send + 'static,
    ) -> Result<BackedUp, BackUpError> {
        let hold = self.hold().await?;
        let (from, to) = (self.path.clone(), folder.to_owned());
        let make = move || {
            let made = back_up(&from, &to, &mut watch);
            // Whatever becomes of the caller, until here.
            drop(hold);
            made
        };
        task::spawn_blocking(make).await.unwrap_or_else(|error| Err(StoreError::Failed(Box::new(error)).into()))
    }

    /// Bytes from where they are; `None` if there is no such file.
    async fn reader(
        &self,
        location: &Location,
        octets: u64,
        digest: Option<u64>,
    ) -> Result<Option<EmbeddedReader>, StoreError> {
        match location {
            Location::Inline(body) => Ok(Some(EmbeddedReader::memory(body.clone()))),
            Location::File(number) => {
                let Some(file) = self.spool.read(*number)? else { return Ok(None) };
                // All of it is read, which may take a while.
                task::spawn_blocking(move || EmbeddedReader::file(file, octets, digest).map(Some))
                    .await
                    .unwrap_or_else(|error| Err(StoreError::Failed(Box::new(error))))
            }
            Location::Journal(place) => {
                let file = self.segments.read(place.segment).map_err(spool::read_error)?;
                file.map(|file| EmbeddedReader::part(&file, place.at, octets, digest)).transpose()
            }
        }
    }

    /// Reads off the runtime's threads.
    async fn list<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let listings = Arc::clone(&self.listings);
        task::spawn_blocking(move || listings.read(query))
            .await
            .unwrap_or_else(|error| Err(StoreError::Failed(Box::new(error))))
    }
}
