//! The store on PostgreSQL: any number of servers on any number of machines, all on one database.
//!
//! What is done is done in a transaction whose end is known (`transaction.rs`), on one of a few connections (`pool.rs`). The database
//! alone is the truth: nothing of it is remembered here that another server could change. Which servers there are, and what goes with
//! one that dies, is told in `nodes.rs`.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use proto::sasl::scram::Verifier;
use proto::{Address, Domain};
use thiserror::Error;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::misuse::{self, Misuse};
use crate::{
    Account, AccountId, AccountSummary, AddTokenError, Arrivals, Body, Count, CountElsewhere, Delivered, EntryId,
    HeldAddress, KeptMessage, Mailbox, Maildrop, MessageId, NewMessage, Opened, Quota, RegisterError, RegistrationMode,
    Report, Store, StoreError, Swept, Timestamp, Token,
};

mod accounts;
mod body;
mod connection;
mod deliveries;
mod failure;
mod group;
mod heralds;
mod leases;
mod messages;
mod moving;
mod nodes;
mod options;
mod pool;
mod reader;
mod registration;
mod rows;
mod schema;
mod sweep;
mod tallies;
mod tls;
mod transaction;

pub use body::{CHUNK_OCTETS_MAX, PostgresBody};
pub use options::{Authorities, Options, Password, Place, Url, UrlError};
pub use reader::PostgresReader;
pub use schema::SchemaError;

use accounts::NewQuota;
use connection::{Connection, Connector};
use deliveries::Deliveries;
use failure::Failure;
use group::{Delivery, Incoming};
use heralds::Heralds;
use leases::Round;
use nodes::Node;
use pool::Pool;
use registration::Added;
use tallies::Asked;
use tls::Tls;
use transaction::{Transactions, transact};

/// The most accounts that are touched in one transaction.
const TOUCHED_MAX: usize = 5000;

/// A store in a PostgreSQL database, for any number of processes at a time. To be made and used in a tokio runtime.
pub struct Postgres {
    transactions: Arc<Transactions>,
    deliveries: Deliveries,
    heralds: Arc<Heralds>,
    node: Arc<Node>,
    difference_max: Duration,
    asked: Asked,
    tasks: [JoinHandle<()>; 2],
}

/// Why the database can't be used.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The encryption itself does not work.
    #[error("cannot prepare TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// It can't be reached, or does not answer as it should.
    #[error("{0}")]
    Database(String),
    /// Its tables are not as they should be.
    #[error(transparent)]
    Schema(#[from] SchemaError),
}

impl Postgres {
    /// Connects, makes or renews the tables, and becomes one of the servers.
    pub async fn connect(options: &Options) -> Result<Self, ConnectError> {
        let tls = Tls::new(options)?;
        let connector = Arc::new(Connector::new(options, tls));
        let pool = Pool::new(Arc::clone(&connector), options.connections.max(1));
        schema::migrate(&pool).await?;
        let failed = |failure: Failure| ConnectError::Database(failure.to_string());
        let transactions = Arc::new(Transactions::new(pool));
        let (connection, _) = connector.connect().await.map_err(failed)?;
        let node = Arc::new(Node::new(&connection, options.node_lease).await.map_err(failed)?);
        let heralds = Arc::new(Heralds::new(node.id()));
        let deliveries = Deliveries::start(&transactions, &heralds, options.connections);
        let beats = tokio::spawn(beat(Arc::clone(&node), Arc::clone(&connector), connection));
        let news = tokio::spawn(Arc::clone(&heralds).run(connector));
        let difference_max = options.difference_max;
        Ok(Self {
            transactions,
            deliveries,
            heralds,
            node,
            difference_max,
            asked: Asked::default(),
            tasks: [beats, news],
        })
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

async fn beat(node: Arc<Node>, connector: Arc<Connector>, mut connection: Connection) {
    let mut beats = interval((node.lease() / 3).max(Duration::from_millis(100)));
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        while let Err(failure) = node.beat(&connection).await {
            tracing::debug!(%failure, "this server can't show the others that it lives");
            connection = loop {
                beats.tick().await;
                if let Ok((connection, _)) = connector.connect().await {
                    break connection;
                }
            };
        }
    }
}

impl Store for Postgres {
    type Body = PostgresBody;
    type Reader = PostgresReader;

    async fn register(
        &self,
        address: &Address,
        verifier: Option<&Verifier>,
        now: Timestamp,
    ) -> Result<AccountId, RegisterError> {
        let new = accounts::NewAccount::new(address, verifier, now);
        let registered: Result<_, StoreError> = transact!(self.transactions, |transaction| {
            accounts::register(&transaction, &new, self.node.id()).await
        });
        registered?.ok_or(RegisterError::Taken)
    }

    async fn next_free_number(&self, domain: &Domain, from: u32, now: Timestamp) -> Result<u32, StoreError> {
        let free = accounts::next_free_number(&self.transactions, domain, from, now).await?;
        free.ok_or_else(|| Misuse::NoNumber.into())
    }

    async fn mailbox(&self, address: &Address) -> Result<Option<Mailbox>, StoreError> {
        accounts::mailbox(&self.transactions, &address.key()).await
    }

    async fn is_held(&self, address: &Address, now: Timestamp) -> Result<bool, StoreError> {
        accounts::is_held(&self.transactions, &address.key(), now).await
    }

    async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        accounts::account(&self.transactions, id).await
    }

    async fn accounts(&self, after: Option<&str>, limit: usize) -> Result<Vec<AccountSummary>, StoreError> {
        accounts::accounts(&self.transactions, after.unwrap_or_default(), limit).await
    }

    async fn summary(&self, id: AccountId) -> Result<Option<AccountSummary>, StoreError> {
        accounts::summary(&self.transactions, id).await
    }

    async fn set_quota(&self, id: AccountId, quota: Quota) -> Result<(), StoreError> {
        let quota = NewQuota::new(quota)?;
        let is_set: Result<_, StoreError> =
            transact!(self.transactions, |transaction| accounts::set_quota(&transaction, id, &quota).await);
        if is_set? { Ok(()) } else { Err(Misuse::NoAccount.into()) }
    }

    async fn set_verifier(&self, id: AccountId, verifier: &Verifier) -> Result<(), StoreError> {
        let verifier = verifier.to_string();
        let is_set: Result<_, StoreError> =
            transact!(self.transactions, |transaction| accounts::set_verifier(&transaction, id, &verifier).await);
        if is_set? { Ok(()) } else { Err(Misuse::NoAccount.into()) }
    }

    async fn end_account(&self, id: AccountId, held_until: Timestamp) -> Result<(), StoreError> {
        let ended: Result<u64, StoreError> =
            transact!(self.transactions, |transaction| accounts::end(&transaction, &[id.0], held_until).await);
        ended.map(drop)
    }

    async fn end_unclaimed(&self, held_until: Timestamp) -> Result<u64, StoreError> {
        sweep::end_unclaimed(&self.transactions, Some(self.node.id()), held_until).await
    }

    fn is_shared(&self) -> bool {
        true
    }

    async fn leave(&self, held_until: Timestamp) -> Result<(), StoreError> {
        // Else it would become a node again.
        self.tasks.iter().for_each(JoinHandle::abort);
        let ended: Result<(), StoreError> =
            transact!(self.transactions, |transaction| self.node.end(&transaction).await);
        ended?;
        sweep::end_unclaimed(&self.transactions, None, held_until).await.map(drop)
    }

    async fn resume(&self, idle_since: Timestamp, now: Timestamp) -> Result<i64, StoreError> {
        let round = Round { idle_since, now, difference_max: self.difference_max };
        transact!(self.transactions, |transaction| {
            round.begin(&transaction, self.node.id(), self.node.lease()).await
        })
    }

    async fn touch(&self, ids: &[AccountId], now: Timestamp) -> Result<Vec<AccountId>, StoreError> {
        let named = Vec::from_iter(ids.iter().map(|id| id.0).collect::<BTreeSet<_>>());
        let mut ended = Vec::new();
        for some in named.chunks(TOUCHED_MAX) {
            let touched: Result<Vec<i64>, StoreError> =
                transact!(self.transactions, |transaction| accounts::touch(&transaction, some, now).await);
            let touched = HashSet::<i64>::from_iter(touched?);
            ended.extend(some.iter().filter(|id| !touched.contains(id)).map(|id| AccountId(*id)));
        }
        Ok(ended)
    }

    async fn sweep(&self, idle_since: Timestamp, now: Timestamp) -> Result<Swept, StoreError> {
        sweep::sweep(&self.transactions, &self.node, idle_since, now).await
    }

    fn takes_writes(&self) -> Result<(), StoreError> {
        Ok(())
    }

    /// As many as can be told: how much the database's disk has left is known to the database's operator. A delivery that finds it
    /// full is not done.
    fn free_octets(&self) -> Result<u64, StoreError> {
        Ok(u64::MAX)
    }

    fn body(&self) -> PostgresBody {
        PostgresBody::new(Arc::clone(&self.transactions))
    }

    async fn deliver(
        &self,
        message: NewMessage,
        body: PostgresBody,
        reports: Vec<Report>,
    ) -> Result<Delivered, StoreError> {
        misuse::check_reports(&reports)?;
        let message = Incoming::new(message, body.finish().await?, None)?;
        let mut about = Vec::with_capacity(reports.len());
        for Report { message, text } in reports {
            let mut body = self.body();
            body.write(&text).await?;
            about.push(Incoming::new(message, body.finish().await?, None)?);
        }
        self.deliveries.deliver(Delivery { message, reports: about }).await
    }

    async fn maildrop(&self, account: AccountId) -> Result<Maildrop, StoreError> {
        messages::maildrop(&self.transactions, account).await
    }

    async fn open(&self, account: AccountId, entry: EntryId) -> Opened<PostgresReader> {
        self.open_all(account, &[entry]).await.pop().unwrap_or(Ok(None))
    }

    async fn open_all(&self, account: AccountId, entries: &[EntryId]) -> Vec<Opened<PostgresReader>> {
        let mut found = match messages::find(&self.transactions, account, entries).await {
            Ok(found) => found,
            Err(error) if entries.len() == 1 => return vec![Err(error)],
            Err(error) => {
                tracing::debug!(%error, "messages are opened one by one");
                Vec::new()
            }
        };
        let mut opened = Vec::with_capacity(entries.len());
        for entry in entries {
            let place = found.iter().position(|(found, _)| found == entry);
            opened.push(match place.map(|place| found.swap_remove(place)) {
                Some((_, Ok((message, content)))) => {
                    let reader = PostgresReader::new(&self.transactions, content, message.octets);
                    Ok(Some((message, reader)))
                }
                Some((_, Err(error))) => Err(error),
                None => Ok(None),
            });
        }
        opened
    }

    async fn flush(&self, account: AccountId, entries: &[EntryId]) -> Result<(), StoreError> {
        let entries: Vec<i64> = entries.iter().map(|entry| entry.0).collect();
        transact!(self.transactions, |transaction| messages::flush(&transaction, account.0, &entries).await)
    }

    fn arrivals(&self, account: AccountId) -> Arrivals {
        self.heralds.arrivals(account)
    }

    async fn registration_mode(&self) -> Result<RegistrationMode, StoreError> {
        registration::mode(&self.transactions).await
    }

    async fn set_registration_mode(&self, mode: RegistrationMode) -> Result<(), StoreError> {
        transact!(self.transactions, |transaction| registration::set_mode(&transaction, mode).await)
    }

    async fn tokens(&self) -> Result<Vec<Token>, StoreError> {
        registration::tokens(&self.transactions).await
    }

    async fn add_token(&self, token: &Token) -> Result<bool, AddTokenError> {
        let added: Result<Added, StoreError> =
            transact!(self.transactions, |transaction| registration::add_token(&transaction, token).await);
        match added? {
            Added::New => Ok(true),
            Added::NameTaken => Ok(false),
            Added::TooMany => Err(AddTokenError::TooMany),
        }
    }

    async fn remove_token(&self, name: &str) -> Result<bool, StoreError> {
        transact!(self.transactions, |transaction| registration::remove_token(&transaction, name).await)
    }

    async fn keep_secret(&self, candidate: &[u8; 32]) -> Result<[u8; 32], StoreError> {
        transact!(self.transactions, |transaction| registration::keep_secret(&transaction, candidate).await)
    }

    /// At once: a database that does not answer is no reason to start this server anew.
    async fn answer(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn share_counts(&self, mine: Vec<Count>, now: Timestamp) -> Result<Option<Vec<CountElsewhere>>, StoreError> {
        tallies::share(&self.transactions, &self.asked, mine, now).await.map(Some)
    }

    async fn messages(&self, after: Option<MessageId>, limit: usize) -> Result<Vec<KeptMessage>, StoreError> {
        moving::messages(&self.transactions, after, limit).await
    }

    async fn holds(&self, after: Option<&str>, limit: usize) -> Result<Vec<HeldAddress>, StoreError> {
        moving::holds(&self.transactions, after.unwrap_or_default(), limit).await
    }

    async fn put_back(&self, messages: Vec<(MessageId, NewMessage, PostgresBody)>) -> Result<(), StoreError> {
        misuse::check_put_back(&messages)?;
        let mut deliveries = Vec::with_capacity(messages.len());
        for (id, message, body) in messages {
            let message = Incoming::new(message, body.finish().await?, Some(id))?;
            deliveries.push(Delivery { message, reports: Vec::new() });
        }
        moving::put_back(&self.transactions, deliveries).await
    }
}
