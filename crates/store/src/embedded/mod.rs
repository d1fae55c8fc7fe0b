//! The store that is part of the program: an SQLite database for everything small, a folder of files for big bodies.
//!
//! One thread writes, in groups that share a sync (`writer.rs`). Reads happen where they are asked for (`readers.rs`). What
//! is on disk when, and why nothing that was acknowledged can be lost, is told in `docs/durability.md`.

use std::sync::Arc;

use proto::sasl::scram::Verifier;
use proto::{Address, Domain};
use rusqlite::Connection;
use thiserror::Error;
use tokio::task;

use crate::arrivals::Bells;
use crate::{
    Account, AccountId, AccountSummary, AddTokenError, Arrivals, Body, Delivered, EntryId, Mailbox, Maildrop,
    NewMessage, Quota, REPORT_OCTETS_MAX, REPORTS_MAX, RegisterError, RegistrationMode, Report, Store, StoreError,
    StoredMessage, Swept, Timestamp, Token,
};

mod accounts;
mod body;
mod database;
mod folder;
mod health;
mod messages;
mod open;
mod readers;
mod registration;
mod schema;
mod secret;
mod spool;
mod writer;

#[cfg(test)]
mod tests;

pub use body::{EmbeddedBody, EmbeddedReader, INLINE_OCTETS_MAX};
pub use open::OpenError;

use accounts::NewQuota;
use body::Stored;
use messages::{Delivery, Location};
use readers::Readers;
use spool::Spool;
use writer::Writer;

/// A store in a folder of its own, for one process at a time.
///
/// Dropped, it finishes what callers have begun, which may block for some milliseconds.
pub struct Embedded {
    // In the order of their dropping: the connection that writes is closed last, for it tidies up.
    /// For what takes microseconds and is done on the caller's thread.
    lookups: Readers,
    /// For what may take milliseconds, so that it keeps no look-up waiting.
    listings: Arc<Readers>,
    writer: Writer,
    spool: Arc<Spool>,
    bells: Bells,
}

#[derive(Debug, Error)]
#[error("there is no such account")]
struct NoAccount;

#[derive(Debug, Error)]
#[error("every number is taken")]
struct NoNumber;

#[derive(Debug, Error)]
#[error("the reports about a message are too many or too long")]
struct ReportsTooLong;

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
        self.writer.run(0, move |group| accounts::register(group, &new)).await?.ok_or(RegisterError::Taken)
    }

    async fn next_free_number(&self, domain: &Domain, from: u32, now: Timestamp) -> Result<u32, StoreError> {
        let domain = domain.clone();
        let free = self.list(move |connection| accounts::next_free_number(connection, &domain, from, now));
        free.await?.ok_or_else(|| StoreError::Failed(Box::new(NoNumber)))
    }

    async fn mailbox(&self, address: &Address) -> Result<Option<Mailbox>, StoreError> {
        self.lookups.read(|connection| accounts::mailbox(connection, &address.key()))
    }

    async fn is_held(&self, address: &Address, now: Timestamp) -> Result<bool, StoreError> {
        self.lookups.read(|connection| accounts::is_held(connection, &address.key(), now))
    }

    async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        self.lookups.read(|connection| accounts::account(connection, id))
    }

    async fn accounts(&self, after: Option<&str>, limit: usize) -> Result<Vec<AccountSummary>, StoreError> {
        let after = after.unwrap_or_default().to_owned();
        self.list(move |connection| accounts::accounts(connection, &after, limit)).await
    }

    async fn summary(&self, id: AccountId) -> Result<Option<AccountSummary>, StoreError> {
        self.list(move |connection| accounts::summary(connection, id)).await
    }

    async fn set_quota(&self, id: AccountId, quota: Quota) -> Result<(), StoreError> {
        let quota = NewQuota::new(quota)?;
        let is_set = self.writer.run(0, move |group| accounts::set_quota(group, id, &quota)).await?;
        if is_set { Ok(()) } else { Err(StoreError::Failed(Box::new(NoAccount))) }
    }

    async fn set_verifier(&self, id: AccountId, verifier: &Verifier) -> Result<(), StoreError> {
        let verifier = verifier.to_string();
        let is_set = self.writer.run(0, move |group| accounts::set_verifier(group, id, &verifier)).await?;
        if is_set { Ok(()) } else { Err(StoreError::Failed(Box::new(NoAccount))) }
    }

    async fn end_account(&self, id: AccountId, held_until: Timestamp) -> Result<(), StoreError> {
        self.writer.run(0, move |group| accounts::end(group, id, held_until)).await
    }

    async fn end_unclaimed(&self, held_until: Timestamp) -> Result<u64, StoreError> {
        self.writer.run(0, move |group| accounts::end_unclaimed(group, held_until)).await
    }

    async fn touch(&self, ids: &[AccountId], now: Timestamp) -> Result<(), StoreError> {
        let ids = ids.to_vec();
        self.writer.run(0, move |group| accounts::touch(group, &ids, now)).await
    }

    async fn sweep(&self, idle_since: Timestamp, now: Timestamp) -> Result<Swept, StoreError> {
        self.writer.run(0, move |group| accounts::sweep(group, idle_since, now)).await
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
        if reports.len() > REPORTS_MAX || reports.iter().any(|report| report.text.len() > REPORT_OCTETS_MAX) {
            return Err(StoreError::Failed(Box::new(ReportsTooLong)));
        }
        let reports = reports.into_iter().map(Delivery::report).collect::<Result<Vec<_>, _>>()?;
        let octets = body.octets();
        let body = if message.recipients.is_empty() {
            // Nobody gets it, so it need not get to the disk.
            drop(body);
            Stored::Inline(Vec::new())
        } else {
            body.finish().await?
        };
        let delivery = Delivery::new(message, octets, body)?;
        let in_memory = reports.iter().chain([&delivery]).map(Delivery::octets_in_memory).sum();
        self.writer.run(in_memory, move |group| messages::deliver(group, delivery, reports)).await
    }

    async fn maildrop(&self, account: AccountId) -> Result<Maildrop, StoreError> {
        self.list(move |connection| messages::maildrop(connection, account)).await
    }

    async fn open(
        &self,
        account: AccountId,
        entry: EntryId,
    ) -> Result<Option<(StoredMessage, EmbeddedReader)>, StoreError> {
        let find = || self.lookups.read(|connection| messages::find(connection, account, entry));
        let Some((message, location)) = find()? else {
            return Ok(None);
        };
        let reader = match location {
            Location::Inline(body) => EmbeddedReader::inline(body),
            Location::File(number) => match self.spool.read(number)? {
                Some(file) => EmbeddedReader::file(file, message.octets)?,
                // Flushed between the two looks, or damaged?
                None if find()?.is_none() => return Ok(None),
                None => return Err(StoreError::Failed(Box::new(NoFile))),
            },
        };
        Ok(Some((message, reader)))
    }

    async fn flush(&self, account: AccountId, entries: &[EntryId]) -> Result<(), StoreError> {
        let entries = entries.to_vec();
        self.writer.run(0, move |group| messages::flush(group, account, &entries)).await
    }

    fn arrivals(&self, account: AccountId) -> Arrivals {
        self.bells.listen(account)
    }

    async fn registration_mode(&self) -> Result<RegistrationMode, StoreError> {
        self.lookups.read(registration::mode)
    }

    async fn set_registration_mode(&self, mode: RegistrationMode) -> Result<(), StoreError> {
        self.writer.run(0, move |group| registration::set_mode(group, mode)).await
    }

    async fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        self.list(registration::tokens).await
    }

    async fn add_token(&self, token: &Token) -> Result<bool, AddTokenError> {
        let token = token.clone();
        self.writer.run(0, move |group| registration::add_token(group, &token)).await?
    }

    async fn remove_token(&self, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.writer.run(0, move |group| registration::remove_token(group, &name)).await
    }

    async fn keep_secret(&self, candidate: &[u8; 32]) -> Result<[u8; 32], StoreError> {
        let candidate = *candidate;
        self.writer.run(0, move |group| secret::keep(group, &candidate)).await
    }
}

impl Embedded {
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
