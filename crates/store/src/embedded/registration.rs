//! Who may register, as the operator has set it, in SQL.

use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension, params};

use super::writer::Group;
use crate::{AddTokenError, RegistrationMode, TOKENS_MAX, Token};

/// The setting's name in the table.
const MODE: &str = "registration_mode";

impl ToSql for RegistrationMode {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(match self {
            Self::Configured => "configured",
            Self::ByToken => "by token",
            Self::Held => "held",
        }))
    }
}

impl FromSql for RegistrationMode {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value.as_str()? {
            "configured" => Ok(Self::Configured),
            "by token" => Ok(Self::ByToken),
            "held" => Ok(Self::Held),
            _ => Err(FromSqlError::InvalidType),
        }
    }
}

/// As set last, or the default.
pub(super) fn mode(connection: &Connection) -> rusqlite::Result<RegistrationMode> {
    let set = connection
        .prepare_cached("SELECT value FROM setting WHERE name = ?1")?
        .query_row([MODE], |row| row.get(0))
        .optional()?;
    Ok(set.unwrap_or_default())
}

/// Replaces what was set before.
pub(super) fn set_mode(group: &Group<'_>, mode: RegistrationMode) -> rusqlite::Result<()> {
    group
        .prepare_cached(
            "INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        )?
        .execute(params![MODE, mode])
        .map(drop)
}

/// All tokens by name.
pub(super) fn tokens(connection: &Connection) -> rusqlite::Result<Vec<Token>> {
    connection
        .prepare_cached("SELECT name, digest, made_at FROM token ORDER BY name")?
        .query_map([], |row| Ok(Token { name: row.get(0)?, digest: row.get(1)?, made_at: row.get(2)? }))?
        .collect()
}

/// Whether its name was free.
pub(super) fn add_token(group: &Group<'_>, token: &Token) -> rusqlite::Result<Result<bool, AddTokenError>> {
    if group.prepare_cached("SELECT 1 FROM token WHERE name = ?1")?.exists([&token.name])? {
        return Ok(Ok(false));
    }
    let count: usize = group.prepare_cached("SELECT count(*) FROM token")?.query_row([], |row| row.get(0))?;
    if count >= TOKENS_MAX {
        return Ok(Err(AddTokenError::TooMany));
    }
    group.prepare_cached("INSERT INTO token (name, digest, made_at) VALUES (?1, ?2, ?3)")?.execute(params![
        token.name,
        token.digest,
        token.made_at
    ])?;
    Ok(Ok(true))
}

/// Whether it was there.
pub(super) fn remove_token(group: &Group<'_>, name: &str) -> rusqlite::Result<bool> {
    let removed = group.prepare_cached("DELETE FROM token WHERE name = ?1")?.execute([name])?;
    Ok(removed == 1)
}
