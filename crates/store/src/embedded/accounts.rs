//! What is done to accounts, in SQL.

use std::collections::BTreeSet;

use proto::sasl::scram::Verifier;
use proto::{Address, Domain};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::database::{integer, parsed};
use super::messages;
use super::writer::Group;
use crate::{Account, AccountId, AccountSummary, Mailbox, Quota, StoreError, Swept, Timestamp};

/// What of an address its account is found by.
pub(super) struct NewAccount {
    key: String,
    address: String,
    domain: String,
    number: Option<u32>,
    verifier: Option<String>,
    now: Timestamp,
}

impl NewAccount {
    pub(super) fn new(address: &Address, verifier: Option<&Verifier>, now: Timestamp) -> Self {
        let address = address.base();
        Self {
            key: address.key(),
            domain: address.domain().to_string(),
            number: address.number(),
            address: address.to_string(),
            verifier: verifier.map(Verifier::to_string),
            now,
        }
    }
}

/// The new account, or `None` if the address is taken or held.
pub(super) fn register(group: &Group<'_>, new: &NewAccount) -> rusqlite::Result<Option<AccountId>> {
    group
        .prepare_cached("DELETE FROM account WHERE key = ?1 AND held_until <= ?2")?
        .execute(params![new.key, new.now])?;
    group
        .prepare_cached(
            "INSERT INTO account (key, address, domain, number, verifier, used_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (key) DO NOTHING RETURNING id",
        )?
        .query_row(params![new.key, new.address, new.domain, new.number, new.verifier, new.now], |row| row.get(0))
        .optional()
}

/// The least free number from `from` on; `None` if all are taken.
pub(super) fn next_free_number(
    connection: &Connection,
    domain: &Domain,
    from: u32,
    now: Timestamp,
) -> rusqlite::Result<Option<u32>> {
    let mut taken = connection.prepare_cached(
        "SELECT DISTINCT number FROM account
         WHERE domain = ?1 AND number >= ?2 AND (held_until IS NULL OR held_until > ?3) ORDER BY number",
    )?;
    let mut free = Some(from);
    for number in taken.query_map(params![domain.as_str(), from, now], |row| row.get::<_, u32>(0))? {
        let number = number?;
        if free != Some(number) {
            break;
        }
        free = number.checked_add(1);
    }
    Ok(free)
}

/// The mailbox of the living account with this key.
pub(super) fn mailbox(connection: &Connection, key: &str) -> rusqlite::Result<Option<Mailbox>> {
    connection
        .prepare_cached(
            "SELECT id, octets, messages, quota_octets, quota_messages FROM account
             WHERE key = ?1 AND held_until IS NULL",
        )?
        .query_row([key], to_mailbox)
        .optional()
}

/// The mailbox of this account, if it lives.
pub(super) fn mailbox_of(connection: &Connection, id: AccountId) -> rusqlite::Result<Option<Mailbox>> {
    connection
        .prepare_cached(
            "SELECT id, octets, messages, quota_octets, quota_messages FROM account
             WHERE id = ?1 AND held_until IS NULL",
        )?
        .query_row([id], to_mailbox)
        .optional()
}

fn to_mailbox(row: &Row<'_>) -> rusqlite::Result<Mailbox> {
    Ok(Mailbox {
        account: row.get("id")?,
        octets: row.get("octets")?,
        messages: row.get("messages")?,
        quota: to_quota(row)?,
    })
}

/// Whether the account lives.
pub(super) fn is_alive(connection: &Connection, id: AccountId) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM account WHERE id = ?1 AND held_until IS NULL")?.exists([id])
}

/// Whether an account with this key has ended and its address is held beyond now.
pub(super) fn is_held(connection: &Connection, key: &str, now: Timestamp) -> rusqlite::Result<bool> {
    connection.prepare_cached("SELECT 1 FROM account WHERE key = ?1 AND held_until > ?2")?.exists(params![key, now])
}

/// Living accounts behind this key.
pub(super) fn accounts(connection: &Connection, after: &str, limit: usize) -> rusqlite::Result<Vec<AccountSummary>> {
    connection
        .prepare_cached(
            "SELECT id, address, verifier, used_at, octets, messages, quota_octets, quota_messages FROM account
             WHERE key > ?1 AND held_until IS NULL ORDER BY key LIMIT ?2",
        )?
        .query_map(params![after, i64::try_from(limit).unwrap_or(i64::MAX)], to_summary)?
        .collect()
}

/// A living account and how full its mailbox is.
pub(super) fn summary(connection: &Connection, id: AccountId) -> rusqlite::Result<Option<AccountSummary>> {
    connection
        .prepare_cached(
            "SELECT id, address, verifier, used_at, octets, messages, quota_octets, quota_messages FROM account
             WHERE id = ?1 AND held_until IS NULL",
        )?
        .query_row([id], to_summary)
        .optional()
}

fn to_summary(row: &Row<'_>) -> rusqlite::Result<AccountSummary> {
    Ok(AccountSummary {
        account: to_account(row)?,
        octets: row.get("octets")?,
        messages: row.get("messages")?,
        quota: to_quota(row)?,
    })
}

fn to_quota(row: &Row<'_>) -> rusqlite::Result<Quota> {
    Ok(Quota { octets: row.get("quota_octets")?, messages: row.get("quota_messages")? })
}

/// A living account.
pub(super) fn account(connection: &Connection, id: AccountId) -> rusqlite::Result<Option<Account>> {
    connection
        .prepare_cached("SELECT id, address, verifier, used_at FROM account WHERE id = ?1 AND held_until IS NULL")?
        .query_row([id], to_account)
        .optional()
}

fn to_account(row: &Row<'_>) -> rusqlite::Result<Account> {
    let has_verifier = row.get_ref("verifier")? != rusqlite::types::ValueRef::Null;
    Ok(Account {
        id: row.get("id")?,
        address: parsed(row, "address")?,
        verifier: if has_verifier { Some(parsed(row, "verifier")?) } else { None },
        used_at: row.get("used_at")?,
    })
}

/// Whether there is such an account.
pub(super) fn set_verifier(group: &Group<'_>, id: AccountId, verifier: &str) -> rusqlite::Result<bool> {
    let changed = group
        .prepare_cached("UPDATE account SET verifier = ?2 WHERE id = ?1 AND held_until IS NULL")?
        .execute(params![id, verifier])?;
    Ok(changed == 1)
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

/// Whether there is such an account.
pub(super) fn set_quota(group: &mut Group<'_>, id: AccountId, quota: &NewQuota) -> rusqlite::Result<bool> {
    let changed = group
        .prepare_cached(
            "UPDATE account SET quota_octets = ?2, quota_messages = ?3 WHERE id = ?1 AND held_until IS NULL",
        )?
        .execute(params![id, quota.octets, quota.messages])?;
    group.changed(id);
    Ok(changed == 1)
}

/// Turns an account into a hold on its address. Nothing, if it has ended before.
pub(super) fn end(group: &mut Group<'_>, id: AccountId, held_until: Timestamp) -> rusqlite::Result<()> {
    let ended = group
        .prepare_cached(
            "UPDATE account SET held_until = ?2, verifier = NULL, octets = 0, messages = 0,
                 quota_octets = NULL, quota_messages = NULL
             WHERE id = ?1 AND held_until IS NULL",
        )?
        .execute(params![id, held_until])?;
    group.changed(id);
    if ended == 1 { messages::delete_all(group, id) } else { Ok(()) }
}

/// Ends all accounts without a verifier; how many.
pub(super) fn end_unclaimed(group: &mut Group<'_>, held_until: Timestamp) -> rusqlite::Result<u64> {
    let unclaimed = ids(group, "SELECT id FROM account WHERE verifier IS NULL AND held_until IS NULL", [])?;
    end_each(group, &unclaimed, held_until)
}

/// Moves leases and holds by the time since any account was last used, unless that is no longer than a lease. No hold is made
/// longer than one.
pub(super) fn resume(group: &Group<'_>, idle_since: Timestamp, now: Timestamp) -> rusqlite::Result<i64> {
    let last: Option<i64> = group.query_row("SELECT max(used_at) FROM account", [], |row| row.get(0))?;
    let Some(last) = last.filter(|last| !(idle_since.0..=now.0).contains(last)) else {
        return Ok(0);
    };
    let (away, lease) = (now.0.saturating_sub(last), now.0.saturating_sub(idle_since.0));
    group.execute(
        "UPDATE account SET used_at = used_at + iif(number IS NULL AND ?1 > 0, 0, ?1),
             held_until = min(held_until + ?1, ?2)",
        params![away, now.0.saturating_add(lease)],
    )?;
    Ok(away)
}

/// Sets the time of last use. Which of them have ended.
pub(super) fn touch(group: &Group<'_>, used: &[AccountId], now: Timestamp) -> rusqlite::Result<Vec<AccountId>> {
    let mut touch = group.prepare_cached("UPDATE account SET used_at = ?2 WHERE id = ?1 AND held_until IS NULL")?;
    let mut ended = BTreeSet::new();
    for id in used {
        if touch.execute(params![id, now])? == 0 {
            ended.insert(*id);
        }
    }
    Ok(Vec::from_iter(ended))
}

/// Ends what was idle, and forgets the holds that are over.
pub(super) fn sweep(group: &mut Group<'_>, idle_since: Timestamp, now: Timestamp) -> rusqlite::Result<Swept> {
    // Two queries, because there is an index for each.
    const IDLE: &str = "SELECT id FROM account
            WHERE number IS NOT NULL AND verifier IS NOT NULL AND held_until IS NULL AND used_at < ?1
        UNION ALL
        SELECT id FROM account WHERE verifier IS NULL AND held_until IS NULL AND used_at < ?1";
    let idle = ids(group, IDLE, [idle_since])?;
    let accounts = end_each(group, &idle, now)?;
    let addresses = group.prepare_cached("DELETE FROM account WHERE held_until <= ?1")?.execute([now])?;
    Ok(Swept { accounts, addresses: addresses as u64 })
}

fn ids(group: &Group<'_>, query: &str, parameters: impl rusqlite::Params) -> rusqlite::Result<Vec<AccountId>> {
    group.prepare_cached(query)?.query_map(parameters, |row| row.get(0))?.collect()
}

fn end_each(group: &mut Group<'_>, accounts: &[AccountId], held_until: Timestamp) -> rusqlite::Result<u64> {
    accounts.iter().try_for_each(|id| end(group, *id, held_until))?;
    Ok(accounts.len() as u64)
}
