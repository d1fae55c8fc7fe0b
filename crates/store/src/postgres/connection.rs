//! One connection to the database: how it is made, what is agreed on it, and who listens to what the database says unasked.

use std::collections::HashMap;
use std::future::{Future, poll_fn};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::timeout;
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::error::Severity;
use tokio_postgres::types::ToSql;
use tokio_postgres::{AsyncMessage, Client, Config, Row, SimpleQueryMessage, Socket, Statement};

use super::failure::{Cause, Failure};
use super::options::{Options, Password};
use super::tls::{Encrypted, Tls};

/// How long a host has to become a connection.
const CONNECT_WAIT: Duration = Duration::from_secs(3);
/// How long those who come later are waited for where several take connections.
const SECOND_WAIT: Duration = Duration::from_secs(1);
/// How long the database has for one statement.
const STATEMENT_WAIT: Duration = Duration::from_secs(10);
/// How long it has for one that may concern a whole mailbox, or every account.
const LONG_WAIT: Duration = Duration::from_secs(600);
/// The most notifications that wait to be heard. Those that are too many are not heard: they are hints.
const NOTIFICATIONS_MAX: usize = 1024;

/// What is agreed on each connection, on top of what the database's operator has set. There is no limit of time on statements: a
/// COMMIT that is cut off would look like one that went well. What a server leaves behind that is not heard of any more lets
/// go of its locks, and nobody waits for a lock for long.
const SESSION: &str = "
    SET statement_timeout = 0;
    SET lock_timeout = '5s';
    SET idle_in_transaction_session_timeout = '15s';
    SET tcp_keepalives_idle = 10;
    SET tcp_keepalives_interval = 5;
    SET tcp_keepalives_count = 3;
    SET default_transaction_isolation = 'read committed';
    SET client_min_messages = 'warning';
    SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')
        WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)";

/// Which of the histories that have branched off by promotions the database is on, in eight hexadecimal digits.
const TIMELINE: &str = "SELECT substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8)";

/// A parameter of a statement.
pub(super) type Parameter<'a> = &'a (dyn ToSql + Sync);

/// Where connections come from.
pub(super) struct Connector {
    /// One for each place where the database may be.
    places: Vec<(String, Config)>,
    tls: Tls,
    /// The newest timeline that was seen. A primary on an older one has been replaced, and may not know it yet.
    newest: AtomicU32,
}

/// A connection, and the notifications that come by it.
pub(super) type Connected = (Connection, mpsc::Receiver<String>);

impl Connector {
    pub(super) fn new(options: &Options, tls: Tls) -> Self {
        let names = options.url.places().into_iter().map(|place| place.to_string());
        let configs = configs(options);
        Self { places: names.zip(configs).collect(), tls, newest: AtomicU32::new(0) }
    }

    /// A connection to the one that takes writes. All are asked at once, so that one that hangs keeps nobody from the others.
    pub(super) async fn connect(&self) -> Result<Connected, Failure> {
        let mut attempts = JoinSet::new();
        for (name, config) in &self.places {
            let (name, config, tls) = (name.clone(), config.clone(), self.tls.clone());
            attempts.spawn(async move {
                match timeout(CONNECT_WAIT, open(&config, tls)).await {
                    Ok(Ok(connected)) => Ok(connected),
                    Ok(Err(failure)) => Err(format!("{name}: {}", failure.cause())),
                    Err(_) => Err(format!("{name}: no answer in {} s", CONNECT_WAIT.as_secs())),
                }
            });
        }
        let (mut best, mut causes) = (None::<Connected>, Vec::new());
        loop {
            let wait = if best.is_some() { SECOND_WAIT } else { CONNECT_WAIT * 2 };
            match timeout(wait, attempts.join_next()).await {
                Ok(Some(Ok(Ok(connected)))) if self.is_replaced(&connected.0) => {
                    causes.push("a primary that has been replaced".to_owned());
                }
                Ok(Some(Ok(Ok(connected)))) => {
                    if best.as_ref().is_none_or(|(best, _)| best.timeline < connected.0.timeline) {
                        best = Some(connected);
                    }
                }
                Ok(Some(Ok(Err(cause)))) => causes.push(cause),
                Ok(Some(Err(error))) => causes.push(error.to_string()),
                Ok(None) | Err(_) => break,
            }
        }
        if let Some(best) = best {
            self.newest.fetch_max(best.0.timeline, Ordering::AcqRel);
            return Ok(best);
        }
        causes.sort();
        Err(Failure::NotNow(Cause::new(format!("no database takes writes: {}", causes.join("; ")))))
    }

    /// Whether it leads to a primary that another one has taken the place of.
    pub(super) fn is_replaced(&self, connection: &Connection) -> bool {
        connection.timeline < self.newest.load(Ordering::Acquire)
    }
}

/// A URL with several hosts as several with one.
fn configs(options: &Options) -> Vec<Config> {
    let (all, password) = (options.url.config(), options.password.as_ref().map(Password::octets));
    let authorities = options.authorities.is_some();
    let (hosts, addresses, ports) = (all.get_hosts(), all.get_hostaddrs(), all.get_ports());
    (0..hosts.len().max(addresses.len()))
        .map(|at| {
            let mut one = Config::new();
            one.user(all.get_user().unwrap_or_default()).dbname(all.get_dbname().unwrap_or_default());
            one.application_name(all.get_application_name().unwrap_or("mymail"));
            let must_prove = authorities && all.get_ssl_mode() == SslMode::Prefer;
            one.ssl_mode(if must_prove { SslMode::Require } else { all.get_ssl_mode() });
            one.channel_binding(all.get_channel_binding());
            one.ssl_negotiation(all.get_ssl_negotiation());
            one.target_session_attrs(TargetSessionAttrs::ReadWrite);
            one.connect_timeout(CONNECT_WAIT).tcp_user_timeout(STATEMENT_WAIT).keepalives_idle(STATEMENT_WAIT);
            if let Some(options) = all.get_options() {
                one.options(options);
            }
            if let Some(password) = all.get_password().or(password) {
                one.password(password);
            }
            match hosts.get(at) {
                Some(Host::Tcp(host)) => one.host(host.clone()),
                Some(Host::Unix(folder)) => one.host_path(folder),
                None => &mut one,
            };
            if let Some(address) = addresses.get(at) {
                one.hostaddr(*address);
            }
            one.port(ports.get(at).or(ports.first()).copied().unwrap_or(5432));
            one
        })
        .collect()
}

async fn open(config: &Config, tls: Tls) -> Result<Connected, Failure> {
    let (client, wire) = config.connect(tls).await?;
    let (notifications, heard) = mpsc::channel(NOTIFICATIONS_MAX);
    let was_warned = Arc::new(AtomicBool::new(false));
    let driver = tokio::spawn(drive(wire, Arc::clone(&was_warned), notifications));
    let driver = AbortOnDrop(driver.abort_handle());
    client.batch_execute(SESSION).await?;
    let timeline = timeline(&client).await?;
    Ok((Connection { client, timeline, statements: Mutex::default(), was_warned, _driver: driver }, heard))
}

/// Zero where the database has no such thing.
async fn timeline(client: &Client) -> Result<u32, Failure> {
    let said = match client.simple_query(TIMELINE).await {
        Ok(said) => said,
        Err(error) if error.as_db_error().is_some() => return Ok(0),
        Err(error) => return Err(error.into()),
    };
    let digits = said.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0),
        _ => None,
    });
    Ok(digits.and_then(|digits| u32::from_str_radix(digits, 16).ok()).unwrap_or_default())
}

/// Carries what is sent and what comes, in order: a warning about a statement is noted before whoever waits hears how that ended.
async fn drive(
    mut wire: tokio_postgres::Connection<Socket, Encrypted>,
    was_warned: Arc<AtomicBool>,
    notifications: mpsc::Sender<String>,
) {
    loop {
        match poll_fn(|context| wire.poll_message(context)).await {
            Some(Ok(AsyncMessage::Notice(notice))) => {
                if matches!(notice.parsed_severity(), Some(Severity::Warning)) {
                    was_warned.store(true, Ordering::Release);
                }
                tracing::warn!(code = notice.code().code(), said = notice.message(), "the database warns");
            }
            Some(Ok(AsyncMessage::Notification(notification))) => {
                if notifications.try_send(notification.payload().to_owned()).is_err() {
                    tracing::debug!("nobody hears a notification");
                }
            }
            Some(Ok(_)) => {}
            // Whoever waits hears of it too.
            Some(Err(error)) => return tracing::debug!(%error, "a connection to the database is lost"),
            None => return,
        }
    }
}

/// Cuts the connection, whatever the database is doing.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A connection. Statements that are awaited together are sent together, in the order in which they are first polled.
pub(super) struct Connection {
    client: Client,
    timeline: u32,
    statements: Mutex<HashMap<&'static str, Statement>>,
    was_warned: Arc<AtomicBool>,
    _driver: AbortOnDrop,
}

impl Connection {
    /// Whether it is known to be of no use any more.
    pub(super) fn is_lost(&self) -> bool {
        self.client.is_closed()
    }

    /// Lets the database know these statements, so that they can be sent together. The program has so many of them and no more.
    pub(super) async fn prepare(&self, statements: &[&'static str]) -> Result<(), Failure> {
        for sql in statements {
            self.statement(sql).await?;
        }
        Ok(())
    }

    async fn statement(&self, sql: &'static str) -> Result<Statement, Failure> {
        let known = self.statements.lock().unwrap_or_else(PoisonError::into_inner).get(sql).cloned();
        if let Some(statement) = known {
            return Ok(statement);
        }
        let statement = in_time(STATEMENT_WAIT, self.client.prepare(sql)).await?;
        self.statements.lock().unwrap_or_else(PoisonError::into_inner).insert(sql, statement.clone());
        Ok(statement)
    }

    /// The rows of a statement.
    pub(super) async fn query(&self, sql: &'static str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>, Failure> {
        let statement = self.statement(sql).await?;
        in_time(STATEMENT_WAIT, self.client.query(&statement, parameters)).await
    }

    /// How many rows a statement has changed.
    pub(super) async fn execute(&self, sql: &'static str, parameters: &[Parameter<'_>]) -> Result<u64, Failure> {
        let statement = self.statement(sql).await?;
        in_time(STATEMENT_WAIT, self.client.execute(&statement, parameters)).await
    }

    /// The same for a statement that may concern a whole mailbox, or every account.
    pub(super) async fn execute_long(&self, sql: &'static str, parameters: &[Parameter<'_>]) -> Result<u64, Failure> {
        let statement = self.statement(sql).await?;
        in_time(LONG_WAIT, self.client.execute(&statement, parameters)).await
    }

    /// Statements without parameters.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), Failure> {
        in_time(STATEMENT_WAIT, self.client.batch_execute(sql)).await
    }

    /// The same, for changes of the schema.
    pub(super) async fn batch_long(&self, sql: &str) -> Result<(), Failure> {
        in_time(LONG_WAIT, self.client.batch_execute(sql)).await
    }

    /// Whether the database has warned since this was asked last.
    pub(super) fn was_warned(&self) -> bool {
        self.was_warned.swap(false, Ordering::AcqRel)
    }
}

async fn in_time<T>(
    wait: Duration,
    answer: impl Future<Output = Result<T, tokio_postgres::Error>>,
) -> Result<T, Failure> {
    match timeout(wait, answer).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Failure::no_answer(wait)),
    }
}
