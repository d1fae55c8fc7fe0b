//! Who waits for mail hears of it, whichever server it comes through.
//!
//! A server tells the others, by NOTIFY, into which mailboxes it has put something. That is a hint, which may be lost: what is
//! waited for is also looked up every now and then, and whenever the connection that hints come by is made anew. NOTIFY holds up
//! all commits of the database while it commits, so it is done after the delivery, in a transaction that waits for no disk.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::connection::{Connection, Connector};
use super::failure::Failure;
use super::rows::first;
use super::transaction::note;
use crate::arrivals::Bells;
use crate::{AccountId, Arrivals};

/// How often mailboxes that are waited for are looked at.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);
/// The time between two attempts to be connected.
const PAUSE: Duration = Duration::from_secs(1);
/// The most accounts in a notification, which has less than 8000 octets.
const HINT_ACCOUNTS_MAX: usize = 350;
/// The most accounts of which it is still to be told. Of more nothing is told: they are looked up.
const TELL_MAX: usize = 10_000;

const LISTEN: &str = "LISTEN mymail_arrival";
const TELL: &str = "SELECT pg_notify('mymail_arrival', $1)";
const LOOK: &str = "SELECT id FROM account WHERE id = ANY($1) AND messages > 0";

/// Carries the news between those who deliver and those who wait.
pub(super) struct Heralds {
    /// Tells what this process has said from what others have.
    name: String,
    bells: Bells,
    /// Of whom the other servers are still to be told.
    news: Mutex<BTreeSet<i64>>,
    has_news: Notify,
}

impl Heralds {
    /// Those of this node.
    pub(super) fn new(node: i64) -> Self {
        Self { name: node.to_string(), bells: Bells::default(), news: Mutex::default(), has_news: Notify::new() }
    }

    /// Tells of mail coming into a mailbox from now on.
    pub(super) fn arrivals(&self, account: AccountId) -> Arrivals {
        self.bells.listen(account)
    }

    /// Mail that can be read has come into these mailboxes.
    pub(super) fn tell(&self, accounts: Vec<AccountId>) {
        let mut news = self.news.lock().unwrap_or_else(PoisonError::into_inner);
        if news.len() < TELL_MAX {
            news.extend(accounts.iter().map(|account| account.0));
        }
        drop(news);
        self.bells.ring(accounts);
        self.has_news.notify_one();
    }

    /// Carries until it is stopped, on a connection of its own.
    pub(super) async fn run(self: Arc<Self>, connector: Arc<Connector>) {
        loop {
            let failure = match connector.connect().await {
                Ok((connection, hints)) => match self.carry(&connector, &connection, hints).await {
                    Ok(()) => return,
                    Err(failure) => failure,
                },
                Err(failure) => failure,
            };
            tracing::debug!(%failure, "no hints from other servers for now");
            sleep(PAUSE).await;
        }
    }

    async fn carry(
        &self,
        connector: &Connector,
        connection: &Connection,
        mut hints: mpsc::Receiver<String>,
    ) -> Result<(), Failure> {
        connection.batch(LISTEN).await?;
        // The first look comes at once: what has come before cannot have been heard.
        let mut looks = interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = looks.tick() => {
                    if connector.is_replaced(connection) {
                        return Err(Failure::replaced());
                    }
                    self.look(connection).await?;
                }
                hint = hints.recv() => match hint {
                    Some(hint) => self.hear(&hint),
                    None => return Err(Failure::closed()),
                },
                () = self.has_news.notified() => self.pass_on(connection).await?,
            }
        }
    }

    /// What this process has said itself it has rung for at once.
    fn hear(&self, hint: &str) {
        if let Some((herald, accounts)) = hint.split_once(' ')
            && herald != self.name
        {
            self.bells.ring(accounts.split(',').filter_map(|id| id.parse().ok()).map(AccountId));
        }
    }

    async fn look(&self, connection: &Connection) -> Result<(), Failure> {
        let begun = Instant::now();
        let awaited: Vec<i64> = self.bells.awaited().into_iter().map(|account| account.0).collect();
        if awaited.is_empty() {
            // Also shows whether the connection is still good.
            return connection.batch("").await;
        }
        let found = connection.query(LOOK, &[&awaited]).await?;
        let found: Vec<i64> = found.iter().map(first).collect::<Result<_, _>>()?;
        tracing::trace!(awaited = awaited.len(), found = found.len(), took = ?begun.elapsed(), "looked for mail");
        self.bells.ring(found.into_iter().map(AccountId));
        Ok(())
    }

    async fn pass_on(&self, connection: &Connection) -> Result<(), Failure> {
        let news = std::mem::take(&mut *self.news.lock().unwrap_or_else(PoisonError::into_inner));
        let news: Vec<String> = news.iter().map(i64::to_string).collect();
        for some in news.chunks(HINT_ACCOUNTS_MAX) {
            note(connection, TELL, &[&format!("{} {}", self.name, some.join(","))]).await?;
        }
        Ok(())
    }
}
