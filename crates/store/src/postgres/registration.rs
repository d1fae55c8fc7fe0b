//! Who may register, as the operator has set it, and the store's secret, in SQL.

use super::failure::Failure;
use super::rows::{first, get};
use super::transaction::{Transaction, Transactions};
use crate::{RegistrationMode, StoreError, TOKENS_MAX, Timestamp, Token};

/// The settings' names in the table.
const MODE: &str = "registration_mode";
const SECRET: &str = "secret";

const SETTING: &str = "SELECT value FROM setting WHERE name = $1";
const SET: &str =
    "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
const SET_FIRST: &str = "INSERT INTO setting (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";

fn to_text(mode: RegistrationMode) -> &'static str {
    match mode {
        RegistrationMode::Configured => "configured",
        RegistrationMode::ByToken => "by token",
        RegistrationMode::Held => "held",
    }
}

/// As set last, or the default.
pub(super) async fn mode(transactions: &Transactions) -> Result<RegistrationMode, StoreError> {
    let rows = transactions.read(SETTING, &[&MODE]).await?;
    let Some(text) = rows.first().map(first::<&str>).transpose()? else { return Ok(RegistrationMode::default()) };
    let modes = [RegistrationMode::Configured, RegistrationMode::ByToken, RegistrationMode::Held];
    let mode = modes.into_iter().find(|mode| to_text(*mode) == text);
    Ok(mode.ok_or_else(|| Failure::damaged("the registration mode can't be read"))?)
}

/// Replaces what was set before.
pub(super) async fn set_mode(transaction: &Transaction<'_>, mode: RegistrationMode) -> Result<(), Failure> {
    transaction.execute(SET, &[&MODE, &to_text(mode)]).await.map(drop)
}

const TOKENS: &str = "SELECT name, digest, made_at FROM token ORDER BY name";

/// All tokens by name.
pub(super) async fn tokens(transactions: &Transactions) -> Result<Vec<Token>, StoreError> {
    let rows = transactions.read(TOKENS, &[]).await?;
    let token = |row| {
        let digest: &[u8] = get(row, "digest")?;
        let digest = digest.try_into().map_err(|_| Failure::damaged("a token can't be read"))?;
        Ok(Token { name: get(row, "name")?, digest, made_at: Timestamp(get(row, "made_at")?) })
    };
    Ok(rows.iter().map(token).collect::<Result<_, Failure>>()?)
}

/// What became of a new token.
pub(super) enum Added {
    New,
    NameTaken,
    TooMany,
}

/// So that they are counted by one at a time.
const LOCK_TOKENS: &str = "LOCK TABLE token IN SHARE ROW EXCLUSIVE MODE";
const COUNT_TOKENS: &str = "SELECT count(*), count(*) FILTER (WHERE name = $1) FROM token";
const ADD_TOKEN: &str = "INSERT INTO token (name, digest, made_at) VALUES ($1, $2, $3)";

pub(super) async fn add_token(transaction: &Transaction<'_>, token: &Token) -> Result<Added, Failure> {
    transaction.execute(LOCK_TOKENS, &[]).await?;
    let rows = transaction.query(COUNT_TOKENS, &[&token.name]).await?;
    let (all, same): (i64, i64) = match rows.first() {
        Some(row) => (row.try_get(0)?, row.try_get(1)?),
        None => (0, 0),
    };
    if same > 0 {
        return Ok(Added::NameTaken);
    }
    if all >= TOKENS_MAX as i64 {
        return Ok(Added::TooMany);
    }
    transaction.execute(ADD_TOKEN, &[&token.name, &&token.digest[..], &token.made_at.0]).await?;
    Ok(Added::New)
}

const REMOVE_TOKEN: &str = "DELETE FROM token WHERE name = $1";

/// Whether it was there.
pub(super) async fn remove_token(transaction: &Transaction<'_>, name: &str) -> Result<bool, Failure> {
    Ok(transaction.execute(REMOVE_TOKEN, &[&name]).await? == 1)
}

/// The secret that there is, or this one from now on.
pub(super) async fn keep_secret(transaction: &Transaction<'_>, candidate: &[u8; 32]) -> Result<[u8; 32], Failure> {
    let text: String = candidate.iter().map(|octet| format!("{octet:02x}")).collect();
    transaction.execute(SET_FIRST, &[&SECRET, &text]).await?;
    let rows = transaction.query(SETTING, &[&SECRET]).await?;
    let text: &str = rows.first().map(first).transpose()?.unwrap_or_default();
    let unreadable = || Failure::damaged("the store's secret can't be read");
    let mut octets = [0; 32];
    if text.len() != 2 * octets.len() || !text.is_ascii() {
        return Err(unreadable());
    }
    for (at, octet) in octets.iter_mut().enumerate() {
        *octet = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| unreadable())?;
    }
    Ok(octets)
}
