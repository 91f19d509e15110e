//! How much an account may store.

use bespoke_core::Timestamp;
use bespoke_database::Db;
use bespoke_database::account_storage::{self, AccountStorage};

use crate::{Error, Result};

/// How much an account may store. What it has stored beyond that, because it was moved in or because a limit was lowered, stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountLimits {
    /// Measurement sets.
    pub sets: u64,
    /// Patterns.
    pub patterns: u64,
    /// Bookmarks.
    pub bookmarks: u64,
    /// API keys that have not expired.
    pub live_keys: u64,
    /// Texts of all of these and of suggestions, in bytes, as they are stored.
    pub text_bytes: u64,
}

impl AccountLimits {
    /// Runs `change`, which may change what the account has stored, and refuses it if that grows beyond a limit. Runs in the transaction
    /// of the change, so that changes at the same time count for each other.
    ///
    /// # Errors
    /// Those of `change`; 403 `accountLimitReached` with the name of the limit.
    pub(crate) fn hold<T>(
        &self,
        db: &Db<'_>,
        user_id: i64,
        now: Timestamp,
        change: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        let before = account_storage::of(db, user_id)?;
        let value = change()?;
        let after = account_storage::of(db, user_id)?;
        if let Some(limit) = self.passed(&before, &after) {
            return Err(Error::account_limit_reached(limit));
        }
        if after.api_keys > before.api_keys && account_storage::live_keys(db, user_id, now)? > self.live_keys {
            return Err(Error::account_limit_reached("apikeys"));
        }
        Ok(value)
    }

    /// The limit that a change has passed.
    fn passed(&self, before: &AccountStorage, after: &AccountStorage) -> Option<&'static str> {
        let all = [
            ("sets", before.sets, after.sets, self.sets),
            ("patterns", before.patterns, after.patterns, self.patterns),
            ("bookmarks", before.bookmarks, after.bookmarks, self.bookmarks),
            ("textBytes", before.text_bytes, after.text_bytes, self.text_bytes),
        ];
        let passed = |(_, before, after, limit): &(_, u64, u64, u64)| after > limit && after > before;
        all.into_iter().find(passed).map(|(name, ..)| name)
    }
}
