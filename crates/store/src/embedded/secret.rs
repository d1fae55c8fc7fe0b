//! The store's secret, in SQL: 32 octets, in hexadecimal.

use rusqlite::params;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};

use super::writer::Group;

/// The setting's name in the table.
const SECRET: &str = "secret";

struct Secret([u8; 32]);

impl FromSql for Secret {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let text = value.as_str()?;
        let mut octets = [0; 32];
        if text.len() != 2 * octets.len() || !text.is_ascii() {
            return Err(FromSqlError::InvalidType);
        }
        for (at, octet) in octets.iter_mut().enumerate() {
            *octet = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(FromSqlError::other)?;
        }
        Ok(Self(octets))
    }
}

/// The secret that there is, or this one from now on.
pub(super) fn keep(group: &Group<'_>, candidate: &[u8; 32]) -> rusqlite::Result<[u8; 32]> {
    let text: String = candidate.iter().map(|octet| format!("{octet:02x}")).collect();
    group
        .prepare_cached("INSERT INTO setting (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING")?
        .execute(params![SECRET, text])?;
    group
        .prepare_cached("SELECT value FROM setting WHERE name = ?1")?
        .query_row([SECRET], |row| row.get(0))
        .map(|Secret(secret)| secret)
}
