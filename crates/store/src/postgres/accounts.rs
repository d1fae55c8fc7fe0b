//! What is done to accounts, in SQL.

use proto::sasl::scram::Verifier;
use proto::{Address, Domain};

use super::failure::{Cause, Failure};
use super::messages;
use super::rows::{self, first, integer};
use super::transaction::{Transaction, Transactions};
use crate::{Account, AccountId, AccountSummary, Mailbox, Quota, StoreError, Timestamp};

/// An account that is to be, as it goes into the table.
pub(super) struct NewAccount {
    key: String,
    address: String,
    domain: String,
    number: Option<i64>,
    verifier: Option<String>,
    now: Timestamp,
}

impl NewAccount {
    pub(super) fn new(address: &Address, verifier: Option<&Verifier>, now: Timestamp) -> Self {
        let address = address.base();
        Self {
            key: address.key(),
            domain: address.domain().to_string(),
            number: address.number().map(i64::from),
            address: address.to_string(),
            verifier: verifier.map(Verifier::to_string),
            now,
        }
    }
}

/// Fails unless the node counts as living, and keeps it so until the transaction ends.
const LIVING_NODE: &str = "SELECT 1 FROM node WHERE id = $1 FOR KEY SHARE";
const LET_GO_OF_KEY: &str = "DELETE FROM account WHERE key = $1 AND held_until <= $2";
const REGISTER: &str = "INSERT INTO account (key, address, domain, number, verifier, node, used_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (key) DO NOTHING RETURNING id";

/// The new account, or `None` if the address is taken or held. One without a verifier lives with a session of this node.
pub(super) async fn register(
    transaction: &Transaction<'_>,
    new: &NewAccount,
    node: i64,
) -> Result<Option<AccountId>, Failure> {
    transaction.prepare(&[LIVING_NODE, LET_GO_OF_KEY, REGISTER]).await?;
    let node = new.verifier.is_none().then_some(node);
    let living = async {
        match node {
            Some(node) => Ok(!transaction.query(LIVING_NODE, &[&node]).await?.is_empty()),
            None => Ok::<_, Failure>(true),
        }
    };
    let now = new.now.0;
    let (is_living, let_go, registered) = tokio::join!(
        biased;
        living,
        async { transaction.execute(LET_GO_OF_KEY, &[&new.key, &now]).await },
        async { transaction.query(REGISTER, &[&new.key, &new.address, &new.domain, &new.number, &new.verifier, &node, &now]).await },
    );
    if !is_living? {
        return Err(Failure::NotNow(Cause::new(
            "the other servers take this one for dead: it comes back as a new one",
        )));
    }
    let_go?;
    Ok(registered?.first().map(first).transpose()?.map(AccountId))
}

/// The number itself, or the first behind a taken one that is free.
const NEXT_FREE_NUMBER: &str = "SELECT number FROM (
        SELECT $2::BIGINT AS number
        UNION ALL
        SELECT number + 1 FROM account
            WHERE domain = $1 AND number >= $2 AND (held_until IS NULL OR held_until > $3)
    ) AS candidate
    WHERE NOT EXISTS (
        SELECT 1 FROM account WHERE domain = $1 AND account.number = candidate.number
            AND (held_until IS NULL OR held_until > $3)
    )
    ORDER BY number LIMIT 1";

/// The least free number from `from` on; `None` if all are taken.
pub(super) async fn next_free_number(
    transactions: &Transactions,
    domain: &Domain,
    from: u32,
    now: Timestamp,
) -> Result<Option<u32>, StoreError> {
    let rows = transactions.read(NEXT_FREE_NUMBER, &[&domain.as_str(), &i64::from(from), &now.0]).await?;
    let free: Option<i64> = rows.first().map(first).transpose()?;
    Ok(free.and_then(|number| u32::try_from(number).ok()))
}

const MAILBOX: &str = "SELECT id, octets, messages, quota_octets, quota_messages FROM account
    WHERE key = $1 AND held_until IS NULL";

/// The mailbox of the living account with this key.
pub(super) async fn mailbox(transactions: &Transactions, key: &str) -> Result<Option<Mailbox>, StoreError> {
    let rows = transactions.read(MAILBOX, &[&key]).await?;
    Ok(rows.first().map(rows::mailbox).transpose()?)
}

const IS_HELD: &str = "SELECT 1 FROM account WHERE key = $1 AND held_until > $2";

/// Whether an account with this key has ended and its address is held beyond now.
pub(super) async fn is_held(transactions: &Transactions, key: &str, now: Timestamp) -> Result<bool, StoreError> {
    Ok(!transactions.read(IS_HELD, &[&key, &now.0]).await?.is_empty())
}

const ACCOUNT: &str = "SELECT id, address, verifier, used_at FROM account WHERE id = $1 AND held_until IS NULL";

/// A living account.
pub(super) async fn account(transactions: &Transactions, id: AccountId) -> Result<Option<Account>, StoreError> {
    let rows = transactions.read(ACCOUNT, &[&id.0]).await?;
    Ok(rows.first().map(rows::account).transpose()?)
}

const ACCOUNTS: &str = "SELECT id, address, verifier, used_at, octets, messages, quota_octets, quota_messages
    FROM account WHERE key > $1 AND held_until IS NULL ORDER BY key LIMIT $2";

/// Living accounts behind this key.
pub(super) async fn accounts(
    transactions: &Transactions,
    after: &str,
    limit: usize,
) -> Result<Vec<AccountSummary>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let rows = transactions.read(ACCOUNTS, &[&after, &limit]).await?;
    Ok(rows.iter().map(rows::summary).collect::<Result<_, _>>()?)
}

const SUMMARY: &str = "SELECT id, address, verifier, used_at, octets, messages, quota_octets, quota_messages
    FROM account WHERE id = $1 AND held_until IS NULL";

/// A living account and how full its mailbox is.
pub(super) async fn summary(transactions: &Transactions, id: AccountId) -> Result<Option<AccountSummary>, StoreError> {
    let rows = transactions.read(SUMMARY, &[&id.0]).await?;
    Ok(rows.first().map(rows::summary).transpose()?)
}

/// It lives with no session any more.
const SET_VERIFIER: &str = "UPDATE account SET verifier = $2, node = NULL WHERE id = $1 AND held_until IS NULL";

/// Whether there is such an account.
pub(super) async fn set_verifier(
    transaction: &Transaction<'_>,
    id: AccountId,
    verifier: &str,
) -> Result<bool, Failure> {
    Ok(transaction.execute(SET_VERIFIER, &[&id.0, &verifier]).await? == 1)
}

/// A quota as it goes into the table.
pub(super) struct NewQuota {
    octets: Option<i64>,
    messages: Option<i64>,
}

impl NewQuota {
    pub(super) fn new(quota: Quota) -> Result<Self, StoreError> {
        let Quota { octets, messages } = quota;
        Ok(Self { octets: octets.map(integer).transpose()?, messages: messages.map(integer).transpose()? })
    }
}

const SET_QUOTA: &str =
    "UPDATE account SET quota_octets = $2, quota_messages = $3 WHERE id = $1 AND held_until IS NULL";

/// Whether there is such an account.
pub(super) async fn set_quota(transaction: &Transaction<'_>, id: AccountId, quota: &NewQuota) -> Result<bool, Failure> {
    Ok(transaction.execute(SET_QUOTA, &[&id.0, &quota.octets, &quota.messages]).await? == 1)
}

/// Locks those that live, in an order that is the same for all who lock several, so that nobody waits in a circle.
pub(super) const LOCK_LIVING: &str = "SELECT id FROM account WHERE id = ANY($1) AND held_until IS NULL
    ORDER BY id FOR NO KEY UPDATE";
const END: &str = "UPDATE account SET held_until = $2, verifier = NULL, node = NULL, octets = 0, messages = 0,
        quota_octets = NULL, quota_messages = NULL
    WHERE id = ANY($1)";

/// Turns accounts into holds on their addresses, those of them that live. How many that were.
pub(super) async fn end(transaction: &Transaction<'_>, ids: &[i64], held_until: Timestamp) -> Result<u64, Failure> {
    let living = lock_living(transaction, ids).await?;
    let ended = transaction.execute(END, &[&living, &held_until.0]).await?;
    messages::delete_all(transaction, &living).await?;
    Ok(ended)
}

/// Those of the accounts that live, which stay as they are until the transaction ends.
pub(super) async fn lock_living(transaction: &Transaction<'_>, ids: &[i64]) -> Result<Vec<i64>, Failure> {
    transaction.query(LOCK_LIVING, &[&ids]).await?.iter().map(first).collect()
}

const TOUCH: &str = "UPDATE account SET used_at = GREATEST(used_at, $2) WHERE id IN (
        SELECT id FROM account WHERE id = ANY($1) AND held_until IS NULL ORDER BY id FOR NO KEY UPDATE
    ) RETURNING id";

/// Sets the time of last use. Those that live.
pub(super) async fn touch(transaction: &Transaction<'_>, used: &[i64], now: Timestamp) -> Result<Vec<i64>, Failure> {
    transaction.query(TOUCH, &[&used, &now.0]).await?.iter().map(first).collect()
}
