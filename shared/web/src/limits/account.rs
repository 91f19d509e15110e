//! [`AccountLimits`]: limits the stored records and bytes of an account, and the bytes that it writes and exports on a day.

use bespoke_core::Timestamp;
use bespoke_database::Db;
use bespoke_database::account_storage::{self, AccountStorage};

use super::errors::{exports_used_up, writes_used_up};
use crate::response::{Error, Result};

/// Fixed overhead counted for each write, in bytes, for the index and bookkeeping pages that a commit stores. An API key that creates a
/// small record with each of its 100,000 calls a day stays below the default daily limit.
const COMMIT_BYTES: u64 = 4 * 1024;

/// The daily limit for writes that protect the account, as a multiple of the limit for other writes.
const PROTECTION_FACTOR: u64 = 2;

/// The daily limit for exports is the daily limit for writes divided by this number. Exports have a limit of their own, because otherwise a
/// read-only key could use up the bytes that its owner may write.
const EXPORT_DIVISOR: u64 = 4;

/// The limits of an account. An account that is beyond a limit, because it was imported or because the limit was lowered, keeps everything
/// that it has.
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
    /// Encrypted texts of all of these records and of suggestions, in bytes.
    pub text_bytes: u64,
    /// Bytes that the account may write on a day (UTC); `None` for no limit.
    pub written_bytes_per_day: Option<u64>,
}

/// Records that an account is about to store.
#[derive(Debug, Clone, Copy)]
pub struct Growth {
    /// Measurement sets.
    pub sets: u64,
    /// Patterns.
    pub patterns: u64,
    /// Bookmarks.
    pub bookmarks: u64,
    /// Lower bound of the total size of the text columns of these records before encryption, in bytes.
    pub text_bytes: u64,
}

/// The cost of a write in addition to its rows, and the daily limit that applies to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WriteCost {
    /// Size of the image that is stored with the record, in bytes.
    object_bytes: u64,
    /// Factor for the daily limit.
    limit_factor: u64,
}

impl WriteCost {
    /// Returns the cost of an ordinary write.
    pub(crate) fn ordinary(object_bytes: u64) -> Self {
        Self {
            object_bytes,
            limit_factor: 1,
        }
    }

    /// Returns the cost of a write that protects the account: a change of its credentials, status or consent. Its limit is higher, because
    /// otherwise an attacker with a stolen session or key could block it by exhausting the daily limit.
    pub(crate) fn protection(object_bytes: u64) -> Self {
        Self {
            object_bytes,
            limit_factor: PROTECTION_FACTOR,
        }
    }
}

impl AccountLimits {
    /// Runs `change`, a write of the account, and rejects it if the account grows beyond a limit or has written too much on this day. It must
    /// be called in the transaction of the change, so that two concurrent changes cannot both pass the check.
    ///
    /// # Errors
    /// The errors of `change`; 403 `accountLimitReached` and 429 `quotaExceeded`, with the name of the limit.
    pub(crate) fn enforce<T>(
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
        if let Some(limit) = self.exceeded(&before, &after) {
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

    /// Rejects records that the account may not store, before they are stored.
    ///
    /// # Errors
    /// 403 `accountLimitReached` and 429 `quotaExceeded`, with the name of the limit.
    pub fn check_growth(&self, db: &Db<'_>, user_id: i64, growth: Growth, now: Timestamp) -> Result<()> {
        let before = account_storage::of(db, user_id)?;
        let mut after = before;
        after.sets += growth.sets;
        after.patterns += growth.patterns;
        after.bookmarks += growth.bookmarks;
        after.text_bytes += growth.text_bytes;
        if let Some(limit) = self.exceeded(&before, &after) {
            return Err(Error::account_limit_reached(limit));
        }
        let written = before.written_today(now) + growth.text_bytes;
        if self.written_bytes_per_day.is_some_and(|limit| written > limit) {
            return Err(writes_used_up(now));
        }
        Ok(())
    }

    /// Returns the size that an export of the account may have now. The first export of a day is not limited.
    ///
    /// # Errors
    /// 429 `quotaExceeded` with `exportedBytes` if the account's texts, without its images, already exceed the allowance; and database
    /// errors.
    pub fn export_allowance(&self, db: &Db<'_>, user_id: i64, now: Timestamp) -> Result<ExportAllowance> {
        let storage = account_storage::of(db, user_id)?;
        let allowance = self.allowance(&storage, now);
        allowance.check(storage.text_bytes)?;
        Ok(allowance)
    }

    fn allowance(&self, storage: &AccountStorage, now: Timestamp) -> ExportAllowance {
        let exported = storage.exported_today(now);
        let limit = self.written_bytes_per_day.filter(|_| exported > 0);
        let max_bytes = limit.map(|limit| (limit / EXPORT_DIVISOR).saturating_sub(exported + COMMIT_BYTES));
        ExportAllowance { max_bytes, now }
    }

    /// Counts an export whose file has `bytes`. It must be called in the transaction that inserts the row of the export, so that two
    /// concurrent exports cannot both pass the check.
    ///
    /// # Errors
    /// 429 `quotaExceeded` with `exportedBytes` if the account has exported too much on this day; and database errors.
    pub fn count_export(&self, db: &Db<'_>, user_id: i64, bytes: u64, now: Timestamp) -> Result<()> {
        let storage = account_storage::of(db, user_id)?;
        self.allowance(&storage, now).check(bytes)?;
        let exported = storage.exported_today(now) + bytes + COMMIT_BYTES;
        Ok(account_storage::set_exported_today(db, user_id, exported, now)?)
    }

    /// Subtracts an export that [`AccountLimits::count_export`] counted, because its file could not be stored.
    ///
    /// # Errors
    /// Database errors.
    pub fn refund_export(&self, db: &Db<'_>, user_id: i64, bytes: u64, now: Timestamp) -> Result<()> {
        let exported = account_storage::of(db, user_id)?.exported_today(now);
        let exported = exported.saturating_sub(bytes + COMMIT_BYTES);
        Ok(account_storage::set_exported_today(db, user_id, exported, now)?)
    }

    /// Returns the name of a limit that the change exceeds.
    fn exceeded(&self, before: &AccountStorage, after: &AccountStorage) -> Option<&'static str> {
        let all = [
            ("sets", before.sets, after.sets, self.sets),
            ("patterns", before.patterns, after.patterns, self.patterns),
            ("bookmarks", before.bookmarks, after.bookmarks, self.bookmarks),
            ("textBytes", before.text_bytes, after.text_bytes, self.text_bytes),
        ];
        let exceeded = |(_, before, after, limit): &(_, u64, u64, u64)| after > limit && after > before;
        all.into_iter().find(exceeded).map(|(name, ..)| name)
    }
}

/// The size that an export may have.
#[derive(Debug, Clone, Copy)]
pub struct ExportAllowance {
    /// `None` if the size is not limited, in bytes.
    max_bytes: Option<u64>,
    now: Timestamp,
}

impl ExportAllowance {
    /// Returns an allowance without a limit, for an export by the operator.
    pub fn unlimited(now: Timestamp) -> Self {
        Self { max_bytes: None, now }
    }

    /// Rejects a file whose size so far exceeds the allowance. It can be called while the file is being written.
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
