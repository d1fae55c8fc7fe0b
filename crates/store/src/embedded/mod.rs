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
    Account, AccountId, Arrivals, EntryId, Mailbox, Maildrop, MessageId, NewMessage, RegisterError, Store, StoreError,
    StoredMessage, Swept, Timestamp,
};

mod accounts;
mod body;
mod database;
mod folder;
mod health;
mod messages;
mod open;
mod readers;
mod schema;
mod spool;
mod writer;

#[cfg(test)]
mod tests;

pub use body::{EmbeddedBody, EmbeddedReader, INLINE_OCTETS_MAX};
pub use open::OpenError;

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

    async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        self.lookups.read(|connection| accounts::account(connection, id))
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

    async fn deliver(&self, message: NewMessage, body: EmbeddedBody) -> Result<MessageId, StoreError> {
        let octets = crate::Body::octets(&body);
        let delivery = Delivery::new(message, octets, body.finish().await?);
        self.writer.run(delivery.octets_in_memory(), move |group| messages::deliver(group, delivery)).await
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
