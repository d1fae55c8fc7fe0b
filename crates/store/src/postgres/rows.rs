//! What is in a row, as the store's own types.

use std::fmt::Display;
use std::str::FromStr;

use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::failure::Failure;
use crate::{Account, AccountId, AccountSummary, EntryId, Form, Mailbox, MaildropEntry, Quota, StoreError, Timestamp};

/// A column's value.
pub(super) fn get<'r, T: FromSql<'r>>(row: &'r Row, column: &str) -> Result<T, Failure> {
    Ok(row.try_get(column)?)
}

/// The value of the first column.
pub(super) fn first<'r, T: FromSql<'r>>(row: &'r Row) -> Result<T, Failure> {
    Ok(row.try_get(0)?)
}

/// A text that is read as something.
pub(super) fn parsed<T: FromStr<Err: Display>>(row: &Row, column: &str) -> Result<T, Failure> {
    parse(get(row, column)?, column)
}

fn parse<T: FromStr<Err: Display>>(text: &str, column: &str) -> Result<T, Failure> {
    text.parse().map_err(|error| Failure::damaged(format!("{column} can't be read: {error}")))
}

/// A number that is none below zero.
pub(super) fn count(row: &Row, column: &str) -> Result<u64, Failure> {
    let number: i64 = get(row, column)?;
    u64::try_from(number).map_err(|_| Failure::damaged(format!("{column} is below zero")))
}

/// The same, or nothing.
pub(super) fn count_if_any(row: &Row, column: &str) -> Result<Option<u64>, Failure> {
    let number: Option<i64> = get(row, column)?;
    let whole = |number: i64| u64::try_from(number).map_err(|_| Failure::damaged(format!("{column} is below zero")));
    number.map(whole).transpose()
}

/// A number as the database has it: not beyond 2⁶³ − 1.
pub(super) fn integer(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|error| StoreError::Failed(Box::new(error)))
}

/// What a message is made of.
pub(super) fn form(row: &Row) -> Result<Form, Failure> {
    let carried_octets = count_if_any(row, "carried_octets")?;
    Ok(carried_octets.map_or(Form::Text, |carried_octets| Form::Binary { carried_octets }))
}

/// From `id`, `octets`, `messages` and the quota.
pub(super) fn mailbox(row: &Row) -> Result<Mailbox, Failure> {
    Ok(Mailbox {
        account: AccountId(get(row, "id")?),
        octets: count(row, "octets")?,
        messages: count(row, "messages")?,
        quota: quota(row)?,
    })
}

fn quota(row: &Row) -> Result<Quota, Failure> {
    Ok(Quota { octets: count_if_any(row, "quota_octets")?, messages: count_if_any(row, "quota_messages")? })
}

/// From `id`, `address`, `verifier` and `used_at`.
pub(super) fn account(row: &Row) -> Result<Account, Failure> {
    let verifier: Option<&str> = get(row, "verifier")?;
    Ok(Account {
        id: AccountId(get(row, "id")?),
        address: parsed(row, "address")?,
        verifier: verifier.map(|text| parse(text, "verifier")).transpose()?,
        used_at: Timestamp(get(row, "used_at")?),
    })
}

/// From all of these.
pub(super) fn summary(row: &Row) -> Result<AccountSummary, Failure> {
    Ok(AccountSummary {
        account: account(row)?,
        octets: count(row, "octets")?,
        messages: count(row, "messages")?,
        quota: quota(row)?,
    })
}

/// A place in a mailbox.
pub(super) fn maildrop_entry(row: &Row) -> Result<MaildropEntry, Failure> {
    Ok(MaildropEntry {
        id: EntryId(get(row, "message")?),
        octets: count(row, "octets")?,
        trace_octets: count(row, "trace_octets")?,
        received_at: Timestamp(get(row, "received_at")?),
        form: form(row)?,
    })
}
