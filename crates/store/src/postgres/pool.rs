//! The connections of this server: so many and no more, each used by one caller at a time, and kept while they are good.

use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout};

use super::connection::{Connection, Connector};
use super::failure::{Cause, Failure};

/// How long a caller waits for a connection that others have.
const WAIT: Duration = Duration::from_secs(10);
/// After the database could not be reached, this long nobody tries again: all are told at once.
const PAUSE: Duration = Duration::from_millis(500);
/// If whoever tries has not come to an end by then, somebody else may try.
const ATTEMPT_WAIT: Duration = Duration::from_secs(8);

pub(super) struct Pool {
    connector: Arc<Connector>,
    permits: Arc<Semaphore>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    /// Why the database could not be reached when that was tried last, and until when that is an answer.
    failed: Option<(Failure, Instant)>,
}

impl Pool {
    pub(super) fn new(connector: Arc<Connector>, connections: usize) -> Self {
        Self { connector, permits: Arc::new(Semaphore::new(connections)), state: Mutex::default() }
    }

    /// A connection for one caller.
    pub(super) async fn take(&self) -> Result<Lent<'_>, Failure> {
        let permit = match timeout(WAIT, Arc::clone(&self.permits).acquire_owned()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) | Err(_) => {
                return Err(Failure::NotNow(Cause::new("all connections to the database are in use")));
            }
        };
        // The one used last: what is not needed gets idle, and those that the database has closed meanwhile are found at last.
        let idle = {
            let mut state = self.state();
            let is_good = |it: &Connection| !it.is_lost() && !self.connector.is_replaced(it);
            std::iter::from_fn(|| state.idle.pop()).find(is_good)
        };
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        Ok(Lent { pool: self, connection, _permit: permit })
    }

    async fn connect(&self) -> Result<Connection, Failure> {
        self.may_connect()?;
        match self.connector.connect().await {
            Ok((connection, _)) => {
                let mut state = self.state();
                if state.failed.take().is_some() {
                    tracing::info!("the database is there again");
                }
                Ok(connection)
            }
            Err(failure) => {
                let failed = (failure.share(), Instant::now() + PAUSE);
                if self.state().failed.replace(failed).is_none() {
                    tracing::error!(error = %failure, "the database can't be reached: no mail is taken until it can");
                }
                Err(failure)
            }
        }
    }

    /// While it is down one caller tries at a time, and the others are told at once.
    fn may_connect(&self) -> Result<(), Failure> {
        let mut state = self.state();
        let Some((failure, until)) = &mut state.failed else { return Ok(()) };
        let now = Instant::now();
        if *until > now {
            return Err(failure.share());
        }
        *until = now + ATTEMPT_WAIT;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that goes back to the pool when it is given back, and is cut when it is dropped instead: something may be
/// going on there.
pub(super) struct Lent<'p> {
    pool: &'p Pool,
    connection: Connection,
    _permit: OwnedSemaphorePermit,
}

impl Lent<'_> {
    /// Nothing is going on there any more.
    pub(super) fn give_back(self) {
        if !self.connection.is_lost() {
            self.pool.state().idle.push(self.connection);
        }
    }

    /// It is of no use, so those that were idle meanwhile are not to be trusted either.
    pub(super) fn lose(self) {
        self.pool.state().idle.clear();
    }

    /// What fits this outcome of a statement.
    pub(super) fn give_back_after<T>(self, outcome: Result<T, Failure>) -> Result<T, Failure> {
        match &outcome {
            Err(Failure::Lost(_)) => self.lose(),
            _ => self.give_back(),
        }
        outcome
    }
}

impl Deref for Lent<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}
