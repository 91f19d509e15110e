//! What an account has stored: how many records of each kind, and how many bytes of text. Triggers of the schema count.

use bespoke_core::Timestamp;

use crate::{Db, Result};

/// What an account has stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct AccountStorage {
    /// Measurement sets.
    pub sets: u64,
    /// Patterns.
    pub patterns: u64,
    /// Bookmarks.
    pub bookmarks: u64,
    /// API keys, also those that have expired.
    pub api_keys: u64,
    /// Texts of these and of suggestions as they are stored, encrypted, in bytes.
    pub text_bytes: u64,
}

/// What the account has stored.
///
/// # Errors
/// [`crate::Error`] when the row cannot be read.
pub fn of(db: &Db<'_>, user_id: i64) -> Result<AccountStorage> {
    let stored = db.first(
        "SELECT sets, patterns, bookmarks, api_keys, text_bytes FROM account_storage WHERE user_id = ?1",
        [user_id],
        |_, row| {
            Ok(AccountStorage {
                sets: row.count()?,
                patterns: row.count()?,
                bookmarks: row.count()?,
                api_keys: row.count()?,
                text_bytes: row.count()?,
            })
        },
    )?;
    Ok(stored.unwrap_or_default())
}

/// API keys of the account that have not expired.
///
/// # Errors
/// [`crate::Error`] when the rows cannot be read.
pub fn live_keys(db: &Db<'_>, user_id: i64, now: Timestamp) -> Result<u64> {
    let count = db.first(
        "SELECT count(*) FROM api_keys WHERE user_id = ?1 AND expires_at > ?2",
        (user_id, now.as_millis()),
        |_, row| Ok(row.count()?),
    )?;
    Ok(count.unwrap_or(0))
}
