//! [`AccountStorage`]: the storage that an account uses: records of each kind, bytes of text, and the bytes that the account has written and
//! exported on a day. Triggers of the schema count all of these except the exported bytes.

use bespoke_core::Timestamp;

use crate::connection::Db;
use crate::day::day_of;
use crate::error::Result;

/// The storage of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccountStorage {
    /// The number of measurement sets.
    pub sets: u64,
    /// The number of patterns.
    pub patterns: u64,
    /// The number of bookmarks.
    pub bookmarks: u64,
    /// The number of API keys, including those that have expired.
    pub api_keys: u64,
    /// Size of the encrypted texts of these records and of suggestions, in bytes.
    pub text_bytes: u64,
    /// Bytes that the account has written on `written_day`.
    pub written_bytes: u64,
    /// Day (UTC, since the Unix epoch) of the last counted write.
    written_day: i64,
    /// Bytes that the account has exported on `exported_day`.
    exported_bytes: u64,
    /// Day (UTC, since the Unix epoch) of the last export.
    exported_day: i64,
}

impl AccountStorage {
    /// Bytes that the account has written on this day (UTC).
    pub fn written_today(&self, now: Timestamp) -> u64 {
        match self.written_day == day_of(now) {
            true => self.written_bytes,
            false => 0,
        }
    }

    /// Bytes that the account has exported on this day (UTC).
    pub fn exported_today(&self, now: Timestamp) -> u64 {
        match self.exported_day == day_of(now) {
            true => self.exported_bytes,
            false => 0,
        }
    }
}

/// Returns the storage of the account.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn of(db: &Db<'_>, user_id: i64) -> Result<AccountStorage> {
    let stored = db.first(
        "SELECT sets, patterns, bookmarks, api_keys, text_bytes, written_bytes, written_day, exported_bytes, exported_day
         FROM account_storage WHERE user_id = ?1",
        [user_id],
        |_, row| {
            Ok(AccountStorage {
                sets: row.unsigned()?,
                patterns: row.unsigned()?,
                bookmarks: row.unsigned()?,
                api_keys: row.unsigned()?,
                text_bytes: row.unsigned()?,
                written_bytes: row.unsigned()?,
                written_day: row.take()?,
                exported_bytes: row.unsigned()?,
                exported_day: row.take()?,
            })
        },
    )?;
    Ok(stored.unwrap_or_default())
}

/// Stores the number of bytes that the account has written on this day (UTC). Does nothing if the account does not exist.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn set_written_today(db: &Db<'_>, user_id: i64, bytes: u64, now: Timestamp) -> Result<()> {
    db.run(
        "INSERT INTO account_storage (user_id, written_bytes, written_day) SELECT id, ?2, ?3 FROM users WHERE id = ?1
         ON CONFLICT DO UPDATE SET written_bytes = ?2, written_day = ?3",
        (user_id, i64::try_from(bytes).unwrap_or(i64::MAX), day_of(now)),
    )?;
    Ok(())
}

/// Stores the number of bytes that the account has exported on this day (UTC). Does nothing if the account does not exist.
///
/// # Errors
/// [`crate::Error`] when the row cannot be written.
pub fn set_exported_today(db: &Db<'_>, user_id: i64, bytes: u64, now: Timestamp) -> Result<()> {
    db.run(
        "INSERT INTO account_storage (user_id, exported_bytes, exported_day) SELECT id, ?2, ?3 FROM users WHERE id = ?1
         ON CONFLICT DO UPDATE SET exported_bytes = ?2, exported_day = ?3",
        (user_id, i64::try_from(bytes).unwrap_or(i64::MAX), day_of(now)),
    )?;
    Ok(())
}

/// Returns the number of API keys of the account that have not expired.
///
/// # Errors
/// [`crate::Error`] when the rows cannot be read.
pub fn live_keys(db: &Db<'_>, user_id: i64, now: Timestamp) -> Result<u64> {
    let count = db.first(
        "SELECT count(*) FROM api_keys WHERE user_id = ?1 AND expires_at > ?2",
        (user_id, now.as_millis()),
        |_, row| Ok(row.unsigned()?),
    )?;
    Ok(count.unwrap_or(0))
}
