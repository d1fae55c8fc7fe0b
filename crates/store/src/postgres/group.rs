//! Several deliveries in one transaction.
//!
//! First the accounts of all recipients are locked, in one order for all, then messages get their numbers: so in each mailbox the
//! numbers grow in the order in which messages come into it, whichever server they come through. Then all rows of a table go
//! into it by one statement.

use std::collections::{BTreeMap, HashSet};

use super::accounts::{self, LOCK_LIVING};
use super::body::{Finished, Spooled, Stored};
use super::failure::{Cause, Failure};
use super::rows::{first, integer};
use super::transaction::Transaction;
use crate::{AccountId, Delivered, Form, MessageId, NewMessage, StoreError};

/// A message on its way into mailboxes.
pub(super) struct Incoming {
    reverse_path: String,
    trace: String,
    received_at: i64,
    octets: i64,
    carried_octets: Option<i64>,
    digest: i64,
    content: Stored,
    /// Each account once, with the address that leads there.
    recipients: Vec<(i64, String)>,
    /// The number that it had elsewhere.
    number: Option<i64>,
}

impl Incoming {
    pub(super) fn new(message: NewMessage, body: Finished, number: Option<MessageId>) -> Result<Self, StoreError> {
        let NewMessage { reverse_path, recipients, trace, received_at, form } = message;
        let Finished { octets, digest, content } = body;
        let carried_octets = match form {
            Form::Text => None,
            Form::Binary { carried_octets } => Some(integer(carried_octets)?),
        };
        let mut named = HashSet::new();
        let once = recipients.into_iter().filter(|to| named.insert(to.account));
        Ok(Self {
            reverse_path: reverse_path.to_string(),
            trace,
            received_at: received_at.0,
            octets: integer(octets)?,
            carried_octets,
            digest: digest.cast_signed(),
            content,
            recipients: once.map(|to| (to.account.0, to.address.to_string())).collect(),
            number: number.map(|number| number.0),
        })
    }

    /// The octets that it takes in memory, more or less.
    pub(super) fn weight(&self) -> usize {
        match &self.content {
            Stored::Inline(body) => body.bytes.len(),
            Stored::Spooled(_) => 0,
        }
    }

    fn spooled(&self) -> Option<&Spooled> {
        match &self.content {
            Stored::Inline(_) => None,
            Stored::Spooled(spooled) => Some(spooled),
        }
    }

    fn body(&self) -> Option<&[u8]> {
        match &self.content {
            Stored::Inline(body) => Some(&body.bytes),
            Stored::Spooled(_) => None,
        }
    }
}

/// A message and the reports about it: all of them are kept, or none.
pub(super) struct Delivery {
    pub(super) message: Incoming,
    pub(super) reports: Vec<Incoming>,
}

impl Delivery {
    fn all(&self) -> impl Iterator<Item = &Incoming> {
        std::iter::once(&self.message).chain(&self.reports)
    }

    pub(super) fn weight(&self) -> usize {
        self.all().map(Incoming::weight).sum()
    }

    /// The number that the message has brought along.
    pub(super) fn number(&self) -> Option<i64> {
        self.message.number
    }

    /// Whether a message of it is in chunks.
    pub(super) fn is_spooled(&self) -> bool {
        self.all().any(|message| message.spooled().is_some())
    }

    /// Whose mailboxes are to get something.
    pub(super) fn accounts(&self) -> impl Iterator<Item = i64> {
        self.all().flat_map(|message| &message.recipients).map(|(account, _)| *account)
    }

    /// It is kept: its chunks are the message's.
    pub(super) fn kept(&mut self) {
        for message in std::iter::once(&mut self.message).chain(&mut self.reports) {
            if let Stored::Spooled(spooled) = &mut message.content {
                spooled.delivered();
            }
        }
    }
}

/// What a group has done.
pub(super) struct Grouped {
    /// For each delivery.
    pub(super) delivered: Vec<Delivered>,
    /// Whose mailboxes have got something.
    pub(super) accounts: Vec<AccountId>,
}

/// How long mailboxes that are locked are waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Patience {
    /// As long as on every connection.
    Long,
    /// Others are waiting with it.
    Short,
}

const BE_SHORT: &str = "SET LOCAL lock_timeout = '300ms'";
const NUMBERS: &str = "SELECT nextval('message_id') FROM generate_series(1, $1::BIGINT)";

/// Keeps them all.
pub(super) async fn deliver(
    transaction: &Transaction<'_>,
    group: &[&Delivery],
    patience: Patience,
) -> Result<Grouped, Failure> {
    transaction.prepare(&[LOCK_LIVING, NUMBERS]).await?;
    if patience == Patience::Short {
        transaction.execute(BE_SHORT, &[]).await?;
    }
    let messages: Vec<&Incoming> = group.iter().flat_map(|delivery| delivery.all()).collect();
    let named: Vec<i64> =
        group.iter().flat_map(|delivery| delivery.accounts()).collect::<HashSet<_>>().into_iter().collect();
    // A number that is drawn is used up, so those that bring theirs along draw none.
    let count = messages.iter().filter(|message| message.number.is_none()).count() as i64;

    let (living, numbers) = tokio::join!(
        biased;
        accounts::lock_living(transaction, &named),
        async { transaction.query(NUMBERS, &[&count]).await },
    );
    let living: HashSet<i64> = living?.into_iter().collect();
    let numbers: Vec<i64> = numbers?.iter().map(first).collect::<Result<_, _>>()?;
    let mut numbers = numbers.into_iter();
    let mut numbered = Vec::with_capacity(messages.len());
    for message in messages {
        let number = message.number.or_else(|| numbers.next()).ok_or_else(|| Failure::damaged("there is no number"))?;
        numbered.push((number, message));
    }

    let rows = Rows::new(&numbered, &living);
    rows.insert(transaction).await?;
    claim_chunks(transaction, rows.spools).await?;

    let mut delivered = Vec::with_capacity(group.len());
    let mut place = 0;
    for delivery in group {
        let recipients = delivery.message.recipients.iter().map(|(account, _)| *account);
        let gone = recipients.filter(|account| !living.contains(account)).map(AccountId).collect();
        delivered.push(Delivered { message: MessageId(numbered[place].0), gone });
        place += 1 + delivery.reports.len();
    }
    Ok(Grouped { delivered, accounts: rows.sums.into_keys().map(AccountId).collect() })
}

/// The new rows of three tables, column by column.
#[derive(Default)]
struct Rows<'m> {
    messages: MessageRows<'m>,
    entries: EntryRows<'m>,
    /// Octets and messages that come into each account's mailbox.
    sums: BTreeMap<i64, (i64, i64)>,
    spools: Vec<&'m Spooled>,
}

#[derive(Default)]
struct MessageRows<'m> {
    id: Vec<i64>,
    mailboxes: Vec<i64>,
    reverse_path: Vec<&'m str>,
    trace: Vec<&'m str>,
    received_at: Vec<i64>,
    octets: Vec<i64>,
    carried_octets: Vec<Option<i64>>,
    digest: Vec<i64>,
    spool: Vec<Option<i64>>,
    body: Vec<Option<&'m [u8]>>,
}

#[derive(Default)]
struct EntryRows<'m> {
    account: Vec<i64>,
    message: Vec<i64>,
    recipient: Vec<&'m str>,
    octets: Vec<i64>,
    carried_octets: Vec<Option<i64>>,
    trace_octets: Vec<i64>,
    received_at: Vec<i64>,
}

const INSERT_MESSAGES: &str = "INSERT INTO message
    (id, mailboxes, reverse_path, trace, received_at, octets, carried_octets, digest, spool, body)
    SELECT * FROM unnest($1::BIGINT[], $2::BIGINT[], $3::TEXT[], $4::TEXT[], $5::BIGINT[], $6::BIGINT[], $7::BIGINT[],
        $8::BIGINT[], $9::BIGINT[], $10::BYTEA[])";
const INSERT_ENTRIES: &str = "INSERT INTO entry
    (account, message, recipient, octets, carried_octets, trace_octets, received_at)
    SELECT * FROM unnest($1::BIGINT[], $2::BIGINT[], $3::TEXT[], $4::BIGINT[], $5::BIGINT[], $6::BIGINT[], $7::BIGINT[])";
const ADD: &str =
    "UPDATE account SET octets = account.octets + more.octets, messages = account.messages + more.messages
    FROM unnest($1::BIGINT[], $2::BIGINT[], $3::BIGINT[]) AS more (id, octets, messages) WHERE account.id = more.id";

impl<'m> Rows<'m> {
    /// What nobody gets makes no row.
    fn new(messages: &[(i64, &'m Incoming)], living: &HashSet<i64>) -> Self {
        let mut rows = Self::default();
        for (number, message) in messages {
            let recipients = message.recipients.iter().filter(|(account, _)| living.contains(account));
            let mut mailboxes = 0;
            for (account, address) in recipients {
                rows.entries.add(*account, *number, address, message);
                let (octets, messages) = rows.sums.entry(*account).or_default();
                *octets += message.octets;
                *messages += 1;
                mailboxes += 1;
            }
            if mailboxes > 0 {
                rows.messages.add(*number, mailboxes, message);
                rows.spools.extend(message.spooled());
            }
        }
        rows
    }

    async fn insert(&self, transaction: &Transaction<'_>) -> Result<(), Failure> {
        if self.messages.id.is_empty() {
            return Ok(());
        }
        transaction.prepare(&[INSERT_MESSAGES, INSERT_ENTRIES, ADD]).await?;
        let Self { messages, entries, sums, .. } = self;
        let accounts: Vec<i64> = sums.keys().copied().collect();
        let (octets, counts): (Vec<i64>, Vec<i64>) = sums.values().copied().unzip();
        let (messages, entries, sums) = tokio::join!(
            biased;
            messages.insert(transaction),
            entries.insert(transaction),
            async { transaction.execute(ADD, &[&accounts, &octets, &counts]).await },
        );
        messages?;
        entries?;
        sums?;
        Ok(())
    }
}

impl<'m> MessageRows<'m> {
    fn add(&mut self, number: i64, mailboxes: i64, message: &'m Incoming) {
        self.id.push(number);
        self.mailboxes.push(mailboxes);
        self.reverse_path.push(&message.reverse_path);
        self.trace.push(&message.trace);
        self.received_at.push(message.received_at);
        self.octets.push(message.octets);
        self.carried_octets.push(message.carried_octets);
        self.digest.push(message.digest);
        self.spool.push(message.spooled().map(Spooled::id));
        self.body.push(message.body());
    }

    async fn insert(&self, transaction: &Transaction<'_>) -> Result<u64, Failure> {
        let Self { id, mailboxes, reverse_path, trace, received_at, octets, carried_octets, digest, spool, body } =
            self;
        transaction
            .execute(
                INSERT_MESSAGES,
                &[id, mailboxes, reverse_path, trace, received_at, octets, carried_octets, digest, spool, body],
            )
            .await
    }
}

impl<'m> EntryRows<'m> {
    fn add(&mut self, account: i64, number: i64, recipient: &'m str, message: &'m Incoming) {
        self.account.push(account);
        self.message.push(number);
        self.recipient.push(recipient);
        self.octets.push(message.octets);
        self.carried_octets.push(message.carried_octets);
        self.trace_octets.push(message.trace.len() as i64);
        self.received_at.push(message.received_at);
    }

    async fn insert(&self, transaction: &Transaction<'_>) -> Result<u64, Failure> {
        let Self { account, message, recipient, octets, carried_octets, trace_octets, received_at } = self;
        transaction
            .execute(INSERT_ENTRIES, &[account, message, recipient, octets, carried_octets, trace_octets, received_at])
            .await
    }
}

const CLAIM: &str = "DELETE FROM spool WHERE id = $1";
const CHUNKS: &str = "SELECT count(*) FROM chunk WHERE spool = $1";

/// Chunks become a message's. All of them have to be there: a server that became the primary meanwhile may lack some.
async fn claim_chunks(transaction: &Transaction<'_>, spools: Vec<&Spooled>) -> Result<(), Failure> {
    for spooled in spools {
        let claimed = transaction.execute(CLAIM, &[&spooled.id()]).await?;
        let rows = transaction.query(CHUNKS, &[&spooled.id()]).await?;
        let there: i64 = rows.first().map(first).transpose()?.unwrap_or_default();
        if claimed != 1 || there != spooled.chunks() {
            return Err(Failure::NotNow(Cause::new("a part of the message was lost with the database that had it")));
        }
    }
    Ok(())
}
