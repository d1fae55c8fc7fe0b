//! A maildrop on its way to its reader, and out of the mailbox once the reader has it: whole for XRETRIEVE, message by message for
//! POP3.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use proto::ReversePath;
use proto::carriable::Carrier;
use proto::pop3::server::Message;
use proto::pop3::{Response, responses};
use proto::smtp::server::Block;
use proto::smtp::{Reply, replies};
use store::{AccountId, Arrivals, EntryId, Form, Maildrop, MaildropEntry, Opened, Reader, Store, StoreError};
use tokio::time::Instant;

use super::{Client, Identity, log_failure, store_refusal};

/// What stands in the place of a message that the store can't read, so that those behind it can be had.
const NOTICE: &[u8] = b"This message is damaged and cannot be read. It stays on the server: tell its operator.\r\n";

/// The most messages that are opened ahead of their turn.
const AHEAD_MAX: usize = 32;
/// The most octets that they have together, unless it is one message alone.
const AHEAD_OCTETS_MAX: u64 = 128 << 10;

/// What is being handed over.
pub(super) struct Handover<R> {
    /// Whose it is, and what; in the order in which it goes out. What can't be read is taken off: it is not to be flushed.
    maildrop: Option<(AccountId, Vec<Entry>)>,
    /// How many of them have gone out, or are about to.
    opened: usize,
    /// Those that come next, as far as they have been opened.
    ahead: VecDeque<Opened<R>>,
    text: Text<R>,
}

/// What of an entry matters here.
struct Entry {
    id: EntryId,
    octets: u64,
}

/// The text of the message that is going out.
enum Text<R> {
    Out,
    Notice,
    Stored(Box<Stored<R>>),
}

/// A message that is read from the store.
struct Stored<R> {
    /// What goes before it, until it is out.
    trace: Option<String>,
    reader: R,
    /// Makes lines of a binary one; gone with its end.
    carrier: Option<Carrier>,
}

impl<R: Reader> Stored<R> {
    fn new(trace: Option<String>, form: Form, reader: R) -> Self {
        Self { trace, reader, carrier: (form != Form::Text).then(Carrier::new) }
    }

    async fn next(&mut self) -> Result<Option<Bytes>, StoreError> {
        if let Some(trace) = self.trace.take() {
            return Ok(Some(trace.into()));
        }
        let Some(carrier) = &mut self.carrier else {
            return self.reader.next().await;
        };
        let mut lines = BytesMut::new();
        match self.reader.next().await? {
            Some(octets) => carrier.write(&octets, &mut lines),
            None => {
                if let Some(carrier) = self.carrier.take() {
                    carrier.finish(&mut lines);
                }
            }
        }
        Ok(Some(lines.freeze()))
    }
}

/// A message as POP3 lists it: the trace lines are part of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listed(MaildropEntry);

impl Message for Listed {
    fn octets(&self) -> u64 {
        let octets = match self.0.form {
            Form::Text => self.0.octets,
            Form::Binary { carried_octets } => carried_octets,
        };
        self.0.trace_octets + octets
    }

    /// Entries are numbered anew in a new store, or in one that was put back to an earlier state: then the time tells them apart.
    fn unique_id(&self) -> String {
        format!("{}-{}", self.0.id.0, self.0.received_at.0)
    }
}

impl<R> Default for Handover<R> {
    fn default() -> Self {
        Self { maildrop: None, opened: 0, ahead: VecDeque::new(), text: Text::Out }
    }
}

/// A mailbox that is waited on.
pub(crate) struct Waiting {
    pub(crate) arrivals: Arrivals,
    pub(crate) until: Instant,
}

impl<S: Store> Client<S> {
    /// Takes stock of the client's mailbox. How many messages are there; and if none is and the client wants to wait, how.
    pub(crate) async fn open_maildrop(&mut self, wait: Duration) -> Result<(usize, Option<Waiting>), Reply> {
        let account = self.identity().ok_or(replies::REGISTER_FIRST)?.account;
        // Before the look: what comes in between the two must wake the waiting.
        let arrivals = (!wait.is_zero()).then(|| self.shared.store.arrivals(account));
        let count = self.snapshot(account).await?;
        let waiting =
            arrivals.filter(|_| count == 0).map(|arrivals| Waiting { arrivals, until: Instant::now() + wait });
        Ok((count, waiting))
    }

    /// Takes stock again.
    pub(crate) async fn look_again(&mut self) -> Result<usize, Reply> {
        let account = self.identity().ok_or(replies::REGISTER_FIRST)?.account;
        self.snapshot(account).await
    }

    async fn snapshot(&mut self, account: AccountId) -> Result<usize, Reply> {
        let Maildrop { entries } = self.shared.store.maildrop(account).await.map_err(|error| store_refusal(&error))?;
        let entries: Vec<Entry> = entries.iter().map(|entry| Entry { id: entry.id, octets: entry.octets }).collect();
        let count = entries.len();
        self.handover = Handover { maildrop: Some((account, entries)), ..Handover::default() };
        Ok(count)
    }

    /// Opens the next message. `None`: it can't be had.
    pub(crate) async fn next_message(&mut self) -> Option<Block> {
        if self.handover.ahead.is_empty() {
            self.open_ahead().await;
        }
        let opened = self.handover.ahead.pop_front()?;
        let (_, entries) = self.handover.maildrop.as_mut()?;
        match opened {
            Ok(Some((message, reader))) => {
                self.handover.opened += 1;
                self.handover.text = Text::Stored(Box::new(Stored::new(None, message.form, reader)));
                Some(Block { from: message.reverse_path, to: message.recipient })
            }
            Ok(None) => {
                tracing::info!(peer = %self.peer, "a message went while its mailbox was read: another session has it");
                None
            }
            Err(StoreError::Failed(error)) => {
                let Entry { id, .. } = entries.remove(self.handover.opened);
                tracing::error!(error, entry = id.0, "a message is damaged: it is kept, its reader is told");
                self.handover.text = Text::Notice;
                Some(Block { from: ReversePath::Null, to: self.identity()?.address.clone() })
            }
            Err(error) => {
                log_failure(&error, "cannot open a message");
                None
            }
        }
    }

    /// Opens some more messages.
    async fn open_ahead(&mut self) {
        let Some((account, entries)) = &self.handover.maildrop else { return };
        let mut octets = 0;
        let fits = |entry: &&Entry| {
            let is_first = octets == 0;
            octets += entry.octets;
            is_first || octets <= AHEAD_OCTETS_MAX
        };
        let next = entries.iter().skip(self.handover.opened).take(AHEAD_MAX).take_while(fits);
        let ids: Vec<EntryId> = next.map(|entry| entry.id).collect();
        self.handover.ahead = self.shared.store.open_all(*account, &ids).await.into();
    }

    /// The next octets of the message; `Ok(None)` at its end.
    pub(crate) async fn next_chunk(&mut self) -> Result<Option<Bytes>, StoreError> {
        let chunk = match &mut self.handover.text {
            Text::Out => None,
            Text::Notice => {
                self.handover.text = Text::Out;
                Some(Bytes::from_static(NOTICE))
            }
            Text::Stored(stored) => stored.next().await?,
        };
        if chunk.is_none() {
            self.handover.text = Text::Out;
        }
        Ok(chunk)
    }

    /// What does the mailbox hold?
    pub(crate) async fn list(&self) -> Result<Vec<Listed>, Response> {
        let account = self.identity().ok_or(responses::BAD_CREDENTIALS)?.account;
        match self.shared.store.maildrop(account).await {
            Ok(maildrop) => Ok(maildrop.entries.into_iter().map(Listed).collect()),
            Err(error) => {
                log_failure(&error, "cannot list a mailbox");
                Err(responses::STORE_FAILED)
            }
        }
    }

    /// Opens one message.
    pub(crate) async fn open_message(&mut self, message: &Listed) -> Result<(), Response> {
        let account = self.identity().ok_or(responses::MESSAGE_GONE)?.account;
        let entry = message.0.id;
        match self.shared.store.open(account, entry).await {
            Ok(Some((message, reader))) => {
                self.handover.text = Text::Stored(Box::new(Stored::new(Some(message.trace), message.form, reader)));
                Ok(())
            }
            Ok(None) => Err(responses::MESSAGE_GONE),
            Err(StoreError::Failed(error)) => {
                tracing::error!(error, entry = entry.0, "a message is damaged: it is kept, its reader is told");
                Err(responses::MESSAGE_DAMAGED)
            }
            Err(error) => {
                log_failure(&error, "cannot open a message");
                Err(responses::STORE_FAILED)
            }
        }
    }

    /// Removes messages, all or none.
    pub(crate) async fn remove(&mut self, messages: &[Listed]) -> Result<(), Response> {
        // An account that has ended has taken its mail along.
        let Some(Identity { account, .. }) = self.identity() else { return Ok(()) };
        let account = *account;
        let entries: Vec<EntryId> = messages.iter().map(|message| message.0.id).collect();
        match self.shared.store.flush(account, &entries).await {
            Ok(()) => {
                tracing::info!(peer = %self.peer, messages = entries.len(), "removed");
                Ok(())
            }
            Err(error) => {
                log_failure(&error, "cannot remove messages: they stay");
                Err(responses::NOT_REMOVED)
            }
        }
    }

    /// The reader has shown that it has all of them.
    pub(crate) async fn flush(&mut self) {
        let Some((account, entries)) = std::mem::take(&mut self.handover).maildrop else { return };
        let entries: Vec<EntryId> = entries.iter().map(|entry| entry.id).collect();
        match self.shared.store.flush(account, &entries).await {
            Ok(()) => tracing::info!(peer = %self.peer, messages = entries.len(), "flushed"),
            Err(error) => log_failure(&error, "cannot flush what was handed over: it will come again"),
        }
    }
}
