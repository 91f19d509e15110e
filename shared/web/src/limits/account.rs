//! Limits of the storage of an account, and of the bytes that it writes on a day.

use bespoke_core::Timestamp;
use bespoke_database::Db;
use bespoke_database::account_storage::{self, AccountStorage};

use super::{exports_used_up, writes_used_up};
use crate::{Error, Result};

/// Bytes that each counted write takes in the bucket in addition to its texts: pages of indexes and of the engine. Small writes take
/// less. A key that makes a small record with each of its 100,000 calls of a day stays below the default limit.
const COMMIT_BYTES: u64 = 4 * 1024;

/// The limit of a day for writes that protect the account, as a multiple of the limit for other writes.
const PROTECTION_FACTOR: u64 = 2;

/// Exports may take this part of the bytes that an account may write on a day, in addition to them. They do not count as written, because a key
/// that may only read could otherwise stop its owner's writes.
const EXPORT_SHARE: u64 = 4;

/// Limits of the storage of an account, and of the bytes that it writes on a day. An account that has stored more, because it was
/// imported or because a limit was lowered, keeps everything.
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
    /// Bytes that the account may write on a day (UTC); `None` if they are not limited.
    pub written_bytes_per_day: Option<u64>,
}

/// The cost of a write beside that of its rows, and the limit of the day that holds for it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WriteCost {
    /// Size of the image that is stored with it. Bytes.
    object_bytes: u64,
    /// By how much the limit of the day is multiplied.
    limit_factor: u64,
}

impl WriteCost {
    /// A write of data.
    pub(crate) fn data(object_bytes: u64) -> Self {
        Self {
            object_bytes,
            limit_factor: 1,
        }
    }

    /// A write that protects the account: of its credentials, its status, or its consent. It may pass the limit by as much again, because
    /// a thief can use up the bytes of the day.
    pub(crate) fn protection(object_bytes: u64) -> Self {
        Self {
            object_bytes,
            limit_factor: PROTECTION_FACTOR,
        }
    }
}

impl AccountLimits {
    /// Runs `change`, a write of the account, and refuses it if the account grows beyond a limit or has written too much on this day.
    /// Runs in the transaction of the change, so that changes at the same time count for each other.
    ///
    /// # Errors
    /// Those of `change`; 403 `accountLimitReached` and 429 `quotaExceeded`, both with the name of the limit.
    pub(crate) fn hold<T>(
        &self,
        db: &Db<'_>,
        user_id: i64,
        now: Timestamp,
        cost: WriteCost,
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
        let row_bytes = after.written_bytes.saturating_sub(before.written_bytes);
        if row_bytes + cost.object_bytes > 0 {
            let written = before.written_today(now) + row_bytes + cost.object_bytes + COMMIT_BYTES;
            let limit = self.written_bytes_per_day;
            if limit.is_some_and(|limit| written > limit.saturating_mul(cost.limit_factor)) {
                return Err(writes_used_up(now));
            }
            account_storage::set_written_today(db, user_id, written, now)?;
        }
        Ok(value)
    }

    /// The size that an export of the account may have now. The first export of a day is not limited.
    ///
    /// # Errors
    /// 429 `quotaExceeded` with `exportedBytes` if the texts of the account alone are larger; those of the database.
    pub fn export_allowance(&self, db: &Db<'_>, user_id: i64, now: Timestamp) -> Result<ExportAllowance> {
        let storage = account_storage::of(db, user_id)?;
        let allowance = self.allowance(&storage, now);
        allowance.check(storage.text_bytes)?;
        Ok(allowance)
    }

    fn allowance(&self, storage: &AccountStorage, now: Timestamp) -> ExportAllowance {
        let exported = storage.exported_today(now);
        let limit = self.written_bytes_per_day.filter(|_| exported > 0);
        let max_bytes = limit.map(|limit| (limit / EXPORT_SHARE).saturating_sub(exported + COMMIT_BYTES));
        ExportAllowance { max_bytes, now }
    }

    /// Counts an export whose file has `bytes`, in the transaction that notes it, so that exports at the same time count for each other.
    ///
    /// # Errors
    /// 429 `quotaExceeded` with `exportedBytes` if the account has exported too much on this day; those of the database.
    pub fn count_export(&self, db: &Db<'_>, user_id: i64, bytes: u64, now: Timestamp) -> Result<()> {
        let storage = account_storage::of(db, user_id)?;
        self.allowance(&storage, now).check(bytes)?;
        let exported = storage.exported_today(now) + bytes + COMMIT_BYTES;
        Ok(account_storage::set_exported_today(db, user_id, exported, now)?)
    }

    /// Takes back [`AccountLimits::count_export`], because the file could not be stored.
    ///
    /// # Errors
    /// Those of the database.
    pub fn discount_export(&self, db: &Db<'_>, user_id: i64, bytes: u64, now: Timestamp) -> Result<()> {
        let exported = account_storage::of(db, user_id)?.exported_today(now);
        let exported = exported.saturating_sub(bytes + COMMIT_BYTES);
        Ok(account_storage::set_exported_today(db, user_id, exported, now)?)
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

/// The size that an export may have.
#[derive(Debug, Clone, Copy)]
pub struct ExportAllowance {
    /// `None` if it is not limited. Bytes.
    max_bytes: Option<u64>,
    now: Timestamp,
}

impl ExportAllowance {
    /// Any size: for an export by the operator.
    pub fn unlimited(now: Timestamp) -> Self {
        Self { max_bytes: None, now }
    }

    /// Refuses a file that is larger, also one that is not complete yet.
    ///
    /// # Errors
    /// 429 `quotaExceeded` with `exportedBytes`.
    pub fn check(&self, bytes: u64) -> Result<()> {
        match self.max_bytes {
            Some(max_bytes) if bytes > max_bytes => Err(exports_used_up(self.now)),
            _ => Ok(()),
        }
    }
}
