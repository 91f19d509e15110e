//! Counts calls per account, API key and day.
//!
//! Calls are not written one by one. A process counts them in memory. Its next commit includes the counts, or they are
//! put into the bucket as an object that maintenance applies (see `commit::usage` of `bespoke_storage`).

use std::sync::{Mutex, MutexGuard, PoisonError};

use bespoke_core::Timestamp;
use hashbrown::HashMap;
use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::quota::Reservations;
use crate::row::Columns;
use crate::{Database, Db, Result};

/// Counts that are older than this are put into the bucket with the next call. Milliseconds.
const FLUSH_AFTER_MS: i64 = 60_000;
/// The counts are put into the bucket at once if there are this many accounts, keys and days: more than a megabyte.
const FLUSH_ENTRIES: usize = 10_000;
/// Size of a batch. A commit includes a few batches.
const BATCH_ENTRIES: usize = 500;
/// A commit of the process includes counts that are older than this. Milliseconds.
const OFFER_AFTER_MS: i64 = 10_000;
/// Daily counts are kept for this time, in days.
pub const KEPT_DAYS: i64 = 400;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

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

/// Returns the day of a moment (UTC, since the Unix epoch).
pub const fn day_of(moment: Timestamp) -> i64 {
    moment.as_millis().div_euclid(DAY_MS)
}

/// Returns the first moment of a day.
pub const fn start_of(day: i64) -> Timestamp {
    Timestamp::from_millis(day.saturating_mul(DAY_MS))
}

/// Counts of a process that are not in a batch yet.
#[derive(Default)]
pub(crate) struct Gathered(Mutex<Pending>);

#[derive(Default)]
struct Pending {
    oldest: Option<Timestamp>,
    counts: HashMap<(i64, Option<Uuid>, i64), Usage>,
    reservations: Reservations,
}

impl Gathered {
    pub(crate) fn reservations<T>(&self, f: impl FnOnce(&mut Reservations) -> T) -> T {
        f(&mut self.pending().reservations)
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, call: Call) {
        let Call {
            user_id,
            key,
            refused,
            at,
        } = call;
        let day = day_of(at);
        let mut pending = self.pending();
        pending.oldest.get_or_insert(at);
        let usage = pending.counts.entry((user_id, key, day)).or_insert(Usage {
            user_id,
            key,
            day,
            calls: 0,
            refused: 0,
            last_ms: 0,
        });
        usage.calls += 1;
        usage.refused += i64::from(refused);
        usage.last_ms = usage.last_ms.max(at.as_millis());
    }

    /// Takes all counts if the oldest is at least `age_ms` old or there are many.
    fn take(&self, age_ms: i64, now: Timestamp) -> Option<Vec<Usage>> {
        let mut pending = self.pending();
        let old = pending.oldest.is_some_and(|oldest| oldest.plus_ms(age_ms) <= now);
        (old || pending.counts.len() >= FLUSH_ENTRIES).then(|| {
            pending.oldest = None;
            pending.reservations.reported();
            std::mem::take(&mut pending.counts).into_values().collect()
        })
    }
}

impl Database {
    /// Counts a call in memory.
    pub fn count(&self, call: Call) {
        self.gathered.count(call);
    }

    /// Returns the calls with a key on that day that this process has served and still counts in memory.
    pub fn calls_in_memory(&self, user_id: i64, key: Uuid, day: i64) -> i64 {
        let pending = self.gathered.pending();
        pending
            .counts
            .get(&(user_id, Some(key), day))
            .map_or(0, |usage| usage.calls - usage.refused)
    }

    /// Offers the counts of this process to its next commit, unless they are very recent.
    pub fn offer_usage(&self, now: Timestamp) {
        self.freeze(OFFER_AFTER_MS, now);
    }

    /// Puts the counts of this process into the bucket if they are due.
    ///
    /// # Errors
    /// [`crate::Error::Storage`]. The counts are kept and put later.
    pub async fn flush_usage(&self, now: Timestamp) -> Result<()> {
        if self.freeze(FLUSH_AFTER_MS, now) {
            self.engine.put_usage().await?;
        }
        Ok(())
    }

    /// Puts all counts of this process into the bucket, because the process is about to end.
    ///
    /// # Errors
    /// [`crate::Error::Storage`]. The counts are lost.
    pub async fn put_usage(&self, now: Timestamp) -> Result<()> {
        self.freeze(i64::MIN, now);
        Ok(self.engine.put_usage().await?)
    }

    /// Applies the counts in the bucket to the database.
    ///
    /// # Errors
    /// [`crate::Error::Storage`]. The call can be repeated safely.
    pub async fn merge_usage(&self) -> Result<usize> {
        Ok(self.engine.merge_usage().await?)
    }

    /// Returns the counts that are not in the database yet: those of this process up to now, and those of others up to
    /// a minute ago.
    ///
    /// # Errors
    /// [`crate::Error::Storage`]
    pub async fn usage_outside(&self) -> Result<Vec<Usage>> {
        let mut all: Vec<_> = self.gathered.pending().counts.values().cloned().collect();
        let mut bodies = self.engine.frozen_usage();
        bodies.extend(self.engine.waiting_usage().await?);
        for body in bodies {
            // Unreadable batches are skipped here, and dropped when they are applied.
            all.extend(serde_json::from_slice::<Vec<Usage>>(&body).unwrap_or_default());
        }
        Ok(all)
    }

    fn freeze(&self, age_ms: i64, now: Timestamp) -> bool {
        let Some(usage) = self.gathered.take(age_ms, now) else {
            return false;
        };
        for batch in usage.chunks(BATCH_ENTRIES) {
            let body = serde_json::to_vec(batch).expect("plain numbers always serialise");
            self.engine.freeze_usage(body);
        }
        true
    }
}

/// Applies a batch of counts to the database. Counts of deleted accounts and keys are dropped. Every change of a day's
/// count also changes the row of its account, because [`crate::read_cache`] invalidates its entries by that row. While a
/// backup is being restored, counts are dropped, because their rows would collide with rows of the backup.
pub(crate) fn apply(connection: &Connection, body: &[u8]) -> rusqlite::Result<()> {
    let batch: Vec<Usage> = serde_json::from_slice(body)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Blob, Box::new(error)))?;
    if crate::refill::is_begun(connection)? {
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
pub(crate) fn column_of(key: Option<Uuid>) -> Vec<u8> {
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

    #[test]
    fn many_callers_do_not_flush_before_a_limit() {
        let (gathered, at) = (Gathered::default(), Timestamp::from_millis(0));
        let count = |user_id| {
            gathered.count(Call {
                user_id,
                key: None,
                refused: false,
                at,
            });
        };
        (1..FLUSH_ENTRIES as i64).for_each(count);
        assert_eq!(gathered.take(FLUSH_AFTER_MS, at), None);
        count(1);
        assert_eq!(gathered.take(FLUSH_AFTER_MS, at), None);
        // The maximum number in memory.
        count(0);
        assert_eq!(
            gathered.take(FLUSH_AFTER_MS, at).map(|all| all.len()),
            Some(FLUSH_ENTRIES)
        );
        // The maximum age in memory.
        count(1);
        let later = at.plus_ms(FLUSH_AFTER_MS);
        assert_eq!(gathered.take(FLUSH_AFTER_MS, later).map(|all| all.len()), Some(1));
    }
}
