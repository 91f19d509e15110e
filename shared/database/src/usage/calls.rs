//! Repository of the counted calls per account, API key and day: [`apply`] adds a batch of [`Usage`], [`by_user`] and [`by_caller`] read.

use bespoke_core::Timestamp;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::backup::restore;
use crate::connection::{Columns, Db};
use crate::error::Result;

/// How long daily counts are kept, in days.
pub const KEPT_DAYS: i64 = 400;

/// One authenticated call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Call {
    /// Integer id of the account.
    pub user_id: i64,
    /// The API key; `None` for a token.
    pub key: Option<Uuid>,
    /// Whether the call was refused after authentication.
    pub refused: bool,
    /// Time of the call.
    pub at: Timestamp,
}

/// Counts of one account, one key and one day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Integer id of the account.
    #[serde(rename = "u")]
    pub user_id: i64,
    /// The API key; `None` for tokens.
    #[serde(rename = "k")]
    pub key: Option<Uuid>,
    /// Day, UTC, since the Unix epoch.
    #[serde(rename = "d")]
    pub day: i64,
    /// All calls.
    #[serde(rename = "c")]
    pub calls: i64,
    /// The refused calls.
    #[serde(rename = "r")]
    pub refused: i64,
    /// Time of the last call, in milliseconds since the Unix epoch.
    #[serde(rename = "l")]
    pub last_ms: i64,
}

/// Applies a batch of counts to the database. Counts of deleted accounts and keys are dropped. Every change of a day's
/// count also changes the row of its account, because [`crate::cache`] invalidates its entries by that row. While a
/// backup is being restored, counts are dropped, because their rows would collide with rows of the backup.
pub(crate) fn apply(connection: &Connection, body: &[u8]) -> rusqlite::Result<()> {
    let batch: Vec<Usage> = serde_json::from_slice(body)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, Box::new(error)))?;
    if restore::is_begun(connection)? {
        return Ok(());
    }
    let mut user = connection.prepare_cached(
        "UPDATE users SET jwt_calls = jwt_calls + ?2, key_calls = key_calls + ?3, last_seen = max(coalesce(last_seen, 0), ?4)
         WHERE id = ?1",
    )?;
    let mut key = connection.prepare_cached(
        "UPDATE api_keys SET calls = calls + ?2, last_seen = max(coalesce(last_seen, 0), ?3) WHERE uuid = ?1",
    )?;
    let mut day = connection.prepare_cached(
        "INSERT INTO usage (user_id, key, day, calls, refused) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET calls = calls + excluded.calls, refused = refused + excluded.refused,
           reserved = max(0, reserved - (excluded.calls - excluded.refused))",
    )?;
    for usage in batch {
        let by_key = usage.key.is_some();
        let (jwt_calls, key_calls) = if by_key { (0, usage.calls) } else { (usage.calls, 0) };
        if user.execute(params![usage.user_id, jwt_calls, key_calls, usage.last_ms])? == 0 {
            continue;
        }
        if let Some(uuid) = usage.key {
            key.execute(params![uuid, usage.calls, usage.last_ms])?;
        }
        day.execute(params![
            usage.user_id,
            column_of(usage.key),
            usage.day,
            usage.calls,
            usage.refused
        ])?;
    }
    Ok(())
}

/// Returns the column for a key; empty for tokens.
pub(super) fn column_of(key: Option<Uuid>) -> Vec<u8> {
    key.map_or_else(Vec::new, |uuid| uuid.as_bytes().to_vec())
}

/// Returns the counts of an account since that day, by key and day.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read.
pub fn by_user(db: &Db<'_>, user_id: i64, first_day: i64) -> Result<Vec<Usage>> {
    db.all(
        "SELECT user_id, key, day, calls, refused FROM usage WHERE user_id = ?1 AND day >= ?2",
        (user_id, first_day),
        from_row,
    )
}

/// Returns the counts of all accounts since that day, one row per account and key; `day` and `last_ms` have no
/// meaning.
///
/// # Errors
/// [`crate::Error`] when a row cannot be read.
pub fn by_caller(db: &Db<'_>, first_day: i64) -> Result<Vec<Usage>> {
    db.all(
        "SELECT user_id, key, 0, sum(calls), sum(refused) FROM usage INDEXED BY usage_by_day WHERE day >= ?1 GROUP BY user_id, key",
        [first_day],
        from_row,
    )
}

fn from_row(_: &Db<'_>, row: &mut Columns<'_>) -> Result<Usage> {
    Ok(Usage {
        user_id: row.take()?,
        key: Uuid::from_slice(&row.take::<Vec<u8>>()?).ok(),
        day: row.take()?,
        calls: row.take()?,
        refused: row.take()?,
        last_ms: 0,
    })
}

/// Deletes the counts before that day.
///
/// # Errors
/// [`crate::Error`] when the rows cannot be removed.
pub fn purge(db: &Db<'_>, first_day: i64) -> Result<()> {
    db.run("DELETE FROM usage WHERE day < ?1", [first_day])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::day::day_of;
    use crate::testing::{NOW, with_account};

    #[test]
    fn counts_are_dropped_during_a_restore() {
        with_account(|db, user_id| {
            let body = serde_json::to_vec(&[Usage {
                user_id,
                key: None,
                day: day_of(NOW),
                calls: 1,
                refused: 0,
                last_ms: NOW.as_millis(),
            }]);
            let body = body.unwrap();
            let begin = "INSERT INTO refills (id, source, name, rows) VALUES (1, x'00', 'users', 0)";
            db.insert(begin, []).unwrap();
            apply(db.connection, &body).unwrap();
            assert_eq!(by_user(db, user_id, 0).unwrap(), []);
            db.run("DELETE FROM refills WHERE id = 1", []).unwrap();
            apply(db.connection, &body).unwrap();
            assert_eq!(by_user(db, user_id, 0).unwrap().len(), 1);
        });
    }
}
